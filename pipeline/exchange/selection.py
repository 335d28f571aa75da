"""Rows of a store that an export takes, and what is known of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.errors import ConfigError, StoreError
from pipeline.labels import LABELS
from pipeline.store.schema import IMAGE, NO_PAIR

BLOCK = 128  # rows in memory at once


@dataclass(frozen=True)
class Choice:
    """Names that an export is restricted to; an empty tuple restricts nothing."""

    split: tuple[str, ...] = ()
    method: tuple[str, ...] = ()
    compression: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()  # label kinds that are written; empty: those that the format takes


@dataclass(frozen=True)
class Face:
    """One row, in words."""

    row: int
    label: int  # 0 real, 1 fake
    method: str
    split: str
    compression: str
    video: int  # position along the dimension video
    frame: int
    person: int  # which of the faces of its real's frame, from 0
    real: int  # row of its real, -1 without


@dataclass(frozen=True, eq=False)
class Rows:
    """Chosen rows of one store.

    Attributes
    ----------
    columns : mapping of str to ndarray
        Of all rows, and of all videos.
    picked : ndarray of shape (n,), int64
        The chosen rows, increasing.
    arrays : mapping of str to store.Array
        `image` and the label kinds that are in the store.
    """

    location: str
    dataset: str
    names: store.Names
    columns: Mapping[str, NDArray[np.generic]]
    picked: NDArray[np.int64]
    persons: NDArray[np.int64]
    arrays: Mapping[str, store.Array]

    def face(self, row: int) -> Face:
        """Return one row in words."""
        label, video, frame, real = (int(self.columns[name][row]) for name in ("label", "video", "frame", "real"))
        method, split, compression = (
            str(getattr(self.names, name)[int(self.columns[name][row])]) for name in ("method", "split", "compression")
        )
        return Face(row, label, method, split, compression, video, frame, int(self.persons[row]), real)

    def video(self, number: int, name: str) -> str:
        """Return a text column of a video, `id`, `path`, `target`, `donor` or `identity`."""
        return str(self.columns[f"video_{name}"][number])

    def blocks(self, kinds: Sequence[str]) -> Iterator[tuple[NDArray[np.int64], dict[str, NDArray[np.generic]]]]:
        """Yield the chosen rows, few at a time, with their crops (`image`) and the labels asked for."""
        for low in range(0, len(self.picked), BLOCK):
            rows = self.picked[low : low + BLOCK]
            yield rows, {name: store.gather(self.arrays[name], rows) for name in (IMAGE.name, *kinds)}

    def only(self, keep: NDArray[np.bool]) -> "Rows":
        """Return the same without the chosen rows for which `keep`, of shape (n,), is false."""
        return Rows(self.location, self.dataset, self.names, self.columns, self.picked[keep], self.persons, self.arrays)


def choose(location: str, choice: Choice) -> Rows:
    """Open a finished store and choose its rows.

    Raises
    ------
    StoreError
        There is no such store, it is unfinished, or lacks a label kind.
    ConfigError
        A name is not known in the store, or no row is left.
    """
    group = store.open_group(location)
    attributes = store.attributes_of(group)
    if not attributes.get("complete"):
        raise StoreError(f"{location} is unfinished; run the command that began it again and it goes on.")
    arrays = {name: store.array_of(group, name) for name in (IMAGE.name, *LABELS) if name in group}
    for kind in choice.kind:
        if kind not in LABELS:
            raise ConfigError(f"There is no label kind {kind}; known are {', '.join(LABELS)}.")
        if kind not in arrays:
            raise StoreError(f"{location} has no {kind}; forgery-prep labels --kind {kind} --store {location} adds it.")
    columns, names = store.read_columns(group), store.stored_names(group)
    keep = np.ones(len(columns["label"]), dtype=bool)
    for name in ("split", "method", "compression"):
        known = getattr(names, name)
        wanted = getattr(choice, name)
        if unknown := [each for each in wanted if each not in known]:
            raise ConfigError(f"{location} has no {name} {', '.join(unknown)}; it has {', '.join(known)}.")
        if wanted:
            keep &= np.isin(columns[name], [known.index(each) for each in wanted])
    picked = np.flatnonzero(keep).astype(np.int64)
    if not len(picked):
        raise ConfigError(f"No row of {location} is of that split, method and compression at once.")
    return Rows(location, str(attributes["dataset"]), names, columns, picked, _persons(columns), arrays)


def _persons(columns: Mapping[str, NDArray[np.generic]]) -> NDArray[np.int64]:
    """Return, for each row, which face of its frame it shows; of a fake with a pair, which of its real's frame."""
    rows = np.arange(len(columns["label"]))
    order = np.lexsort((rows, columns["frame"], columns["video"]))
    video, frame = columns["video"][order], columns["frame"][order]
    first = np.ones(len(rows), dtype=bool)
    first[1:] = (video[1:] != video[:-1]) | (frame[1:] != frame[:-1])
    place = rows - np.maximum.accumulate(np.where(first, rows, 0))
    own = np.empty(len(rows), dtype=np.int64)
    own[order] = place
    return own[np.where(columns["real"] == NO_PAIR, rows, columns["real"])]
