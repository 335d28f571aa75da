"""Row table: the chosen rows of all stores, with their columns."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data.store_reader import Reader
from models.detectors.base import SOURCES
from pipeline.errors import StoreError
from pipeline.exclusions import Exclusion, without

REAL, FAKE, RR, FR = range(len(SOURCES))
NO_ROW = -1
NO_CLASS = -1  # a method that is no class of the detector
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """Rows of several stores; every array has shape (rows,).

    Attributes
    ----------
    store, row : ndarray of int
        Number of the store, and row in it; for a blend, row in its group `blend`.
    source : ndarray of int
        Index into `SOURCES`.
    label : ndarray of int
        0 real, 1 fake.
    target : ndarray of int
        Class to learn: `label`, or with several classes 1 + the method's place in `Choice.taught`.
    method, compression, split : ndarray of str
    video : ndarray of int
        Number of the video file; for a blend, that of its background.
    twin : ndarray of int
        Row of the same face in the compression `Choice.twin`; `NO_ROW` without one.
    origin : ndarray of int
        Row of the real face in the same store: of a real itself, of a fake its pair (`NO_ROW` without one), of a blend
        its background.
    """

    store: Ints
    row: Ints
    source: Ints
    label: Ints
    target: Ints
    method: NDArray[Any]
    compression: NDArray[Any]
    split: NDArray[Any]
    video: Ints
    twin: Ints
    origin: Ints

    def __len__(self) -> int:
        return len(self.row)

    def take(self, rows: Any) -> "Table":
        """Return some rows: numbers of shape (n,), a mask of shape (rows,) or a slice."""
        return Table(**{about.name: getattr(self, about.name)[rows] for about in fields(self)})


@dataclass(frozen=True)
class Choice:
    """Criteria by which rows are chosen.

    Attributes
    ----------
    split : str
        `train`, `val`, `test`; empty: all.
    compression : str
        Empty: all.
    methods : collection of str
        Only fakes of these methods, and all reals; empty: all.
    taught : sequence of str
        Methods in the order of their classes, for detectors that tell them apart; empty: classes are real and fake.
    twin : str
        Compression of the twin that each row must have; empty: none.
    frames : int
        Greatest number of rows of each video, evenly spaced; 0: all.
    exclude : sequence of Exclusion
        Faces that are left out, with all that hangs on them (`pipeline.exclusions.without`); blends of them too.
    """

    split: str = ""
    compression: str = ""
    methods: Collection[str] = ()
    taught: Sequence[str] = ()
    twin: str = ""
    frames: int = 0
    exclude: Sequence[Exclusion] = ()


def choose(readers: Sequence[Reader], choice: Choice, *, blends: bool = False) -> Table:
    """Return the rows that fit a choice, in the stores' own order; each store's blends follow its rows.

    Raises
    ------
    StoreError
        No row of any store fits; the message lists what the stores hold.
    """
    parts: list[Table] = []
    videos = 0
    for number, reader in enumerate(readers):
        own = _own(number, reader, choice, videos)
        parts.append(own)
        if blends:
            parts.append(_blends(number, reader, choice, videos))
        videos += len(reader.columns["video_id"])
    table = join(parts)
    if not len(table):
        raise StoreError(_nothing(readers, choice))
    return table


def join(parts: Sequence[Table]) -> Table:
    """Concatenate tables."""
    return Table(
        **{about.name: np.concatenate([getattr(part, about.name) for part in parts]) for about in fields(Table)}
    )


def methods_of(readers: Sequence[Reader]) -> list[str]:
    """Return the stores' methods of manipulation by name, in the order of the first store that has each."""
    return list(dict.fromkeys(name for reader in readers for name in reader.names["method"][1:]))


def missing_classes(table: Table) -> str:
    """Return `real` or `fake`, whichever a table has no row of; an empty text if it has both."""
    for label, name in enumerate(("real", "fake")):
        if not (table.label == label).any():
            return name
    return ""


def _own(number: int, reader: Reader, choice: Choice, videos: int) -> Table:
    columns = reader.columns
    named = _named(reader, columns)
    method = np.asarray(reader.names["method"], dtype=object)[columns["method"]]
    label = columns["label"].astype(np.int64)
    wanted = _fits(named, choice) & _of_methods(method, columns["method"], choice)
    twin = _twins(reader, choice.twin)
    wanted &= (twin != NO_ROW) | (not choice.twin)
    gone = without(columns, reader.dataset, choice.exclude)
    wanted &= ~(gone | (gone[twin] & (twin != NO_ROW)))
    rows = np.flatnonzero(wanted)
    if choice.frames:
        rows = _spaced(rows, columns["video"], choice.frames)
    return Table(
        store=np.full(len(rows), number, np.int64),
        row=rows.astype(np.int64),
        source=np.where(label[rows] == 0, REAL, FAKE).astype(np.int64),
        label=label[rows],
        target=_targets(label, method, choice.taught)[rows],
        method=method[rows],
        video=columns["video"][rows].astype(np.int64) + videos,
        twin=twin[rows],
        origin=np.where(label == 0, np.arange(len(label)), columns["real"])[rows].astype(np.int64),
        **{name: values[rows] for name, values in named.items()},
    )


