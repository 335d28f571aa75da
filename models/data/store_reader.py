"""Store reader: any rows of an array in one gather, for training and evaluation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.config import Recipe
from pipeline.errors import AwayError, DamageError, StoreError
from pipeline.store import pictures
from pipeline.store.hashing import combined_digest

CACHE = 64 << 20  # bytes; enough for the shards' indexes, so that each is read once
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Reader:
    """One store, open for reading.

    Attributes
    ----------
    location : str
        Path or URL.
    attributes : mapping
        Attributes of the root group.
    recipe : Recipe
        Recipe that the store was made with.
    columns, blends, rejects : mapping of str to ndarray
        The columns of the root group, of its blends and of its rejects; empty where there is no such group.
    names : mapping of str to list of str
        `flag_meanings` of `method`, `split` and `compression`: the names of their numbers in this store.
    pixels : mapping of str to tensorstore.TensorStore
        Arrays with a picture per row, (rows, H, W) or (rows, H, W, 3); those of the blends as `blend/...`.
    """

    location: str
    attributes: Mapping[str, Any]
    recipe: Recipe
    columns: Columns
    blends: Columns
    rejects: Columns
    names: Mapping[str, list[str]]
    pixels: Mapping[str, Any] = field(repr=False)

    def __len__(self) -> int:
        return len(self.columns["label"])

    @property
    def dataset(self) -> str:
        """Name of the dataset the store was made from."""
        return str(self.attributes["dataset"])

    @property
    def digest(self) -> str:
        """One hash over all arrays' values."""
        return combined_digest(self.attributes["digests"])

    @property
    def size(self) -> int:
        """Side of a crop, pixels."""
        return int(self.pixels["image"].shape[1])

    @property
    def arrays(self) -> set[str]:
        """Names of all arrays, those of the blends as `blend/...`."""
        return {*self.columns, *self.pixels, *(f"{store.BLENDS}/{name}" for name in self.blends)}

    def start(self, name: str, rows: Sequence[int] | NDArray[np.int64]) -> Any:
        """Start reading rows, (n,) int64, of a picture array; `finish` returns them."""
        return self.pixels[name][np.asarray(rows, dtype=np.int64)].read()

    def finish(self, name: str, reading: Any) -> NDArray[Any]:
        """Wait for the rows of a `start`; return them, of shape (n, ...).

        Raises
        ------
        DamageError
            A shard is missing, or a chunk does not match its checksum; missing data is never read as zeros.
        AwayError
            The bucket does not answer.
        """
        try:
            return np.asarray(reading.result())
        except AwayError:
            raise
        except (ValueError, OSError, RuntimeError) as error:
            if store.is_away(error):
                raise store.told(self.location, error) from error
            raise DamageError(
                f"{name} in {self.location} cannot be read back ({pictures.reason(error)}); "
                "forgery-prep verify finds all damage."
            ) from error

    def gather(self, name: str, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
        """Return rows, (n,) int64, of a picture array in this order, of shape (n, ...); raises DamageError."""
        return self.finish(name, self.start(name, rows))


@dataclass(frozen=True)
class Plain:
    """Stand-in for a tensorstore array that reads row by row through `pipeline.store`, where tensorstore would hang."""

    array: store.Array
    rows: NDArray[np.int64] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""
        return tuple(self.array.shape)

    def __getitem__(self, rows: NDArray[np.int64]) -> "Plain":
        return Plain(self.array, rows)

    def read(self) -> "Plain":
        """Return itself; nothing is read ahead."""
        return self

    def result(self) -> NDArray[Any]:
        """Return the rows, of shape (n, ...); raises DamageError."""
        return store.read(self.array, self.rows if self.rows is not None else slice(None))


def open_store(location: str) -> Reader:
    """Open a store.

    In a process forked from one that has opened a store, tensorstore would hang; there a slower reader is used.

    Parameters
    ----------
    location : str
        Path, or URL such as `s3://bucket/name.zarr`.

    Raises
    ------
    StoreError
        There is no store, it has another format version, or its first run has not finished.
    """
    if not pictures.usable() or not pictures.reads(location):
        return columns_of(location)
    shared = pictures.context(CACHE)
    return _open(location, lambda path, array: pictures.open_array(location, path, shared))


def columns_of(location: str) -> Reader:
    """Open a store without tensorstore: processes forked later can open it, but pixels are read more slowly.

    Raises
    ------
    StoreError
        As `open_store`.
    """
    return _open(location, lambda path, array: Plain(array))


def _open(location: str, pixels: Callable[[str, store.Array], Any]) -> Reader:
    group = store.open_group(location)
    attributes = store.attributes_of(group)
    if not attributes.get("complete"):
        raise StoreError(f"{location} is unfinished; run the command that began it again and it goes on.")
    inner = {
        name: store.read_columns(store.group_of(group, name)) if name in group else {}
        for name in (store.BLENDS, store.REJECTS)
    }
    return Reader(
        location=location,
        attributes=attributes,
        recipe=store.stored_recipe(group),
        columns=store.read_columns(group),
        blends=inner[store.BLENDS],
        rejects=inner[store.REJECTS],
        names={name: store.meanings(group, name) for name in ("method", "split", "compression")},
        pixels={path: pixels(path, array) for path, array in store.every_array(group) if array.shards is not None},
    )
