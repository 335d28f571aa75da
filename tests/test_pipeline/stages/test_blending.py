"""The store's blends: from the rows they name, by the plan and nothing else."""

import dataclasses

import numpy as np
import pytest
import stores

from pipeline import store
from pipeline.stages import blending
from pipeline.store import stored_recipe


@pytest.fixture(scope="module")
def made(tiny_store):
    return stores.columns(tiny_store, "blend") | {
        name: stores.pixels(tiny_store, f"blend/{name}") for name in ("image", "hull", "boundary")
    }


def test_they_are_those_of_the_plan(made, tiny_store):
    rows, recipe = stores.columns(tiny_store), stored_recipe(store.open_group(str(tiny_store)))
    usable = (stores.pixels(tiny_store, "hull") == 1).any(axis=(1, 2))
    planned = blending.plan(rows, usable, recipe)
    kinds = store.meanings(store.open_group(str(tiny_store)), "blend/kind")
    for name in ("inside", "outside", "seed"):
        assert made[name].tolist() == [getattr(each, name) for each in planned]
    assert [kinds[kind] for kind in made["kind"]] == [each.kind for each in planned]
    assert planned != blending.plan(rows, usable, dataclasses.replace(recipe, seed=1))
    assert len(planned) == 2 * np.count_nonzero(rows["method"] == 0), "one of each kind for every real row"


def test_far_from_the_face_a_blend_is_its_background(made, tiny_store):
    images = stores.pixels(tiny_store, "image")
    background = images[made["outside"]]
    same = (made["image"] == background).all(axis=3)
    assert same[:, :2].mean() > 0.9, "the upper edge of the crop"
    np.testing.assert_array_less(0.02, 1 - same.mean(axis=(1, 2)), "and the face is another one")


def test_masks_are_binary_and_of_real_faces_empty_inside(made, tiny_store):
    kinds = store.meanings(store.open_group(str(tiny_store)), "blend/kind")
    rr = made["kind"] == kinds.index("rr")
    assert set(np.unique(made["hull"])) == set(np.unique(made["boundary"])) == {0, 1}
    assert not made["hull"][rr].any()
    assert made["hull"][~rr].any(axis=(1, 2)).all()
    assert made["boundary"].any(axis=(1, 2)).all()
