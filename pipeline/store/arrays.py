"""Zarr v3 groups on disk or in a bucket: create, write, read back. The only importer of zarr."""

import shutil
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import SuffixByteRequest
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.dtype import VariableLengthUTF8
from zarr.errors import ZarrUserWarning

from pipeline.config import Chunking
from pipeline.errors import AwayError, DamageError, StoreError, first_line
from pipeline.files import flush
from pipeline.store import cloud, shard_index
from pipeline.store.bucket import Bucket
from pipeline.store.schema import FORMAT_VERSION, ArraySpec
from pipeline.store.writing import writing

# a chunk that is not there is a loss, never a fill value; zarr forgets it of an array that is opened again
zarr.config.set({"array.write_empty_chunks": True})

Array = zarr.Array[Any]
Group = zarr.Group
PROBE = "probe"  # key of an object that is deleted at once
COLUMN_CHUNK = 1 << 16  # rows in one chunk of an array that is no picture
BLENDS, REJECTS, CHECKS = "blend", "rejected", "checks"  # groups inside a store


def is_local(location: str) -> bool:
    """Tell a path from a URL such as `s3://bucket/name.zarr`."""
    return "://" not in location


def absolute(location: str) -> str:
    """Return a location that means the same in every working folder."""
    return str(Path(location).absolute()) if is_local(location) else location


def connect(location: str) -> Any:
    """Return zarr's own store object for a path or a URL."""
    if is_local(location):
        return zarr.storage.LocalStore(location)
    return Bucket(cloud.connect(location), location=location)


def exists(location: str) -> bool:
    """Tell whether there is a Zarr group at a location."""
    if is_local(location):
        return (Path(location) / "zarr.json").is_file()
    return bool(sync(connect(location).exists("zarr.json")))


def occupied(location: str) -> bool:
    """Tell whether there is anything at a location, so that making a store would delete somebody's files."""
    if is_local(location):
        path = Path(location)
        return path.is_file() or (path.is_dir() and any(path.iterdir()))

    async def first() -> bool:
        async for _ in connect(location).list():
            return True
        return False

    return bool(sync(first()))


def check_writable(location: str) -> None:
    """Write and delete one small object, so that a run learns at its start that a bucket refuses it.

    Raises
    ------
    WriteError
        The bucket is not there, or not ours to write.
    """
    with writing(location):
        place = connect(location)
        sync(place.set(PROBE, default_buffer_prototype().buffer.from_bytes(b"writable")))
        sync(place.delete(PROBE))


def read_text(location: str, key: str) -> str | None:
    """Return one small file of a store as text, also one that is no valid metadata; None where it is not there."""
    try:
        found = sync(connect(location).get(key, default_buffer_prototype()))
    except AwayError:
        raise
    except OSError as error:
        raise StoreError(f"{location} cannot be read: {first_line(error)}.") from error
    return None if found is None else found.to_bytes().decode("utf-8", errors="replace")


def write_text(location: str, key: str, text: str) -> None:
    """Replace one small file of a store."""
    with writing(location):
        sync(connect(location).set(key, default_buffer_prototype().buffer.from_bytes(text.encode())))
        if is_local(location):
            flush(Path(location) / key)


def create(location: str, attributes: Mapping[str, Any]) -> Group:
    """Make an empty group, or empty the one that is there, and return it open for writing."""
    with writing(location):
        return zarr.create_group(connect(location), attributes=dict(attributes), zarr_format=3, overwrite=True)


def open_group(location: str, mode: str = "r") -> Group:
    """Open an existing group.

    Raises
    ------
    StoreError
        Nothing is there, it is no group of ours, or it has another format version.
    """
    place = connect(location)
    try:
        # our own attributes change between stages: never through the consolidated copy, which serves other readers
        group = zarr.open_group(place, mode=mode, zarr_format=3, use_consolidated=False)  # type: ignore[arg-type]
    except (FileNotFoundError, zarr.errors.GroupNotFoundError):
        raise StoreError(f"There is no store at {location}; forgery-prep run makes one.") from None
    except AwayError:
        raise
    except (ValueError, KeyError, OSError) as error:
        raise StoreError(f"The store {location} cannot be opened: {first_line(error)}.") from error
    version = group.attrs.get("format_version")
    if version != FORMAT_VERSION:
        raise StoreError(f"{location} has format version {version}; this program reads version {FORMAT_VERSION}.")
    return group


def array_of(group: Group, path: str) -> Array:
    """Return one array of a group, or of a group inside it.

    Raises
    ------
    StoreError
        It is not there.
    """
    found = group.get(path)
    if not isinstance(found, zarr.Array):
        raise StoreError(f"{group.store_path} has no array {path}; forgery-prep labels adds label kinds.")
    return found


def group_of(group: Group, name: str) -> Group:
    """Return a group inside another."""
    found = group[name]
    assert isinstance(found, zarr.Group)
    return found


def attributes_of(item: Group | Array) -> dict[str, Any]:
    """Return the attributes of a group or an array as plain values."""
    return dict(item.attrs.asdict())


def meanings(group: Group, name: str) -> list[str]:
    """Return what the numbers of a column mean."""
    return list(attributes_of(array_of(group, name))["flag_meanings"])


def dimensions_of(array: Array) -> tuple[str | None, ...] | None:
    """Return the names of an array's dimensions."""
    return getattr(array.metadata, "dimension_names", None)


