"""Under which conditions rows are judged: as stored, degraded, re-encoded, or manipulated in one region alone."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.data.corruptions import Perturbation, parse, reencode, sweep
from models.data.row_table import Ints, Table
from models.data.store_reader import Reader
from models.evaluation.partial_forgery import REGIONS, paste, region_mask
from pipeline.errors import ConfigError, StoreError
from pipeline.store.schema import NO_PAIR

CLEAN = "clean"
CLIPS = 8  # re-encoded videos kept
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Condition:
    """One condition: its name, the rows it applies to, and how their images come about."""

    name: str
    table: Table
    steps: tuple[Perturbation, ...] = ()
    image: Callable[[int, Ints], Pixels] | None = None

    @property
    def labelled(self) -> bool:
        """Whether the stored pixel labels still hold."""
        return not self.name.startswith("partial:")


def conditions(
    readers: Sequence[Reader], table: Table, perturb: Sequence[str], partial: Sequence[str]
) -> list[Condition]:
    """Return the stored rows and everything asked for beside them.

    Parameters
    ----------
    readers : sequence of Reader
    table : Table
    perturb : sequence of str
        `KIND:STRENGTH`, or `KIND` alone for the papers' sweep.
    partial : sequence of str
        Regions; `all` for each of them.

    Raises
    ------
    ConfigError
        An unknown kind, strength or region.
    StoreError
        No fake has the landmarks and the real that a partial manipulation takes.
    """
    steps = [one for text in perturb for one in ([parse(text)] if ":" in text else sweep(text))]
    found = [Condition(CLEAN, table)]
    for step in steps:
        if step.clip:
            found.append(Condition(str(step), table, image=Clips(readers, table, step.strength).images))
        else:
            found.append(Condition(str(step), table, (step,)))
    names = list(REGIONS) if "all" in partial else list(partial)
    if unknown := sorted(set(names) - set(REGIONS)):
        raise ConfigError(f"There is no region {', '.join(unknown)}; known are {', '.join(REGIONS)} and all.")
    return found + [_partial(readers, table, name) for name in names]


@dataclass
class Clips:
    """Videos' crops, re-encoded as clips of all rows judged, the latest few kept."""

    readers: Sequence[Reader]
    table: Table
    crf: float
    _kept: "OrderedDict[int, dict[int, Pixels]]" = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def images(self, store: int, rows: Ints) -> Pixels:
        """Return the re-encoded images of rows of a store."""
        columns = self.readers[store].columns
        with self._lock:
            return np.stack([self._clip(store, int(columns["video"][row]))[int(row)] for row in rows])

    def _clip(self, store: int, video: int) -> dict[int, Pixels]:
        mine = (self.table.store == store) & (self.readers[store].columns["video"][self._rows(store)] == video)
        key = int(self.table.video[np.flatnonzero(mine)[0]])
        if key not in self._kept:
            rows = self.table.row[mine]
            rows = rows[np.argsort(self.readers[store].columns["frame"][rows], kind="stable")]
            again = reencode(self.readers[store].gather("image", rows), self.crf)
            self._kept[key] = dict(zip(rows.tolist(), again, strict=True))
        while len(self._kept) > CLIPS:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _rows(self, store: int) -> Ints:
        """Return the table's rows, those of other stores as 0."""
        return np.where(self.table.store == store, self.table.row, 0)


def _partial(readers: Sequence[Reader], table: Table, name: str) -> Condition:
    """Return the condition in which fakes are forged in one region alone; fakes without pair or landmarks drop out."""
    usable = np.zeros(len(table), dtype=bool)
    for number, reader in enumerate(readers):
        here = np.flatnonzero(table.store == number)
        rows = table.row[here]
        known = np.isfinite(reader.columns["landmarks"][rows]).all(axis=(1, 2))
        usable[here] = (table.label[here] == 0) | (known & (reader.columns["real"][rows] != NO_PAIR))
    some = table.take(usable)
    if not some.label.any():
        raise StoreError("No fake of these rows has landmarks and a real: there is nothing to manipulate in part.")

    def images(store: int, rows: Ints) -> Pixels:
        reader = readers[store]
        result = reader.gather("image", rows)
        fake = np.flatnonzero(reader.columns["label"][rows] == 1)
        reals = reader.gather("image", reader.columns["real"][rows[fake]])
        for place, real in zip(fake.tolist(), reals, strict=True):
            mask = region_mask(name, reader.columns["landmarks"][rows[place]], reader.size)
            result[place] = paste(result[place], real, mask)
        return result

    return Condition(f"partial:{name}", some, image=images)
