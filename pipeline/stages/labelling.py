"""Labels for a store's rows: the table of what each row is computed from, and the task that writes one shard."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.config import Cropping, Labelling, Levels
from pipeline.crop.row_table import least_compressed, level
from pipeline.errors import DamageError
from pipeline.labels import LABELS, NO_LABEL, trust
from pipeline.registration.mapping import IDENTITY
from pipeline.stages import mask_labels
from pipeline.store import Names
from pipeline.store.hashing import row_digests
from pipeline.store.schema import IMAGE, NO_PAIR, THRESHOLD, UNTOLD

Pixels = NDArray[Any]


@dataclass(frozen=True)
class Picked:
    """Entries of an array, one a row, that are not copied before they are asked for."""

    values: NDArray[Any]
    rows: NDArray[np.int64]  # entry of each row

    def __getitem__(self, index: Any) -> NDArray[Any]:
        return np.asarray(self.values[self.rows[index]])


@dataclass(frozen=True)
class Rows:
    """Table of what labels are made from; every array has one entry a row."""

    real: NDArray[np.bool_]  # an untouched face: nothing is manipulated
    fake: NDArray[np.int64]  # row of the least compressed twin that has a pair
    pair: NDArray[np.int64]  # that twin's real; NO_PAIR where there is none
    own_level: tuple[str, ...]  # of the row itself
    pair_level: tuple[str, ...]  # of the twin
    threshold: NDArray[np.float32]  # of the twin's ssim label; NaN = as the recipe's table says
    landmarks: NDArray[np.float32] | Picked  # of that twin's real, in the crop
    mask: tuple[str, ...]  # path of the mask relative to the root; "" = none
    mask_first: NDArray[np.int32]  # number of its image that is frame 0
    mask_inverted: NDArray[np.uint8]  # 1: untouched pixels are white
    turn: NDArray[np.int32]  # degrees clockwise by which mask frames are turned
    course: NDArray[np.float64]  # (rows, 3): offset, rate and since of the row's video, as in `mapping.Followed`
    transform: NDArray[np.float64]  # (rows, 6): by which its mask's pictures are moved
    frame: NDArray[np.int32]
    box: NDArray[np.float32]
    size: NDArray[np.int32]  # (width, height) of the row's video

    def take(self, low: int, high: int) -> "Rows":
        """Return the entries of rows low to high."""
        return Rows(**{name: values[low:high] for name, values in vars(self).items()})

    def pick(self, rows: NDArray[np.int64]) -> "Rows":
        """Return the entries of some rows."""
        some: dict[str, Any] = {
            name: tuple(values[row] for row in rows) if isinstance(values, tuple) else values[rows]
            for name, values in vars(self).items()
        }
        return Rows(**some)

    def settings(self, row: int, recipe: Labelling) -> Labelling:
        """Return the settings of one row's pair: the recipe's, with the threshold that was measured, if one was."""
        measured = float(self.threshold[row])
        return recipe if np.isnan(measured) else replace(recipe, ssim_threshold=Levels(measured, measured, measured))


def rows_of(columns: Mapping[str, NDArray[Any]], names: Names) -> Rows:
    """Return what the labels of every row are made from; `columns` has arrays of shape (rows, ...) and (videos,)."""
    fake = least_compressed(columns, columns["video_id"])
    video = columns["video"]
    levels = [level(names.compression[code], path) for code, path in zip(*_compression_of_videos(columns), strict=True)]
    own = tuple(map(levels.__getitem__, video.tolist()))
    masks_of = [str(path) for path in columns["video_mask"]]
    plain = np.tile(IDENTITY, (len(columns["video_id"]), 1))  # of a store made before fakes were followed
    return Rows(
        real=columns["method"] == 0,
        fake=fake,
        pair=columns["real"][fake],
        own_level=own,
        pair_level=tuple(map(own.__getitem__, fake.tolist())),
        threshold=columns.get(THRESHOLD.name, np.full(len(columns["video_id"]), np.nan, np.float32))[video[fake]],
        landmarks=Picked(columns["landmarks"], columns["real"][fake]),
        mask=tuple(map(masks_of.__getitem__, video.tolist())),
        mask_first=columns.get("video_mask_first", np.full(len(columns["video_id"]), UNTOLD))[video],
        mask_inverted=columns.get("video_mask_inverted", np.zeros(len(columns["video_id"]), np.uint8))[video],
        turn=columns.get("video_turn", np.zeros(len(columns["video_id"]), np.int32))[video],
        course=_courses(columns)[video],
        transform=np.asarray(columns.get("video_transform", plain)).reshape(-1, len(IDENTITY))[video],
        frame=columns["frame"],
        box=columns["box"],
        size=np.stack([columns["video_width"][video], columns["video_height"][video]], axis=1),
    )


def _courses(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Return offset, rate and since of every video, shape (videos, 3)."""
    if "video_offset" not in columns:
        return np.tile([0.0, 1.0, 0.0], (len(columns["video_id"]), 1))
    return np.stack([columns[f"video_{name}"] for name in ("offset", "rate", "since")], axis=1).astype(np.float64)


