"""Arrays of pictures by tensorstore: many rows in one read, whole shards encoded. Its only importer.

tensorstore takes a third of a second to load, so it is loaded where it is first used.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DamageError, StoreError
from pipeline.store import arrays, cloud

if TYPE_CHECKING:
    import tensorstore


class _Threads:
    """Whether tensorstore's threads run in this process, or were lost in the fork that began it."""

    run, lost = False, False

    @classmethod
    def forked(cls) -> None:
        cls.run, cls.lost = False, cls.run or cls.lost


if hasattr(os, "register_at_fork"):  # Windows knows no fork
    os.register_at_fork(after_in_child=_Threads.forked)


def usable() -> bool:
    """Tell whether arrays can be opened here: in a process forked from one that did, reading would hang."""
    return not _Threads.lost


def context(cache: int = 0, threads: int | None = None) -> "tensorstore.Context":
    """Return what arrays that are opened with it share.

    Parameters
    ----------
    cache : int
        Bytes kept of what was read.
    threads : int, optional
        That decode; None for one a core.
    """
    import tensorstore

    settings: dict[str, Any] = {"cache_pool": {"total_bytes_limit": cache}}
    return tensorstore.Context(settings | ({"data_copy_concurrency": {"limit": threads}} if threads else {}))


def open_array(location: str, path: str, shared: "tensorstore.Context") -> Any:
    """Open one array of a store for reading; a chunk that is not there is an error, never its fill value.

    Parameters
    ----------
    location : str
        Path of the store, or URL.
    path : str
        Of the array inside it.
    shared : tensorstore.Context
        From `context`.

    Raises
    ------
    StoreError
        There is no such array.
    """
    place = _place(location, path)  # before tensorstore is loaded, which reads its time limits then
    import tensorstore

    _Threads.run = True
    spec = {
        "driver": "zarr3",
        "kvstore": place,
        "fill_missing_data_reads": False,  # a lost shard must never read as "nothing manipulated"
        "recheck_cached_data": "open",
        "recheck_cached_metadata": "open",
    }
    try:
        return tensorstore.open(spec, open=True, read=True, context=shared).result()
    except (ValueError, OSError, RuntimeError) as error:
        if cloud.is_away(error):
            raise cloud.told(location, error) from error
        raise StoreError(f"{path} in {location} cannot be opened: {reason(error)}.") from error


def reads(location: str) -> bool:
    """Tell whether tensorstore knows the kind of place: all but Azure's."""
    return arrays.is_local(location) or cloud.for_tensorstore(location, "") is not None


def _place(location: str, path: str) -> Any:
    """Return tensorstore's specification of a folder of a store."""
    if arrays.is_local(location):
        return {"driver": "file", "path": f"{Path(location).resolve()}/{path}/"}
    return cloud.for_tensorstore(location, path)


def write_shard(array: arrays.Array, number: int, values: NDArray[Any]) -> None:
    """Write one whole shard in one atomic step; `values` has shape (rows of the shard, ...).

    The bytes are those that zarr writes, in a third of its time.

    Raises
    ------
    StoreError
        The values are not exactly the shard's rows: a part-written shard would race with its other writer. Or this
        process was forked from one that has read pixels.
    """
    low, high = arrays.shard_rows(array, number)
    if values.shape != (high - low, *array.shape[1:]):
        raise StoreError(f"{array.name}: shard {number} holds rows {low} to {high}, not {values.shape[0]} rows.")
    if not usable():
        raise StoreError(f"{array.name}: a process that was forked cannot write; start it by spawn.")
    arrays.put_shard(array, number, _encoded(array, number, values.astype(array.dtype, copy=False)))


def _encoded(array: arrays.Array, number: int, values: NDArray[Any]) -> bytes:
    """Return the bytes of a shard that holds nothing but these rows."""
    import tensorstore

    _Threads.run = True
    shared, memory = context(threads=1), {"driver": "memory"}
    files = tensorstore.KvStore.open(memory, context=shared).result()
    files.write("zarr.json", arrays.metadata_of(array)).result()
    spec = {"driver": "zarr3", "kvstore": memory, "store_data_equal_to_fill_value": True}
    opened = tensorstore.open(spec, open=True, context=shared).result()
    opened[slice(*arrays.shard_rows(array, number))].write(values).result()
    return bytes(files.read(arrays.shard_key(array, number)).result().value)


def reason(error: Exception) -> str:
    """Return what tensorstore says of an error, without the lines of its source."""
    return str(error).split(" [source locations", 1)[0]


def gather(array: arrays.Array, rows: slice | NDArray[Any]) -> NDArray[Any]:
    """Read rows of an array of pictures in one go, several times faster than `read`.

    Parameters
    ----------
    array : Array
    rows : slice or ndarray of shape (n,), int64
        In any order.

    Returns
    -------
    ndarray of shape (n, ...)

    Raises
    ------
    DamageError
        A chunk is missing or does not match its checksum.
    """
    root = getattr(array.store, "root", None)
    if not isinstance(root, Path) or not usable():  # a bucket's address and keys are zarr's to know
        return arrays.read(array, rows)
    opened = open_array(str(root), array.path, context(threads=1))
    try:
        return np.asarray(opened[rows].read().result())
    except (ValueError, OSError, RuntimeError) as error:
        raise DamageError(f"{array.path} in {array.store} cannot be read back: {reason(error)}.") from error
