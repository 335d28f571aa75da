"""Shards of arrays as files: which rows they hold, written and deleted as a whole, found missing."""

from collections.abc import Collection
from pathlib import Path

from zarr.abc.store import SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from pipeline.files import flush
from pipeline.store import shard_index
from pipeline.store.arrays.groups import Array
from pipeline.store.writing import writing


def shard_count(array: Array) -> int:
    """Return how many shards an array has along its samples."""
    return -(-array.shape[0] // (array.shards or array.chunks)[0])


def shard_rows(array: Array, number: int) -> tuple[int, int]:
    """Return the first row of an array's shard and the row after its last."""
    length = (array.shards or array.chunks)[0]
    return number * length, min(array.shape[0], (number + 1) * length)


def shard_key(array: Array, number: int) -> str:
    """Return the name of the file of one shard, below its array."""
    return "/".join(["c", str(number), *["0"] * (array.ndim - 1)])


def metadata_of(array: Array) -> bytes:
    """Return the metadata file of an array."""
    return array.metadata.to_buffer_dict(default_buffer_prototype())["zarr.json"].to_bytes()


def put_shard(array: Array, number: int, content: bytes) -> None:
    """Write the bytes of one whole shard in one atomic step."""
    with writing(str(array.store_path)):
        key = f"{array.path}/{shard_key(array, number)}"
        sync(array.store.set(key, default_buffer_prototype().buffer.from_bytes(content)))
        if isinstance(root := getattr(array.store, "root", None), Path):
            file = root / key
            for place in (file, *file.parents[: array.ndim]):
                flush(place)


def delete_shard(array: Array, number: int) -> None:
    """Delete one shard, if it is there."""
    with writing(str(array.store_path)):
        sync(array.store.delete(f"{array.path}/{shard_key(array, number)}"))


def missing_shards(array: Array) -> list[int]:
    """Return the numbers of the shards that are not in the store as a whole: absent, empty, or cut short.

    A shard ends with an index of its chunks (offset and length of each, then a checksum). A file that a power cut
    left empty or short would read as fill values, which are no labels; so each index must fill its file exactly.
    """
    prefix = f"{array.path}/" if array.path else ""
    length = (array.shards or array.chunks)[0] // array.chunks[0]

    async def whole(number: int, keys: Collection[str]) -> bool:
        key = shard_key(array, number)
        if key not in keys:
            return False
        low, high = shard_rows(array, number)
        size = await array.store.getsize(prefix + key)
        tail = SuffixByteRequest(shard_index.size(length))
        found = await array.store.get(prefix + key, default_buffer_prototype(), tail)
        return found is not None and shard_index.fills(found.to_bytes(), size, length, high - low)

    async def missing() -> list[int]:
        keys = {key.removeprefix(prefix) async for key in array.store.list_prefix(f"{prefix}c/")}
        if array.shards is None:  # a column: its chunks have no index, and are too small to be cut
            return [number for number in range(shard_count(array)) if shard_key(array, number) not in keys]
        return [number for number in range(shard_count(array)) if not await whole(number, keys)]

    return list(sync(missing()))
