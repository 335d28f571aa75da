"""Rows of a store as a `torch.utils.data.Dataset`, for networks and training loops of one's own."""

import os
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from models.data.loader import Loading
from models.data.row_table import NO_ROW, Choice, Table, choose
from models.data.store_reader import Reader, columns_of, open_store
from pipeline.errors import ConfigError, StoreError
from pipeline.labels import LABELS

Item = dict[str, Any]
KEYS = ("label", "row", "video")  # columns of every item


class StoreDataset(Dataset[Any]):
    """Rows of one store, chosen by name.

    It can be pickled, and it opens the store in each process that reads from it, so it works behind a `DataLoader`
    with workers of either start method (`fork`, `spawn`) and under a `DistributedSampler`. A `DataLoader` asks for a
    batch at once (`__getitems__`), which is one read of each array. Workers forked from a process that has read pixels
    itself give the same values more slowly, since the faster reader's threads do not survive a fork.

    Parameters
    ----------
    location : str
        Path or URL of a finished store.
    arrays : collection of str
        Contents of an item besides `label`, `row` and `video`: `image`, label kinds, and columns such as `landmarks`
        or `box`.
    split : str
        `train`, `val` or `test`; empty: all.
    methods : collection of str
        Only fakes of these methods, and all reals; empty: all.
    compression : str
        Empty: all.
    pairs : bool
        Whether an item also holds `pair`, the crop of the real face of the same frame and compression (a real's is
        its own); rows without one are left out.
    blends : bool
        Whether the store's blends follow its own rows, as fakes; maps that a blend does not have are unknown.
    transform : callable, optional
        Called with an item; its result takes the item's place. For `spawn` it must be importable, not a lambda.

    Attributes
    ----------
    table : Table
        Method, compression, split and more of each row, in the order of the indexes.

    Raises
    ------
    StoreError
        There is no finished store, or no row fits.
    ConfigError
        The store has no such array.

    Notes
    -----
    An item is a dict of str to:

    * `image`, `pair`: ndarray of shape (H, W, 3), uint8, RGB, 0..255;
    * `ssim`, `mask`, `hull`, `boundary`: ndarray of shape (H, W), uint8, 1 = manipulated, 255 = unknown;
    * `noise`: ndarray of shape (H, W), int16, times 0.125 grey levels, -32768 = unknown;
    * columns: as stored;
    * `label`: int, 0 real, 1 fake; `row`: int, row of the store or of its group `blend`; `video`: int.

    A map may have ones in a row whose label is 0 (too few pixels changed for a fake); treat such a map as all 0.
    """

    def __init__(
        self,
        location: str,
        *,
        arrays: Collection[str] = ("image",),
        split: str = "",
        methods: Collection[str] = (),
        compression: str = "",
        pairs: bool = False,
        blends: bool = False,
        transform: Callable[[Item], Any] | None = None,
    ) -> None:
        self.location, self.transform, self.pairs = str(location), transform, pairs
        about = columns_of(self.location)  # without the reader of pixels, which would not survive a fork
        self.maps, columns = _named(about, tuple(dict.fromkeys(arrays)), blends)
        self.images = "image" in arrays
        choice = Choice(split=split, compression=compression, methods=tuple(methods))
        table = choose([about], choice, blends=blends)
        self.table: Table = table.take(table.origin != NO_ROW) if pairs else table
        if not len(self.table):
            raise StoreError(f"No chosen row of {location} has a real face beside it: ask without pairs.")
        self.columns = {name: about.columns[name][self.table.row] for name in columns}
        self._reader: tuple[int, Reader] | None = None

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> Any:
        """Return one item; negative indexes count from the end."""
        return self.__getitems__([index])[0]

    def __getitems__(self, indexes: Sequence[int]) -> list[Any]:
        """Return several items by one read of each array.

        Raises
        ------
        IndexError
            There is no such row.
        DamageError
            A chunk is missing or damaged.
        """
        values = self._values(np.asarray(indexes, dtype=np.int64))
        plain = {name: of.tolist() if name in KEYS else of for name, of in values.items()}
        items = [{name: of[place] for name, of in plain.items()} for place in range(len(indexes))]
        return items if self.transform is None else [self.transform(item) for item in items]

    def to_arrays(self, indexes: Sequence[int] | None = None) -> dict[str, NDArray[Any]]:
        """Return items as arrays with one entry an item, as scikit-learn takes them.

        Parameters
        ----------
        indexes : sequence of int, optional
            Of the items; all of them by default, which have to fit into memory.

        Returns
        -------
        dict of str to ndarray
            What an item holds, each of shape (n, ...) and in its own dtype; `transform` is not applied.

        Raises
        ------
        IndexError
            There is no such row.
        DamageError
            A chunk is missing or damaged.
        """
        return self._values(np.arange(len(self)) if indexes is None else np.asarray(indexes, dtype=np.int64))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_reader": None}

    def _values(self, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        if ((rows < -len(self)) | (rows >= len(self))).any():
            raise IndexError(f"Indexes of this dataset are below {len(self)}.")
        rows = rows % len(self)
        values = self._pixels(rows) | {name: column[rows] for name, column in self.columns.items()}
        return values | {name: getattr(self.table, name)[rows] for name in KEYS}

    def _pixels(self, rows: NDArray[np.int64]) -> dict[str, Any]:
        if not len(rows) or not (self.images or self.maps or self.pairs):
            return {}
        reader = self._open()
        pair = reader.start("image", self.table.origin[rows]) if self.pairs else None
        found: dict[str, Any] = {}
        if self.images or self.maps:
            part = Loading([reader], self.maps).load(self.table, rows).parts[0]
            found = {name: tensor.numpy() for name, tensor in part.arrays.items() if self.images or name != "image"}
        return found | ({"pair": reader.finish("image", pair)} if self.pairs else {})

    def _open(self) -> Reader:
        """Open the store once in each process: a reader opened before a fork does not work after it."""
        if self._reader is None or self._reader[0] != os.getpid():
            self._reader = (os.getpid(), open_store(self.location))
        return self._reader[1]


def _named(about: Reader, arrays: Sequence[str], blends: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide the arrays asked for into maps and columns; rows of blends have no columns."""
    rows = len(about)
    known = {"image", *(kind for kind in LABELS if kind in about.pixels)}
    own = set() if blends else {name for name, of in about.columns.items() if len(of) == rows and "video_" not in name}
    for name in arrays:
        if name not in known | own:
            there = ", ".join(sorted(known | own))
            raise ConfigError(f"{about.location} has no array {name} for these rows; it has {there}.")
    maps = tuple(name for name in arrays if name in LABELS)
    return maps, tuple(name for name in arrays if name in own and name not in ("label", "video"))