def _compression_of_videos(columns: Mapping[str, NDArray[Any]]) -> tuple[list[int], list[str]]:
    paths = [str(path) for path in columns["video_path"]]
    codes = [0] * len(paths)  # a video without rows: never asked for
    for number, code in zip(columns["video"].tolist(), columns["compression"].tolist(), strict=True):
        codes[number] = code
    return codes, paths


@dataclass(frozen=True)
class LabelTask:
    """Label kinds to compute for neighbouring rows."""

    kinds: tuple[str, ...]  # keys of LABELS
    span: tuple[int, int]  # first row, and the one after the last
    rows: Rows  # what they are made from, an entry a row of the span
    settings: Labelling
    cropping: Cropping
    root: Path  # the dataset's folder, for masks
    # files with labels of masks that other tasks need as well, by kind and path: `stages.shared_masks`
    staged: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)

    @property
    def pairs(self) -> list[int]:
        """Numbers of the rows, within the span, whose labels are made from a pair."""
        return np.flatnonzero(~self.rows.real & (self.rows.pair != NO_PAIR)).tolist()

    def blank(self, kind: str) -> Pixels:
        """Return labels that say `no label possible`, and `nothing manipulated` for untouched faces."""
        low, high = self.span
        blank = np.full((high - low, self.cropping.size, self.cropping.size), NO_LABEL, dtype=LABELS[kind].dtype)
        blank[self.rows.real] = 0
        return blank


class Crops:
    """Crops of some rows of a store, read in one go."""

    def __init__(self, group: store.Group, rows: Iterable[int]) -> None:
        some = np.unique(np.fromiter(rows, np.int64))
        self._places = {row: place for place, row in enumerate(some.tolist())}
        self._values = store.gather(store.array_of(group, IMAGE.name), some) if len(some) else np.empty(0, np.uint8)

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        return np.asarray(self._values[self._places[row]], np.uint8)


@dataclass(frozen=True)
class Lent:
    """Labels of one kind that are taken over from finished stores; the arrays have one entry a row."""

    stores: tuple[str, ...]
    store: NDArray[np.int16]  # counts in `stores`; -1: nothing is lent
    row: NDArray[np.int64]  # of that store

    def take(self, low: int, high: int) -> "Lent":
        """Return the entries of rows low to high."""
        return Lent(self.stores, self.store[low:high], self.row[low:high])

    def read(self, kind: str, values: Pixels) -> None:
        """Put what is lent of a label kind into `values`, of shape (rows, size, size)."""
        for number in np.unique(self.store[self.store >= 0]):
            here = np.flatnonzero(self.store == number)
            array = store.array_of(store.open_group(self.stores[number]), kind)
            values[here] = store.gather(array, self.row[here])


def label_shard(
    location: str, number: int, task: LabelTask, lent: Mapping[str, Lent] | None = None
) -> dict[str, bytes]:
    """Write label kinds for the rows of one shard of a store, each in one step; return digests of their rows.

    What is `lent`, by kind, is read; only the rest is computed.
    """
    group = store.open_group(location, "r+")
    made = _lent_and_computed(group, task, lent) if lent else label_rows(group, task)
    for kind, values in made.items():
        store.write_shard(store.array_of(group, kind), number, values)
    return {kind: row_digests(values) for kind, values in made.items()}