def _blends(number: int, reader: Reader, choice: Choice, videos: int) -> Table:
    columns = reader.blends
    if not columns:
        return _own(number, reader, choice, videos).take([])
    named = _named(reader, columns)
    gone = without(reader.columns, reader.dataset, choice.exclude)
    rows = np.flatnonzero(_fits(named, choice) & ~gone[columns["inside"]] & ~gone[columns["outside"]])
    ones = np.ones(len(rows), np.int64)
    return Table(
        store=number * ones,
        row=rows.astype(np.int64),
        source=(RR + columns["kind"][rows]).astype(np.int64),
        label=ones,
        target=ones,
        method=np.full(len(rows), "blend", dtype=object),
        video=reader.columns["video"][columns["outside"][rows]].astype(np.int64) + videos,
        twin=NO_ROW * ones,
        origin=columns["outside"][rows].astype(np.int64),
        **{name: values[rows] for name, values in named.items()},
    )


def _named(reader: Reader, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return split and compression by name: the numbers differ from store to store."""
    return {name: np.asarray(reader.names[name], dtype=object)[columns[name]] for name in ("split", "compression")}


def _fits(named: Mapping[str, NDArray[Any]], choice: Choice) -> NDArray[np.bool_]:
    fits = np.ones(len(named["split"]), dtype=bool)
    for name in ("split", "compression"):
        if wanted := getattr(choice, name):
            fits &= named[name] == wanted
    return fits


def _of_methods(method: NDArray[Any], code: NDArray[Any], choice: Choice) -> NDArray[np.bool_]:
    if not choice.methods:
        return np.ones(len(method), dtype=bool)
    return np.asarray(np.isin(method.astype(str), list(choice.methods)) | (code == 0))


def _targets(label: Ints, method: NDArray[Any], taught: Sequence[str]) -> Ints:
    if not taught:
        return label
    number = {name: 1 + place for place, name in enumerate(taught)}
    return np.array([number.get(name, NO_CLASS) if fake else 0 for name, fake in zip(method, label, strict=True)])


def _spaced(rows: Ints, video: NDArray[Any], frames: int) -> Ints:
    """Keep at most so many rows of each video, evenly spaced in the store's order, which is that of the frames."""
    order = rows[np.argsort(video[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(video[order], prepend=-1))
    kept = [
        some[np.unique(np.linspace(0, len(some) - 1, min(frames, len(some))).round().astype(np.int64))]
        for some in np.split(order, starts[1:])
    ]
    return np.sort(np.concatenate(kept)) if len(order) else rows


def _twins(reader: Reader, compression: str) -> Ints:
    """Return for each row the one of the same face, method and video name in another compression."""
    columns = reader.columns
    found = np.full(len(reader), NO_ROW, np.int64)
    if not compression or compression not in reader.names["compression"]:
        return found
    names = np.unique(columns["video_id"].astype(str), return_inverse=True)[1].reshape(-1)[columns["video"]]
    keys = np.stack([columns["face"], columns["method"].astype(np.int64), names.astype(np.int64)], axis=1)
    group = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    there = np.flatnonzero(columns["compression"] == reader.names["compression"].index(compression))
    by_group = np.full(group.max(initial=-1) + 1, NO_ROW, np.int64)
    by_group[group[there]] = there
    return by_group[group]


def _nothing(readers: Sequence[Reader], choice: Choice) -> str:
    """Return the message for a choice that no row fits: what was looked for, and what there is."""
    wanted = [f"{name} {getattr(choice, name)}" for name in ("split", "compression") if getattr(choice, name)]
    if choice.methods:
        wanted.append(f"methods {', '.join(choice.methods)}")
    if choice.twin:
        wanted.append(f"a twin in {choice.twin}")
    held = []
    for reader in readers:
        present = {
            name: [reader.names[name][code] for code in np.unique(reader.columns[name])]
            for name in ("split", "compression", "method")
        }
        held.append(f"{reader.location} has {_listed(present)}")
    there = f"There is no row of {' and '.join(wanted) or 'any kind'}. {'. '.join(held)}."
    return f"{there} Ask for what there is, or add a --store that has the rest."


def _listed(present: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name} {', '.join(of)}" for name, of in present.items())
