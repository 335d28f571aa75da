"""Shards: written whole or not at all, damage noticed."""

import numpy as np
import pytest
import stores
import tensorstore
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import store
from pipeline.config import Chunking
from pipeline.errors import DamageError, StoreError
from pipeline.store.schema import FORMAT_VERSION, ArraySpec

SPEC = ArraySpec("map", ("sample", "y", "x"), "uint8", "A test", fill=254)
COLUMN = ArraySpec("number", ("sample",), "int32", "A test", fill=-2)
LENGTHS = {"sample": 11, "y": 6, "x": 5, "channel": 3}
VALUES = np.random.default_rng(0).integers(0, 2, (11, 6, 5), dtype=np.uint8)


@pytest.fixture
def group(tmp_path):
    return store.create(str(tmp_path / "a.zarr"), {"format_version": FORMAT_VERSION})


@pytest.fixture
def array(group):
    """Return an array of three shards, the last one shorter."""
    made = store.add_array(group, SPEC, LENGTHS, Chunking(shard=4))
    for number in range(3):
        store.write_shard(made, number, VALUES[slice(*store.shard_rows(made, number))])
    return made


def test_shards_cover_the_rows(array):
    assert [store.shard_rows(array, number) for number in range(store.shard_count(array))] == [(0, 4), (4, 8), (8, 11)]
    assert array.chunks == (1, 6, 5)
    np.testing.assert_array_equal(store.read(array), VALUES)
    np.testing.assert_array_equal(store.read(array, slice(3, 9)), VALUES[3:9])
    np.testing.assert_array_equal(store.read(array, [9, 0, 9]), VALUES[[9, 0, 9]])
    assert store.read(array, []).shape == (0, 6, 5)


@pytest.mark.parametrize(("number", "rows"), [(0, 3), (0, 5), (2, 4), (2, 2), (1, 0)])
def test_values_that_are_not_exactly_a_shard_are_refused(array, number, rows):
    with pytest.raises(StoreError, match=rf"shard {number} holds rows"):
        store.write_shard(array, number, np.ones((rows, 6, 5), np.uint8))
    with pytest.raises(StoreError, match="map"):
        store.write_shard(array, number, np.ones((1, 6, 4), np.uint8))
    np.testing.assert_array_equal(store.read(array), VALUES)


def test_shards_not_written_are_told_and_never_read_as_real(group, tmp_path):
    made = store.add_array(group, SPEC, LENGTHS, Chunking(shard=4))
    assert store.missing_shards(made) == [0, 1, 2]
    store.write_shard(made, 1, np.zeros((4, 6, 5), np.uint8))  # what equals nothing is written all the same
    assert store.missing_shards(made) == [0, 2]
    assert (store.read(made)[[0, 10]] == 254).all()
    spec = {"driver": "zarr3", "kvstore": f"file://{tmp_path}/a.zarr/map", "fill_missing_data_reads": False}
    opened = tensorstore.open(spec).result()
    assert not opened[4:8].read().result().any()
    with pytest.raises(Exception, match="missing"):
        opened[0].read().result()


def test_half_written_files_are_no_shards_and_are_cleaned(array, tmp_path):
    shard = stores.shard(tmp_path / "a.zarr", "map", 1)
    draft = shard.with_suffix(".0123.partial")
    shard.rename(draft)
    assert store.missing_shards(array) == [1]
    store.clean(str(tmp_path / "a.zarr"))
    assert not draft.exists()


@given(place=st.floats(0, 0.999))
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_anywhere_is_damage(tmp_path_factory, place):
    folder = tmp_path_factory.mktemp("flip")
    group = store.create(str(folder / "a.zarr"), {"format_version": FORMAT_VERSION})
    made = store.add_array(group, SPEC, LENGTHS, Chunking(shard=4))
    column = store.add_array(group, COLUMN, LENGTHS, Chunking())
    for number in range(3):
        store.write_shard(made, number, VALUES[slice(*store.shard_rows(made, number))])
    store.write_column(group, "number", range(11))
    stores.flip(stores.shard(folder / "a.zarr", "map", 1), place)
    stores.flip(stores.shard(folder / "a.zarr", "number", 0), place)
    with pytest.raises(DamageError, match="map"):
        store.read(made, slice(4, 8))
    with pytest.raises(DamageError, match="number"):
        store.read(column)
    np.testing.assert_array_equal(store.read(made, slice(0, 4)), VALUES[:4])
    np.testing.assert_array_equal(store.read(made, [8, 10]), VALUES[[8, 10]])


@pytest.mark.parametrize("length", [0, 7])
def test_a_cut_off_shard_is_damage(array, tmp_path, length):
    path = stores.shard(tmp_path / "a.zarr", "map", 2)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DamageError):
        store.read(array, slice(8, 11))
