"""Table of all rows from the staged parts: order of rows, groups of rows with the same face, pairs. Pure NumPy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.crop.staging import Part, Reject, Source
from pipeline.manifest import NATIVE
from pipeline.store import Names
from pipeline.store.schema import NO_PAIR
from pipeline.video.frames import is_lossless

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """Every row of a store, in order, with the place of its staged crop."""

    names: Names
    sources: tuple[Source, ...]
    rejects: tuple[Reject, ...]
    columns: dict[str, NDArray[Any]]  # the store's columns but `label`
    part: Ints  # number of the staged part of every row
    offset: Ints  # of the crop within that part, counted in crops

    def __len__(self) -> int:
        return len(self.part)


def assemble(names: Names, parts: Sequence[Part]) -> Table:
    """Sort the rows of all parts into the store's order: split, target video, method, compression, video, frame.

    Parameters
    ----------
    names : Names
        Their order is the order of the rows.
    parts : sequence of Part
        At least one; a part's place is its number. Their columns are taken out of them, so that the landmarks of a
        large dataset never stand in memory twice.
    """
    unordered = [source for part in parts for source in part.sources]
    order = sorted(range(len(unordered)), key=lambda number: _place(unordered[number], names))
    sources = tuple(unordered[number] for number in order)
    rank = np.argsort(np.asarray(order, dtype=np.int64))
    lengths = [len(part.columns["frame"]) for part in parts]
    first = np.repeat(np.cumsum([0, *(len(part.sources) for part in parts)])[:-1], lengths).astype(np.int64)
    video, frame, track = (
        np.concatenate([part.columns[name] for part in parts]) for name in ("video", "frame", "track")
    )
    video = rank[video + first].astype(np.int32)
    rows = np.lexsort((track, frame, video))
    place = np.argsort(rows)  # of every staged row in the table
    ends = np.cumsum([0, *lengths])
    columns = {name: _sorted(name, parts, place, ends) for name in parts[0].columns.keys() - {"video", "track"}}
    columns["video"], offset = video[rows], columns.pop("offset")
    part = np.repeat(np.arange(len(parts), dtype=np.int64), lengths)[rows]
    columns |= _codes(sources, names, columns["video"])
    columns["face"] = numbered(part, columns["frame"], track[rows])
    columns["real"] = reals(columns)
    rejects = tuple(reject for each in parts for reject in each.rejects)
    return Table(names, sources, rejects, columns, part, offset)


def _sorted(name: str, parts: Sequence[Part], place: Ints, ends: Ints) -> NDArray[Any]:
    """Take one column out of all parts and put every entry in its place in the table."""
    one = parts[0].columns[name]
    joined = np.empty((len(place), *one.shape[1:]), one.dtype)
    for part, low, high in zip(parts, ends[:-1], ends[1:], strict=True):
        joined[place[low:high]] = part.columns.pop(name)
    return joined


def _place(source: Source, names: Names) -> tuple[int, str, int, int, str]:
    video = source.video
    codes = names.method.index(video.method), names.compression.index(video.compression)
    return names.split.index(video.split), video.target or video.id, *codes, video.id


def _codes(sources: Sequence[Source], names: Names, video: NDArray[np.int32]) -> dict[str, NDArray[np.uint8]]:
    """Return the columns that are properties of a row's video."""
    return {
        name: np.array([getattr(names, name).index(getattr(source.video, name)) for source in sources], np.uint8)[video]
        for name in ("method", "split", "compression")
    }


def numbered(*keys: NDArray[Any]) -> Ints:
    """Return numbers for the distinct combinations of several keys, in their sorted order."""
    order = np.lexsort(keys[::-1])
    new = np.zeros(len(order), dtype=bool)
    for key in keys:
        ordered = key[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(new)
    return numbers


def reals(columns: Mapping[str, NDArray[Any]]) -> Ints:
    """Return the row of every row's real: the same face and compression, method 0."""
    key = numbered(columns["face"], columns["compression"])
    found = np.full(key.max(initial=-1) + 1, NO_PAIR, dtype=np.int64)
    reals = np.flatnonzero(columns["method"] == 0)
    found[key[reals]] = reals
    return found[key]


def least_compressed(columns: Mapping[str, NDArray[Any]], video_ids: NDArray[Any]) -> Ints:
    """Return, for every row, the row of its least compressed twin that has a pair; itself where there is none.

    Parameters
    ----------
    columns : mapping
        The store's `method`, `compression`, `video`, `face` and `real`; compressions are numbered from the least on.
    video_ids : ndarray of shape (videos,), str
        Shared by the compressions of one video.
    """
    ids = np.unique(video_ids.astype(str), return_inverse=True)[1].reshape(-1)[columns["video"]]
    twins = numbered(columns["method"], ids, columns["face"])
    rows = np.arange(len(twins), dtype=np.int64)
    paired = np.flatnonzero(columns["real"] != NO_PAIR)
    best = np.full(twins.max(initial=-1) + 1, -1, dtype=np.int64)
    # written from the most compressed to the least: the last one stays
    descending = paired[np.argsort(columns["compression"][paired], kind="stable")[::-1]]
    best[twins[descending]] = descending
    return np.where(best[twins] >= 0, best[twins], rows)


def level(compression: str, path: str) -> str:
    """Return which of a recipe's per-level values holds for a file: `raw`, `c23` or `c40`.

    >>> level("native", "a/b.mp4"), level("native", "a/b.PNG"), level("c40", "a/b.mp4")
    ('c23', 'raw', 'c40')
    """
    if compression != NATIVE:
        return compression
    return "raw" if is_lossless(Path(path)) else "c23"
