"""Values read back as they were written; digests that know nothing of chunks."""

import numpy as np
import pytest

from pipeline import store
from pipeline.config import Chunking
from pipeline.store.chunks import map_rows
from pipeline.store.hashing import array_digest, combined_digest, row_digests, type_name
from pipeline.store.schema import FORMAT_VERSION, ArraySpec

COLUMN = ArraySpec("number", ("sample",), "int32", "A test", fill=-2)
TEXT = ArraySpec("text", ("sample",), "string", "A test", fill="")


@pytest.fixture
def group(tmp_path):
    return store.create(str(tmp_path / "a.zarr"), {"format_version": FORMAT_VERSION})


def reopened(tmp_path, name):
    return store.array_of(store.open_group(str(tmp_path / "a.zarr")), name)


def test_text_and_numbers_read_back(group, tmp_path):
    words = ["", "plain", "Ärger/Ж 漢字 🙂", "a\nb"]
    store.write_table(group, (TEXT, COLUMN), {"text": words, "number": [1, -2, 3, 2**31 - 1]}, Chunking())
    assert store.read(reopened(tmp_path, "text")).tolist() == words
    assert store.read(reopened(tmp_path, "number")).tolist() == [1, -2, 3, 2**31 - 1]
    assert store.read(reopened(tmp_path, "number")).dtype == np.int32


def test_empty_tables_read_back(group, tmp_path):
    store.write_table(group, (TEXT, COLUMN), {"text": [], "number": []}, Chunking())
    assert store.read(reopened(tmp_path, "text")).shape == store.read(reopened(tmp_path, "number")).shape == (0,)


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


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_whatever_the_codec_every_reader_finds_the_same_values(group, tmp_path, codec):
    spec = ArraySpec("map", ("sample", "y", "x"), "uint8", "A test", fill=254)
    chunking = Chunking(shard=4, codec=codec)
    values = np.random.default_rng(0).integers(0, 256, (11, 6, 5), dtype=np.uint8)
    made = store.add_array(group, spec, {"sample": 11, "y": 6, "x": 5}, chunking)
    for number in range(3):
        store.write_shard(made, number, values[slice(*store.shard_rows(made, number))])
    store.write_table(group, (TEXT, COLUMN), {"text": ["a", ""], "number": [1, -2]}, chunking)
    for name in ("map", "text", "number"):
        assert f'"cname": "{codec}"' in (tmp_path / "a.zarr" / name / "zarr.json").read_text()
    array = reopened(tmp_path, "map")
    assert store.missing_shards(array) == []
    np.testing.assert_array_equal(store.read(array), values)
    np.testing.assert_array_equal(store.gather(array, np.array([9, 0, 9])), values[[9, 0, 9]])
    rows = [row for number in range(3) for row in map_rows(array, number, np.copy)]
    np.testing.assert_array_equal(np.stack(rows), values)
    assert store.read(reopened(tmp_path, "text")).tolist() == ["a", ""]
    assert store.read(reopened(tmp_path, "number")).tolist() == [1, -2]
