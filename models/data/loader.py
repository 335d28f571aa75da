"""Loader: rows of stores are read into batches in memory, one gather per array, ahead of their use by threads."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.data.corruptions import Perturbation
from models.data.online_blends import Blender
from models.data.row_table import FAKE, Ints, Table
from models.data.store_reader import Reader
from pipeline import store
from pipeline.blend import Blend
from pipeline.labels import LABELS, NO_LABEL

THREADS, AHEAD = 2, 4  # threads that read batches, and batches read before they are needed
UNKNOWN = np.iinfo(np.int16).min  # value of a residual that does not exist
Pixels = NDArray[np.uint8]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class Part:
    """Rows of a batch whose crops have the same size.

    Attributes
    ----------
    places : ndarray of int64
        Places of the rows in the batch.
    arrays : dict of str to Tensor
        `image`, `twin` (n, H, W, 3) uint8; maps (n, H, W) uint8, 255 = unknown; `noise` (n, H, W) int16 in the
        store's units, `UNKNOWN` where there is none.
    content : ndarray of shape (n, 4), float32
        Left, top, right, bottom of the part of a crop that shows its frame, crop pixels: all but letterbox padding.
    """

    places: Ints
    arrays: dict[str, Tensor]
    content: NDArray[np.float32]


@dataclass
class Loaded:
    """One batch in memory.

    Attributes
    ----------
    rows : ndarray of shape (B,), int64
        Rows of the table.
    label, target, source : Tensor of shape (B,), int64
        The columns of the table of those names.
    parts : list of Part
        Pixels, by the size of the crops.
    """

    rows: Ints
    label: Tensor
    target: Tensor
    source: Tensor
    parts: list[Part]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Loading:
    """Reader of batches: the stores, and the arrays and degradations of each row.

    Attributes
    ----------
    readers : sequence of Reader
        In the order of the table's store numbers.
    maps : sequence of str
        Maps to read.
    twin : bool
        Whether twins are read as well.
    process : sequence of Perturbation
        Applied to every image and twin, in this order.
    blenders : sequence of Blender
        One for each store, where blends are made anew.
    pin : bool
        Whether batches are in pinned memory, from which copies to a GPU are asynchronous.
    image : callable, optional
        Replaces the stored images of rows of one store: (store, rows) -> (n, H, W, 3) uint8.
    """

    readers: Sequence[Reader]
    maps: Sequence[str] = ()
    twin: bool = False
    process: Sequence[Perturbation] = ()
    blenders: Sequence[Blender] = ()
    pin: bool = False
    image: Callable[[int, Ints], Pixels] | None = field(default=None, repr=False)

    def load(self, table: Table, rows: Ints, blends: Sequence[Blend] = ()) -> Loaded:
        """Return a batch of some rows of a table.

        Parameters
        ----------
        table : Table
        rows : ndarray of shape (B,), int64
            Rows of the table.
        blends : sequence of Blend
            Blends made anew, by their `row` in the table.

        Raises
        ------
        DamageError
            A chunk is missing or damaged.
        """
        some = table.take(rows)
        sizes = np.array([self.readers[number].size for number in some.store])
        parts = [self._part(some, np.flatnonzero(sizes == size), int(size), blends) for size in np.unique(sizes)]
        tensors = {name: torch.from_numpy(getattr(some, name)) for name in ("label", "target", "source")}
        return Loaded(rows, **{name: self._pinned(tensor) for name, tensor in tensors.items()}, parts=parts)

    def _part(self, some: Table, places: Ints, size: int, blends: Sequence[Blend]) -> Part:
        count = len(places)
        arrays: dict[str, NDArray[Any]] = {"image": np.empty((count, size, size, 3), np.uint8)}
        if self.twin:
            arrays["twin"] = np.empty((count, size, size, 3), np.uint8)
        for name in self.maps:
            kind = LABELS[name].dtype
            arrays[name] = np.full((count, size, size), UNKNOWN if kind == "int16" else NO_LABEL, kind)
        content = np.tile(np.array([0, 0, size, size], np.float32), (count, 1))
        part = some.take(places)
        for number, reader in enumerate(self.readers):
            own = np.flatnonzero((part.store == number) & (part.source <= FAKE))
            made = np.flatnonzero((part.store == number) & (part.source > FAKE))
            self._stored(arrays, own, number, part.row[own], part.twin[own])
            content[own] = _content(reader, part.row[own])
            if self.blenders and len(made):
                planned = [blends[row] for row in part.row[made]]
                self._live(arrays, made, self.blenders[number], planned)
                content[made] = _content(reader, np.array([each.outside for each in planned]))
            elif len(made):
                self._blends(arrays, made, reader, part.row[made])
                content[made] = _content(reader, reader.blends["outside"][part.row[made]])
        self._process(arrays, part)
        return Part(places, {name: self._pinned(torch.from_numpy(values)) for name, values in arrays.items()}, content)

    def _stored(self, arrays: dict[str, NDArray[Any]], to: Ints, number: int, rows: Ints, twins: Ints) -> None:
        """Read stored rows; the reads of all arrays are started before the first is waited for."""
        if not len(to):
            return
        reader = self.readers[number]
        wanted = {name: ("image" if name == "twin" else name, twins if name == "twin" else rows) for name in arrays}
        if self.image is not None:
            arrays["image"][to] = self.image(number, rows)
            del wanted["image"]
        reading = {
            name: (array, reader.start(array, of)) for name, (array, of) in wanted.items() if array in reader.pixels
        }
        for name, (array, each) in reading.items():
            arrays[name][to] = reader.finish(array, each)

    def _blends(self, arrays: dict[str, NDArray[Any]], to: Ints, reader: Reader, rows: Ints) -> None:
        paths = {name: f"{store.BLENDS}/{name}" for name in arrays}
        reading = {name: reader.start(path, rows) for name, path in paths.items() if path in reader.pixels}
        for name, each in reading.items():
            arrays[name][to] = reader.finish(paths[name], each)

    def _live(self, arrays: dict[str, NDArray[Any]], to: Ints, blender: Blender, planned: Sequence[Blend]) -> None:
        for place, each in zip(to.tolist(), planned, strict=True):
            made = blender.render(each)
            if made is None:  # no distortion left a mask: the background's face, blended with nothing, is no fake
                made = next(again for again in map(blender.render, _reseeded(each)) if again is not None)
            arrays["image"][place] = made[0]
            for name in set(arrays) & set(made[1]):
                arrays[name][place] = made[1][name]

    def _process(self, arrays: dict[str, NDArray[Any]], part: Table) -> None:
        for name in {"image", "twin"} & set(arrays):
            for step in self.process:
                for place, row in enumerate(part.row.tolist()):
                    arrays[name][place] = step(arrays[name][place], row)

    def _pinned(self, tensor: Tensor) -> Tensor:
        return tensor.pin_memory() if self.pin else tensor


def ahead(items: Iterable[Item], work: Callable[[Item], Result], threads: int = THREADS) -> Iterator[Result]:
    """Yield the results of work on items, in their order; threads compute a few of them ahead."""
    source = iter(items)
    waiting: list[Future[Result]] = []
    pool = ThreadPoolExecutor(threads, thread_name_prefix="read")
    try:
        for item in source:
            waiting.append(pool.submit(work, item))
            if len(waiting) > AHEAD:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()
    finally:
        pool.shutdown(cancel_futures=True)


def in_order(count: int, size: int) -> list[Ints]:
    """Return the numbers below `count`, in order, as arrays of shape (n,) with n at most `size`."""
    return [np.arange(low, min(low + size, count), dtype=np.int64) for low in range(0, count, size)]


def _reseeded(planned: Blend) -> Iterator[Blend]:
    for more in range(1, 1000):
        yield Blend(planned.kind, planned.inside, planned.outside, (planned.seed + more) % 2**31)


def _content(reader: Reader, rows: Ints) -> NDArray[np.float32]:
    """Return the part of each crop that shows its frame, (n, 4): left, top, right, bottom in crop pixels."""
    size = reader.size
    if reader.recipe.cropping.fit != "letterbox":
        return np.tile(np.array([0, 0, size, size], np.float32), (len(rows), 1))
    columns = reader.columns
    left, top, right, bottom = columns["box"][rows].astype(np.float64).T
    width, height = (columns[name][columns["video"][rows]] for name in ("video_width", "video_height"))
    step = np.maximum(right - left, bottom - top) / size
    starts = [(low + high - step * size) / 2 for low, high in ((left, right), (top, bottom))]
    edges = [
        np.maximum(left, 0) - starts[0],
        np.maximum(top, 0) - starts[1],
        np.minimum(right, width) - starts[0],
        np.minimum(bottom, height) - starts[1],
    ]
    return np.asarray(np.clip(np.stack(edges, 1) / step[:, None], 0, size), np.float32)
