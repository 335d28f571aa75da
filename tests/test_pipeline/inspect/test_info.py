"""A store counted, and told in one screen."""

import json

import numpy as np
import pytest
import stores

from pipeline import store
from pipeline.errors import StoreError
from pipeline.inspect import info
from pipeline.store.hashing import combined_digest


@pytest.fixture(scope="module")
def told(tiny_store):
    return info.summary(str(tiny_store))


def test_the_counts_are_those_of_the_arrays(told, tiny_store):
    rows = stores.columns(tiny_store)
    assert told.counts["rows"] == len(rows["label"]) == sum(entry["kept"] for entry in told.rows)
    assert told.counts["fakes"] == np.count_nonzero(rows["method"])
    assert told.counts["faces"] == len(set(rows["face"].tolist()))
    assert told.counts["videos"] == 60
    assert told.counts["blends"] == len(stores.columns(tiny_store, "blend")["seed"])
    assert told.counts["without_label"] == dict.fromkeys(("ssim", "mask", "noise", "hull", "boundary"), 0)
    assert told.lost_share == 0
    assert {(e["split"], e["method"], e["compression"]) for e in told.rows} == {
        (split, method, compression)
        for split in ("train", "test")
        for method in ("real", "Warp", "Patch", "Expression", "Rerender")
        for compression in ("raw", "c23", "c40")
    }


def test_the_digest_is_that_of_all_arrays(told, tiny_store):
    attributes = store.attributes_of(store.open_group(str(tiny_store)))
    assert told.digest == combined_digest(attributes["digests"])
    assert set(attributes["digests"]) == set(told.arrays)


def test_it_goes_through_json(told):
    assert json.loads(json.dumps(told.to_dict()))["digest"] == told.digest


def test_one_screen_tells_it_all(told):
    text = info.screen(told)
    assert len(text.splitlines()) <= 40
    assert all(word in text for word in ("186 rows of 14 faces from 60 files", "Rerender", "c40", told.digest, "hull"))


def test_an_unfinished_store_has_no_summary(tiny_store, tmp_path):
    location = stores.copy(tiny_store, tmp_path / "a.zarr")
    store.open_group(location, "r+").attrs["complete"] = False
    with pytest.raises(StoreError, match="is unfinished; run the command that began it again"):
        info.summary(location)


def test_a_plan_says_what_a_run_would_make(tiny):
    text = info.plan(tiny.job("x.zarr"))
    assert "60 files (30 test, 30 train), 12 real" in text
    assert "at most 186 rows of 96 x 96 pixels" in text
    assert text.endswith("-> x.zarr")
