"""Stores of earlier versions are compared by what those versions did; whatever else differs is named."""

import copy
import json

import pytest

from pipeline.config import Recipe, overlay
from pipeline.errors import StoreError
from pipeline.stages.agreement import compare


def settings(**changes):
    return json.loads(json.dumps({"seed": 0, "recipe": overlay(Recipe(), changes, "test").to_dict()}))


@pytest.fixture
def earlier():
    """Return the settings of a store whose version had no codec to choose."""
    found = copy.deepcopy(settings())
    del found["recipe"]["chunking"]["codec"]
    return found


def test_a_store_that_names_no_codec_was_made_with_the_default_one(earlier):
    compare("old.zarr", earlier, settings())
    with pytest.raises(StoreError, match=r"recipe\.chunking\.codec \(was zstd, now lz4\)"):
        compare("old.zarr", earlier, settings(chunking={"codec": "lz4"}))


def test_a_version_without_a_choice_of_donors_avoided_none(earlier):
    del earlier["recipe"]["blending"]["avoid_donor"]
    with pytest.raises(StoreError, match=r"recipe\.blending\.avoid_donor \(was False, now True\)"):
        compare("old.zarr", earlier, settings(blending={"avoid_donor": True}))


def test_every_other_difference_is_named():
    compare("a.zarr", settings(), settings())
    with pytest.raises(
        StoreError, match=r"a\.zarr was made with other settings: recipe\.cropping\.size \(was 256, now 64\)\."
    ):
        compare("a.zarr", settings(), settings(cropping={"size": 64}))
