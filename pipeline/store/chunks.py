"""Rows of a shard decoded one after another into the same memory: the fastest way to look at every value once.

A row is a few hundred kilobytes, so what decodes it, what hashes it and what counts its pixels all find it in the
processor's cache, and all of them leave other threads alone. The only importer of numcodecs and google_crc32c, which
are the libraries that zarr itself decodes with.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import google_crc32c
import numpy as np
from numcodecs.blosc import Blosc
from numpy.typing import NDArray

from pipeline.store import arrays, shard_index
from pipeline.store.pictures import gather

Found = TypeVar("Found")

CODECS = ("bytes", "blosc", "crc32c")  # of a chunk; one stored otherwise is read as a whole
KEPT = 1 << 14  # bytes of the longest chunks that are looked for again: labels, not pictures


def map_rows(array: arrays.Array, number: int, function: Callable[[NDArray[Any]], Found]) -> list[Found]:
    """Call a function with the values of every row of a shard and return what it gives, in order.

    Of rows whose stored bytes are equal (labels of untouched faces, or of one face in several compressions) it sees
    the first.

    Parameters
    ----------
    array : Array
        Of pictures: a chunk holds one row.
    number : int
        Of the shard.
    function : callable
        Must not keep the array that it is given, of shape (...) without the samples: the next row overwrites it.

    Raises
    ------
    DamageError
        A chunk is missing or does not match its checksum.
    """
    low, high = arrays.shard_rows(array, number)
    values = np.empty(array.shape[1:], np.dtype(array.dtype).newbyteorder("<"))
    known: dict[bytes, Found] = {}
    found: list[Found] = []
    for stored in _stored(array, number):
        if stored in known:
            found.append(known[stored])
            continue
        if not _decode(stored, values):
            break
        found.append(function(values))
        if len(stored) <= KEPT:
            known[stored] = found[-1]
    if len(found) == high - low:
        return found
    return [function(row) for row in gather(array, slice(low, high))]  # which says what is wrong, if anything is


def _decode(stored: bytes, values: NDArray[Any]) -> bool:
    """Decode one chunk into `values`; tell whether it holds just as many."""
    if int.from_bytes(stored[4:8], "little") != values.nbytes:  # the header of a Blosc buffer says how many
        return False
    try:
        Blosc().decode(memoryview(stored)[: -shard_index.CHECKSUM], out=values)
    except RuntimeError:
        return False
    return True


def _file(array: arrays.Array, number: int) -> Path | None:
    """Return the file of a shard that can be decoded here; None in a bucket, or with other codecs."""
    root = getattr(array.store, "root", None)
    described: Any = array.metadata.to_dict()["codecs"]
    inside = described[0].get("configuration", {}) if len(described) == 1 else {}
    codecs = {codec["name"]: codec.get("configuration", {}) for codec in inside.get("codecs", ())}
    plain = tuple(codecs) == CODECS and codecs["bytes"].get("endian") != "big" and inside["index_location"] == "end"
    return root / array.path / arrays.shard_key(array, number) if isinstance(root, Path) and plain else None


def _stored(array: arrays.Array, number: int) -> Iterator[bytes]:
    """Give the stored bytes of each row of a shard; ends early at the first row that is not sound."""
    file = _file(array, number)
    if file is None:
        return
    low, high = arrays.shard_rows(array, number)
    chunks = (array.shards or array.chunks)[0]
    with contextlib.suppress(OSError), file.open("rb", buffering=0) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - shard_index.size(chunks)))
        tail = stream.read()
        if not _sound(tail) or not shard_index.fills(tail, size, chunks, high - low):
            return
        index = np.frombuffer(tail[: -shard_index.CHECKSUM], "<u8").reshape(chunks, 2)
        for offset, length in index[: high - low].tolist():
            stream.seek(offset)
            stored = stream.read(length)
            if len(stored) != length or not _sound(stored):
                return
            yield stored


def _sound(stored: bytes) -> bool:
    """Tell whether bytes end with their checksum."""
    body, checksum = stored[: -shard_index.CHECKSUM], stored[-shard_index.CHECKSUM :]
    return int(google_crc32c.value(body)) == int.from_bytes(checksum, "little")
