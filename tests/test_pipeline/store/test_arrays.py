"""Zarr groups: whole shards or nothing, damage noticed, digests that know nothing of chunks, open to xarray."""

import numpy as np
import pytest
import stores
import tensorstore
import xarray
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import store
from pipeline.config import Chunking
from pipeline.errors import DamageError, StoreError
from pipeline.labels import LABELS
from pipeline.store.hashing import array_digest, combined_digest, row_digests, type_name
from pipeline.store.schema import BLENDS, FORMAT_VERSION, IMAGE, REJECTS, ROWS, VIDEOS, ArraySpec, label_spec

SPEC = ArraySpec("map", ("sample", "y", "x"), "uint8", "A test", fill=254)
COLUMN = ArraySpec("number", ("sample",), "int32", "A test", fill=-2)
TEXT = ArraySpec("text", ("sample",), "string", "A test", fill="")
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


def reopened(tmp_path, name):
    return store.array_of(store.open_group(str(tmp_path / "a.zarr")), name)


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


def test_text_and_numbers_read_back(group, tmp_path):
    words = ["", "plain", "Ärger/Ж 漢字 🙂", "a\nb"]
    store.write_table(group, (TEXT, COLUMN), {"text": words, "number": [1, -2, 3, 2**31 - 1]}, Chunking())
    assert store.read(reopened(tmp_path, "text")).tolist() == words
    assert store.read(reopened(tmp_path, "number")).tolist() == [1, -2, 3, 2**31 - 1]
    assert store.read(reopened(tmp_path, "number")).dtype == np.int32


def test_empty_tables_read_back(group, tmp_path):
    store.write_table(group, (TEXT, COLUMN), {"text": [], "number": []}, Chunking())
    assert store.read(reopened(tmp_path, "text")).shape == store.read(reopened(tmp_path, "number")).shape == (0,)


def test_a_store_that_is_not_there_or_not_ours_is_a_sentence(tmp_path, group):
    with pytest.raises(StoreError, match=r"There is no store at .*none.zarr; forgery-prep run makes one"):
        store.open_group(str(tmp_path / "none.zarr"))
    zarr.create_group(tmp_path / "other.zarr", zarr_format=3)
    with pytest.raises(StoreError, match="has format version None; this program reads version 1"):
        store.open_group(str(tmp_path / "other.zarr"))
    (tmp_path / "a.zarr" / "zarr.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be opened"):
        store.open_group(str(tmp_path / "a.zarr"))
    with pytest.raises(StoreError, match="has no array hull; forgery-prep labels adds label kinds"):
        store.array_of(group, "hull")


def test_the_digest_of_a_store_is_that_of_its_values_however_it_is_chunked(tiny_store, tmp_path):
    told = store.attributes_of(store.open_group(str(tiny_store)))["digests"]
    again = store.create(str(tmp_path / "again.zarr"), {"format_version": FORMAT_VERSION})
    found = {}
    for path, array in store.every_array(store.open_group(str(tiny_store))):
        values = store.read(array)
        if array.shards is not None:
            spec = ArraySpec(
                path.replace("/", "_"), ("sample", "y", "x", "channel")[: array.ndim], str(array.dtype), ""
            )
            lengths = dict(zip(spec.dims, array.shape, strict=True))
            copy = store.add_array(again, spec, lengths, Chunking(shard=7, level=5))
            for number in range(store.shard_count(copy)):
                store.write_shard(copy, number, values[slice(*store.shard_rows(copy, number))])
            cut = [
                row_digests(store.read(copy, slice(*store.shard_rows(copy, number))))
                for number in range(store.shard_count(copy))
            ]
        else:
            cut = [row_digests(values)]
        found[path] = array_digest(path, type_name(values), values.shape, cut)
    assert found == told
    assert combined_digest(found) == combined_digest(dict(reversed(told.items())))


def test_xarray_opens_a_store_without_a_warning_and_knows_its_dimensions(tiny_store):
    with xarray.open_zarr(tiny_store) as opened:
        for spec in (IMAGE, *ROWS, *VIDEOS, *map(label_spec, LABELS)):
            assert opened[spec.name].dims == spec.dims
        assert opened.sizes["sample"] == len(opened["label"])
        assert opened["video_id"].values[0] == "000"
        noise = opened["noise"].isel(sample=0).values
        assert noise.dtype.kind == "f", "CF scale factor: grey levels"
        np.testing.assert_array_equal(noise, stores.pixels(tiny_store, "noise")[0] * 0.125)
        assert set(np.unique(opened["ssim"].values)) <= {0, 1, 255}
    for name, specs in ((store.BLENDS, BLENDS), (store.REJECTS, REJECTS)):
        with xarray.open_zarr(tiny_store, group=name) as inner:
            assert {spec.name: spec.dims for spec in specs} == {n: inner[n].dims for n in inner.variables}


def test_every_array_says_what_it_is(tiny_store):
    opened = store.open_group(str(tiny_store))
    paths = [spec.name for spec in (IMAGE, *ROWS, *VIDEOS)] + list(LABELS)
    paths += [f"{store.BLENDS}/{spec.name}" for spec in BLENDS] + [f"{store.REJECTS}/{spec.name}" for spec in REJECTS]
    assert sorted(paths) == [path for path, _ in store.every_array(opened)]
    for path, array in store.every_array(opened):
        about = store.attributes_of(array)
        assert all(about[name] for name in ("description", "units", "reference")), path
        assert isinstance(about["parameters"], dict), path
        if path.split("/")[-1] in ("method", "split", "compression", "kind") and "rejected" not in path:
            meanings = about["flag_meanings"]
            assert isinstance(meanings, list)
            assert store.read(array).max() < len(meanings)
        if path in LABELS and array.dtype == np.uint8:
            assert about["flag_values"] == [0, 1, 255]
            assert array.fill_value == 254
        if array.shards is not None:
            assert array.chunks[0] == 1
            assert array.shards[0] == 16
    assert store.meanings(opened, "method") == ["real", "Warp", "Patch", "Expression", "Rerender"]
    assert store.meanings(opened, "compression") == ["raw", "c23", "c40"]
    assert all(store.attributes_of(store.array_of(opened, kind))["parameters"] for kind in (*LABELS, "image"))


@pytest.mark.parametrize("name", ["hull", "boundary"])
def test_a_blend_s_masks_use_the_numbers_of_the_labels_of_their_name(name):
    (of_blend,) = [spec for spec in BLENDS if spec.name == name]
    assert of_blend.attributes == label_spec(name).attributes
    assert "section 3.3" in of_blend.reference