def add_array(group: Group, spec: ArraySpec, lengths: Mapping[str, int], chunking: Chunking, **more: Any) -> Array:
    """Make one empty array as its specification says, replacing one of the same name.

    Parameters
    ----------
    group : zarr.Group
    spec : ArraySpec
    lengths : mapping
        Length of each dimension.
    chunking : Chunking
    **more
        Further attributes, such as `parameters` and `flag_meanings`.
    """
    shape = tuple(lengths[dim] for dim in spec.dims)
    text = spec.dtype == "string"
    if spec.sharded:
        chunks = (1, *shape[1:])
        shards = (min(chunking.shard, max(shape[0], 1)), *shape[1:])
    else:
        chunks, shards = (min(COLUMN_CHUNK, max(shape[0], 1)), *shape[1:]), None
    attributes: dict[str, Any] = {"description": spec.description, "units": spec.units, "reference": spec.reference}
    pack = BloscCodec(cname="zstd", clevel=chunking.level, shuffle="noshuffle" if text else "bitshuffle")
    with writing(str(group.store_path)):
        return group.create_array(
            spec.name,
            shape=shape,
            chunks=chunks,
            shards=shards,
            dtype=VariableLengthUTF8() if text else spec.dtype,  # type: ignore[arg-type]  # zarr forgets its own text type
            fill_value=float("nan") if spec.fill == "NaN" else spec.fill,
            compressors=[pack, Crc32cCodec()],
            dimension_names=spec.dims,
            attributes={**attributes, "parameters": {}, **spec.attributes, **more},
            overwrite=True,
        )


def write_column(group: Group, name: str, values: Any) -> None:
    """Write a whole array that is no picture."""
    array = array_of(group, name)
    with writing(str(group.store_path)):
        array[...] = np.asarray(values, dtype=object if array.dtype.kind in "OT" else array.dtype)


def write_table(
    group: Group, specs: Sequence[ArraySpec], columns: Mapping[str, Sequence[Any]], chunking: Chunking
) -> None:
    """Make and write arrays that share one dimension, all with the same number of entries."""
    for spec in specs:
        values = columns[spec.name]
        add_array(group, spec, dict(zip(spec.dims, np.shape(values), strict=True)), chunking)
        write_column(group, spec.name, values)


def subgroup(group: Group, name: str, **attributes: Any) -> Group:
    """Make an empty group inside another, replacing one of the same name."""
    with writing(str(group.store_path)):
        return group.create_group(name, overwrite=True, attributes=attributes)


def delete_group(group: Group, name: str) -> None:
    """Delete a group inside another, if it is there."""
    with writing(str(group.store_path)):
        if name in group:
            del group[name]


def delete(location: str) -> None:
    """Delete a store with all its data."""
    with writing(location):
        if is_local(location):
            shutil.rmtree(location)
        else:
            sync(connect(location).clear())


def shard_count(array: Array) -> int:
    """Return how many shards an array has along its samples."""
    return -(-array.shape[0] // (array.shards or array.chunks)[0])


def shard_rows(array: Array, number: int) -> tuple[int, int]:
    """Return the first row of an array's shard and the row after its last."""
    length = (array.shards or array.chunks)[0]
    return number * length, min(array.shape[0], (number + 1) * length)


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


def shard_key(array: Array, number: int) -> str:
    """Return the name of the file of one shard, below its array."""
    return "/".join(["c", str(number), *["0"] * (array.ndim - 1)])


def metadata_of(array: Array) -> bytes:
    """Return the metadata file of an array."""
    return array.metadata.to_buffer_dict(default_buffer_prototype())["zarr.json"].to_bytes()


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


def clean(location: str) -> None:
    """Delete the half-written files that a killed run left in a local store."""
    if is_local(location):
        for file in Path(location).rglob("*.partial"):
            file.unlink(missing_ok=True)


def read(array: Array, rows: slice | Sequence[int] | NDArray[Any] = slice(None)) -> NDArray[Any]:
    """Read rows of an array: an array of shape (rows asked for, ...).

    Raises
    ------
    DamageError
        A chunk is missing or does not match its checksum.
    """
    try:
        if isinstance(rows, slice):
            values = np.asarray(array[rows])
            return values.astype(object) if values.dtype.kind == "T" else values
        # one by one: fancy indexing of a sharded array is many times slower
        picked = [np.asarray(array[int(row)]) for row in rows]
    except AwayError:
        raise
    except (ValueError, OSError, RuntimeError, KeyError) as error:
        raise DamageError(f"{array.path} in {array.store} cannot be read back: {first_line(error)}.") from error
    return np.stack(picked) if picked else np.empty((0, *array.shape[1:]), dtype=array.dtype)


def read_columns(group: Group) -> dict[str, NDArray[Any]]:
    """Read every array of a group that holds no pictures, each of shape (rows, ...)."""
    return {name: read(array) for name, array in sorted(group.arrays()) if array.shards is None}


def every_array(group: Group) -> list[tuple[str, Array]]:
    """Return all arrays of a group and its groups but `checks`, with their paths, in the order of their names."""
    groups = [(name, members) for name, members in group.groups() if name != CHECKS]
    inside = [(f"{name}/{inner}", array) for name, members in groups for inner, array in members.arrays()]
    return sorted([*group.arrays(), *inside])


def consolidate(location: str, **attributes: Any) -> None:
    """Write the copy of all metadata that lets xarray open the store without asking for each array.

    Attributes of the root are set afterwards: they say that the copy is there.
    """
    with writing(location), warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)  # consolidated metadata is not in the v3 specification yet
        zarr.consolidate_metadata(connect(location), zarr_format=3).attrs.update(attributes)
