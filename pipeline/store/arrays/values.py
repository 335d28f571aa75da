"""Arrays as their specifications say: made, written as a whole, read."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.dtype import VariableLengthUTF8

from pipeline.config import Chunking
from pipeline.errors import AwayError, DamageError, first_line
from pipeline.store.arrays.groups import Array, Group, array_of
from pipeline.store.schema import ArraySpec
from pipeline.store.writing import writing

# a chunk that is not there is a loss, never a fill value; zarr forgets it of an array that is opened again
zarr.config.set({"array.write_empty_chunks": True})

COLUMN_CHUNK = 1 << 16  # rows in one chunk of an array that is no picture


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
    shuffle: Literal["noshuffle", "bitshuffle"] = "noshuffle" if text else "bitshuffle"
    pack = BloscCodec(cname=chunking.codec, clevel=chunking.level, shuffle=shuffle)  # type: ignore[arg-type]
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


def dimensions_of(array: Array) -> tuple[str | None, ...] | None:
    """Return the names of an array's dimensions."""
    return getattr(array.metadata, "dimension_names", None)


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