def _lent_and_computed(group: store.Group, task: LabelTask, lent: Mapping[str, Lent]) -> dict[str, Pixels]:
    """Read what is lent, then compute the rest, run by run of neighbouring rows that lack the same kinds."""
    made = {kind: task.blank(kind) for kind in task.kinds}
    for kind, some in lent.items():
        some.read(kind, made[kind])
    low, high = task.span
    everything = np.full(high - low, -1)
    lacking = np.stack([(lent[kind].store if kind in lent else everything) < 0 for kind in task.kinds])
    ends = np.flatnonzero((np.diff(lacking, axis=1) != 0).any(axis=0)) + 1
    for first, end in pairwise([0, *ends.tolist(), high - low]):
        kinds = tuple(kind for kind, lacks in zip(task.kinds, lacking[:, first], strict=True) if lacks)
        if not kinds:
            continue
        rest = replace(task, kinds=kinds, span=(low + first, low + end), rows=task.rows.take(first, end))
        known = {kind: values[first:end] for kind, values in made.items() if kind not in kinds}
        for kind, values in label_rows(group, rest, known).items():
            made[kind][first:end] = values
    return made


def label_rows(group: store.Group, task: LabelTask, known: Mapping[str, Pixels] | None = None) -> dict[str, Pixels]:
    """Compute label kinds for neighbouring rows of a store: arrays of shape (rows, size, size).

    Every crop they are made from is read once. Labels of these rows that are `known` need not be read for others that
    are made from them.
    """
    work = _Work(group, task, known or {})
    for kind in [kind for kind in LABELS if kind in task.kinds]:  # in the table's order: one may be made from another
        work.made[kind] = SOURCES[LABELS[kind].source](work, kind)
    return {kind: work.made[kind] for kind in LABELS if kind in task.kinds}


class _Work:
    """What one task has read and made."""

    def __init__(self, group: store.Group, task: LabelTask, known: Mapping[str, Pixels]) -> None:
        self.group, self.task = group, task
        self.made: dict[str, Pixels] = dict(known)
        sources = {LABELS[kind].source for kind in task.kinds}
        wanted = set(range(*task.span)) if "image" in sources else set()
        if "pair" in sources:
            wanted |= {int(row) for number in task.pairs for row in (task.rows.fake[number], task.rows.pair[number])}
        self.crops = Crops(group, wanted)
        self.regions: dict[int, NDArray[np.uint8]] = {}

    def region(self, number: int) -> NDArray[np.uint8]:
        """Return the face region of a row with a pair; the same for all fakes of one real face."""
        pair = int(self.task.rows.pair[number])
        if pair not in self.regions:
            self.regions[pair] = trust.face_region(self.task.rows.landmarks[number], self.task.cropping.size)
        return self.regions[pair]


def _from_image(work: _Work, kind: str) -> Pixels:
    task, compute = work.task, LABELS[kind].compute
    levels = zip(range(*task.span), task.rows.own_level, strict=True)
    return np.stack([compute(work.crops[row], task.settings, level) for row, level in levels])


def _from_hull(work: _Work, kind: str) -> Pixels:
    """Compute labels that are made from the same rows' hulls, which are there or stored."""
    task, compute = work.task, LABELS[kind].compute
    hull = work.made["hull"] if "hull" in work.made else _stored_hull(work)
    return np.stack([compute(one, task.settings, level) for one, level in zip(hull, task.rows.own_level, strict=True)])


def _stored_hull(work: _Work) -> Pixels:
    """Read the hulls; those of a shard that a power cut or a disk has damaged are computed once more."""
    try:
        return store.gather(store.array_of(work.group, "hull"), slice(*work.task.span))
    except DamageError:
        return label_rows(work.group, replace(work.task, kinds=("hull",)))["hull"]


def _from_pair(work: _Work, kind: str) -> Pixels:
    task, about = work.task, LABELS[kind]
    values, known = task.blank(kind), dict[int, Pixels | None]()  # twins share their label; None: withheld
    for number in task.pairs:
        fake, real = int(task.rows.fake[number]), int(task.rows.pair[number])
        if fake not in known:
            settings, level = task.rows.settings(number, task.settings), task.rows.pair_level[number]
            label = about.compute(work.crops[fake], work.crops[real], settings, level)
            limit = about.limit(task.settings) if about.limit else None
            spoilt = limit is not None and trust.withheld(label, work.region(number), limit)
            known[fake] = None if spoilt else label
        if (shared := known[fake]) is not None:
            values[number] = shared
    return values


def _from_mask(work: _Work, kind: str) -> Pixels:
    task = work.task
    values = task.blank(kind)
    for number, label in mask_labels.labels_of(task, kind):
        values[number] = label
    return values


SOURCES: dict[str, Callable[[_Work, str], Pixels]] = {
    "image": _from_image,
    "hull": _from_hull,
    "pair": _from_pair,
    "mask": _from_mask,
}
