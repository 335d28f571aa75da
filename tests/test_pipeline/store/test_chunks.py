"""Rows decoded one after another: the values that zarr reads, equal ones once, damage told as by any other reader."""

import numpy as np
import pytest
import zarr

from pipeline import store
from pipeline.config import Chunking
from pipeline.errors import DamageError
from pipeline.store import chunks, shard_index
from pipeline.store.schema import FORMAT_VERSION, ArraySpec

ROWS = np.random.default_rng(0).integers(-999, 999, (11, 40, 50)).astype(np.int16)
ROWS[[2, 3, 6]] = 7  # rows 2 and 3 are of one shard


@pytest.fixture
def array(tmp_path):
    """Return an array of three shards, the last one shorter."""
    group = store.create(str(tmp_path / "a.zarr"), {"format_version": FORMAT_VERSION})
    spec = ArraySpec("deep", ("sample", "y", "x"), "int16", "A test", fill=-9)
    made = store.add_array(group, spec, {"sample": 11, "y": 40, "x": 50}, Chunking(shard=4))
    for number in range(3):
        store.write_shard(made, number, ROWS[slice(*store.shard_rows(made, number))])
    return made


def shard(array, number):
    return array.store.root / array.path / f"c/{number}/0/0"


@pytest.mark.parametrize("number", range(3))
def test_values_are_those_that_were_written_and_equal_rows_are_seen_once(array, number, monkeypatch):
    monkeypatch.setattr(chunks, "gather", None)  # nothing is left to the slower way
    seen = []

    def look(row):
        seen.append(row.copy())
        return row.tobytes()

    found = store.map_rows(array, number, look)
    low, high = store.shard_rows(array, number)
    assert found == [row.tobytes() for row in ROWS[low:high]]
    assert len(seen) == len({row.tobytes() for row in ROWS[low:high]})


@pytest.mark.parametrize("place", [100, -shard_index.CHECKSUM - 9, -1])  # in a chunk, in the index, in its checksum
def test_a_flipped_bit_is_an_error(array, place):
    content = bytearray(shard(array, 1).read_bytes())
    content[place] ^= 4
    shard(array, 1).write_bytes(content)
    with pytest.raises(DamageError, match="deep"):
        store.map_rows(array, 1, bytes)


@pytest.mark.parametrize("length", [0, 5, 200, None])
def test_a_shard_that_is_cut_short_or_gone_is_an_error(array, length):
    content = shard(array, 0).read_bytes()
    shard(array, 0).unlink()
    if length is not None:
        shard(array, 0).write_bytes(content[:length])
    with pytest.raises(DamageError, match="deep"):
        store.map_rows(array, 0, bytes)


@pytest.mark.parametrize("codec", [zarr.codecs.GzipCodec(), zarr.codecs.BloscCodec(cname="lz4", shuffle="shuffle")])
def test_what_others_have_stored_in_another_way_is_read_as_well(tmp_path, codec):
    group = zarr.create_group(str(tmp_path / "b.zarr"), zarr_format=3)
    other = group.create_array(
        "deep", shape=ROWS.shape, chunks=(1, 40, 50), shards=(4, 40, 50), dtype="int16", compressors=[codec]
    )
    other[...] = ROWS
    found = [row for number in range(3) for row in store.map_rows(other, number, lambda row: row.tobytes())]
    assert found == [row.tobytes() for row in ROWS]
