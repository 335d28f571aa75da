"""Arrays of pictures: zarr's bytes when written, zarr's values when read, and no loss that reads as data."""

import numpy as np
import pytest
import stores

from pipeline import store
from pipeline.config import Chunking
from pipeline.errors import DamageError
from pipeline.store.schema import FORMAT_VERSION, IMAGE, ArraySpec

LENGTHS = {"sample": 11, "y": 6, "x": 5, "channel": 3}
RNG = np.random.default_rng(0)
SPECS = {
    "map": (ArraySpec("map", ("sample", "y", "x"), "uint8", "A test", fill=254), RNG.integers(0, 2, (11, 6, 5))),
    "image": (IMAGE, RNG.integers(0, 256, (11, 6, 5, 3))),
    "deep": (ArraySpec("deep", ("sample", "y", "x"), "int16", "A test", fill=-9), RNG.integers(-999, 999, (11, 6, 5))),
    "blank": (ArraySpec("blank", ("sample", "y", "x"), "uint8", "A test", fill=254), np.full((11, 6, 5), 254)),
}


@pytest.fixture(params=SPECS)
def made(request, tmp_path):
    """Return an array of three shards, the last one shorter, and the values written into it."""
    spec, values = SPECS[request.param]
    group = store.create(str(tmp_path / "a.zarr"), {"format_version": FORMAT_VERSION})
    array, values = store.add_array(group, spec, LENGTHS, Chunking(shard=4)), values.astype(spec.dtype)
    for number in range(3):
        store.write_shard(array, number, values[slice(*store.shard_rows(array, number))])
    return array, values


def test_shards_have_the_bytes_that_zarr_writes(made, tmp_path):
    array, values = made
    other = store.create(str(tmp_path / "b.zarr"), {"format_version": FORMAT_VERSION})
    store.add_array(other, SPECS[array.basename][0], LENGTHS, Chunking(shard=4))[...] = values
    stores.assert_same(tmp_path / "a.zarr", tmp_path / "b.zarr")


def test_rows_are_gathered_in_any_order(made):
    array, values = made
    np.testing.assert_array_equal(store.gather(array, slice(3, 9)), values[3:9])
    np.testing.assert_array_equal(store.gather(array, np.array([9, 0, 9, 4])), values[[9, 0, 9, 4]])
    assert store.gather(array, np.empty(0, np.int64)).shape == (0, *values.shape[1:])


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), stores.flip, lambda file: file.write_bytes(b"")])
def test_a_shard_that_is_lost_or_damaged_is_told_and_can_be_replaced(made, tmp_path, damage):
    array, values = made
    damage(stores.shard(tmp_path / "a.zarr", array.basename, 1))
    with pytest.raises(DamageError, match=f"{array.basename} in .* cannot be read back"):
        store.gather(array, np.array([7, 5, 6, 0, 4]))
    np.testing.assert_array_equal(store.gather(array, np.array([0, 9])), values[[0, 9]])
    store.write_shard(array, 1, values[4:8])
    np.testing.assert_array_equal(store.gather(array, slice(0, 11)), values)
