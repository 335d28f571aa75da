"""Which labels of a new store stand in finished ones already: made from the same crops, with the same settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.crop import record
from pipeline.labels import LABELS
from pipeline.stages import labelling
from pipeline.stages.lending import Lender
from pipeline.store import seal, stored_names
from pipeline.store.schema import IMAGE, NO_PAIR

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Columns = Mapping[str, NDArray[Any]]
OF_MASK = (  # entries of `labelling.Rows` that decide a label from a mask
    "mask", "own_level", "mask_first", "mask_inverted", "turn", "frame", "course", "transform", "box", "size",
)  # fmt: skip
BLOCK = 1 << 14  # rows whose landmarks are compared at a time


@dataclass(frozen=True)
class Labelled:
    """A store's rows, and what their labels are made from."""

    group: store.Group
    columns: Columns
    rows: labelling.Rows
    numbers: seal.Numbers  # of the crops

    @cached_property
    def mask_sizes(self) -> NDArray[Any]:
        """Size of each row's mask, as text."""
        files = {file.video.path: str(file.mask_size) for file in record.files(seal.record(self.group) or [])}
        of_videos = np.array([files.get(str(path), "") for path in self.columns["video_path"]], object)
        return np.asarray(of_videos[self.columns["video"]])


def find(group: store.Group, columns: Columns, rows: labelling.Rows, lenders: Sequence[Lender]) -> dict[str, Any]:
    """Return what finished stores lend of each label kind that a store has.

    Parameters
    ----------
    group : store.Group
        The new store, with its crops and their numbers.
    columns : mapping
        Its columns.
    rows : Rows
        What its labels are made from.
    lenders : sequence of Lender

    Returns
    -------
    dict of str to Lent
    """
    numbers = seal.numbers(group, IMAGE.name)
    if numbers is None or not lenders:
        return {}
    new, stores = Labelled(group, columns, rows, numbers), tuple(each.location for each in lenders)
    count = len(columns["frame"])
    found = {
        kind: labelling.Lent(stores, np.full(count, -1, np.int16), np.zeros(count, np.int64))
        for kind in LABELS
        if kind in group
    }
    for number, each in enumerate(lenders):
        written = seal.numbers(each.group, IMAGE.name)
        if written is None:
            continue
        old = Labelled(each.group, each.columns, labelling.rows_of(each.columns, stored_names(each.group)), written)
        own = _same_rows(columns, each.columns)
        twin = own[rows.fake]  # the label of a face's least compressed pair is that of all its compressions
        for kind, lent in found.items():
            if not _made_alike(kind, group, each.group):
                continue
            for candidates in (own, twin):
                good = SAME[LABELS[kind].source](new, old, candidates) & (lent.store < 0)
                lent.store[good], lent.row[good] = number, candidates[good]
    return {kind: lent for kind, lent in found.items() if (lent.store >= 0).any()}


def _made_alike(kind: str, group: store.Group, other: store.Group) -> bool:
    """Tell whether two stores have a label kind made with the same parameters."""
    if kind not in other:
        return False
    mine, theirs = (store.attributes_of(store.array_of(each, kind))["parameters"] for each in (group, other))
    return bool(mine == theirs)


def _same_rows(columns: Columns, others: Columns) -> Ints:
    """Return the row of another store that shows the same face of the same frame of the same file; -1 for none."""
    place = {str(path): number for number, path in enumerate(others["video_path"])}
    of_videos = np.array([place.get(str(path), -1) for path in columns["video_path"]], np.int64)
    mine = (of_videos[columns["video"]], columns["frame"], _ordinals(columns))
    theirs = (others["video"], others["frame"], _ordinals(others))
    frames, faces = (
        1 + max(one.max(initial=0), two.max(initial=0)) for one, two in zip(mine[1:], theirs[1:], strict=True)
    )
    keys, known = ((video.astype(np.int64) * frames + frame) * faces + nth for video, frame, nth in (mine, theirs))
    at = np.minimum(np.searchsorted(known, keys), max(len(known) - 1, 0))  # `known` increases, as rows are ordered
    return np.where((mine[0] >= 0) & (known[at] == keys), at, -1)


def _ordinals(columns: Columns) -> Ints:
    """Return, for every row, its number among the rows of its frame and video, which are neighbours."""
    video, frame = columns["video"], columns["frame"]
    rows = np.arange(len(frame), dtype=np.int64)
    begins = np.ones(len(frame), bool)
    begins[1:] = (np.diff(video) != 0) | (np.diff(frame) != 0)
    return rows - np.maximum.accumulate(np.where(begins, rows, 0))


def _same_image(new: Labelled, old: Labelled, at: Ints) -> Bools:
    """Tell for which rows the rows `at` of another store, -1 for none, have the same crop and level."""
    levels, others = np.array(new.rows.own_level), np.array(old.rows.own_level)
    return np.asarray((at >= 0) & (new.numbers == old.numbers[at]) & (levels == others[at]))


def _same_pair(new: Labelled, old: Labelled, at: Ints) -> Bools:
    """Tell for which rows the labels of a pair were made from the same two crops, with the same settings."""
    rows, others = new.rows, old.rows
    paired, theirs = rows.pair != NO_PAIR, others.pair[at] != NO_PAIR
    level, other_level = np.array(rows.pair_level), np.array(others.pair_level)
    threshold, other_threshold = (each.threshold.view(np.uint32) for each in (rows, others))
    alike = (new.numbers[rows.fake] == old.numbers[others.fake[at]]) & (level == other_level[at])
    alike &= (new.numbers[rows.pair] == old.numbers[others.pair[at]]) & (threshold == other_threshold[at])
    alike |= ~paired  # a row without a pair has no label, whatever it shows
    good = (at >= 0) & (paired == theirs) & (rows.real == others.real[at]) & alike
    for block in np.array_split(np.flatnonzero(good & paired), max(1, len(good) // BLOCK)):
        points, other_points = rows.landmarks[block], others.landmarks[at[block]]
        good[block] = (points.view(np.uint32) == other_points.view(np.uint32)).all(axis=(1, 2))
    return np.asarray(good)


def _same_hull(new: Labelled, old: Labelled, at: Ints) -> Bools:
    levels, others = np.array(new.rows.own_level), np.array(old.rows.own_level)
    return np.asarray(_same_pair(new, old, at) & (levels == others[at]))


def _same_mask(new: Labelled, old: Labelled, at: Ints) -> Bools:
    """Tell for which rows the same frame of the same mask, by its size, is cropped in the same way."""
    good = (at >= 0) & (new.mask_sizes == old.mask_sizes[at]) & (new.rows.real == old.rows.real[at])
    for name in (
        "mask",
        "own_level",
        "mask_first",
        "mask_inverted",
        "turn",
        "frame",
        "course",
        "transform",
        "box",
        "size",
    ):
        mine, theirs = (np.asarray(getattr(each.rows, name)) for each in (new, old))
        same = mine == theirs[at]
        good &= same if same.ndim == 1 else same.all(axis=1)
    return np.asarray(good)


SAME = {"image": _same_image, "pair": _same_pair, "hull": _same_hull, "mask": _same_mask}
