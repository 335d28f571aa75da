"""Labels for a store's rows: the table of what each row is computed from, and the task that writes one shard."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.config import Cropping, Labelling, Levels
from pipeline.crop import crops, masks
from pipeline.crop.row_table import least_compressed, level
from pipeline.errors import ConfigError, DecodeError
from pipeline.labels import LABELS, NO_LABEL, trust
from pipeline.registration.mapping import IDENTITY
from pipeline.store import Names
from pipeline.store.schema import NO_PAIR, THRESHOLD, UNTOLD
from pipeline.video import archives

Pixels = NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """Table of what labels are made from; every array has one entry a row."""

    real: NDArray[np.bool_]  # an untouched face: nothing is manipulated
    fake: NDArray[np.int64]  # row of the least compressed twin that has a pair
    pair: NDArray[np.int64]  # that twin's real; NO_PAIR where there is none
    own_level: tuple[str, ...]  # of the row itself
    pair_level: tuple[str, ...]  # of the twin
    threshold: NDArray[np.float32]  # of the twin's ssim label; NaN = as the recipe's table says
    landmarks: NDArray[np.float32]  # of that twin's real, in the crop
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

    def settings(self, row: int, recipe: Labelling) -> Labelling:
        """Return the settings of one row's pair: the recipe's, with the threshold that was measured, if one was."""
        measured = float(self.threshold[row])
        return recipe if np.isnan(measured) else replace(recipe, ssim_threshold=Levels(measured, measured, measured))


def rows_of(columns: Mapping[str, NDArray[Any]], names: Names) -> Rows:
    """Return what the labels of every row are made from; `columns` has arrays of shape (rows, ...) and (videos,)."""
    fake = least_compressed(columns, columns["video_id"])
    video = columns["video"]
    levels = [level(names.compression[code], path) for code, path in zip(*_compression_of_videos(columns), strict=True)]
    own = tuple(levels[number] for number in video)
    plain = np.tile(IDENTITY, (len(columns["video_id"]), 1))  # of a store made before fakes were followed
    return Rows(
        real=columns["method"] == 0,
        fake=fake,
        pair=columns["real"][fake],
        own_level=own,
        pair_level=tuple(own[row] for row in fake),
        threshold=columns.get(THRESHOLD.name, np.full(len(columns["video_id"]), np.nan, np.float32))[video[fake]],
        landmarks=columns["landmarks"][columns["real"][fake]],
        mask=tuple(str(columns["video_mask"][number]) for number in video),
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
    """One label kind to compute for neighbouring rows."""

    kind: str  # key of LABELS
    span: tuple[int, int]  # first row, and the one after the last
    rows: Rows  # what they are made from, an entry a row of the span
    settings: Labelling
    cropping: Cropping
    root: Path  # the dataset's folder, for masks

    def blank(self) -> Pixels:
        """Return labels that say `no label possible`, and `nothing manipulated` for untouched faces."""
        low, high = self.span
        blank = np.full((high - low, self.cropping.size, self.cropping.size), NO_LABEL, dtype=LABELS[self.kind].dtype)
        blank[self.rows.real] = 0
        return blank


def label_shard(location: str, number: int, task: LabelTask) -> None:
    """Compute one label kind for the rows of one shard of the store at `location` and write them in one step."""
    group = store.open_group(location, "r+")
    store.write_shard(store.array_of(group, task.kind), number, label_rows(group, task))


def label_rows(group: store.Group, task: LabelTask) -> Pixels:
    """Compute one label kind for neighbouring rows of a store: an array of shape (rows, size, size)."""
    return SOURCES[LABELS[task.kind].source](group, task)


def _from_array(name: str, group: store.Group, task: LabelTask) -> Pixels:
    """Compute labels that are made from the same row of one stored array."""
    values = store.read(store.array_of(group, name), slice(*task.span))
    compute = LABELS[task.kind].compute
    return np.stack(
        [compute(value, task.settings, level) for value, level in zip(values, task.rows.own_level, strict=True)]
    )


def _from_pair(group: store.Group, task: LabelTask) -> Pixels:
    values, limit = task.blank(), LABELS[task.kind].limit
    for number, label in _of_pairs(group, task):
        region = trust.face_region(task.rows.landmarks[number], task.cropping.size)
        if limit is None or not trust.withheld(label, region, limit(task.settings)):
            values[number] = label
    return values


def _of_pairs(group: store.Group, task: LabelTask) -> Iterator[tuple[int, Pixels]]:
    """Compute the label of every row with a pair, in the order of the rows."""
    compute = LABELS[task.kind].compute
    known: dict[int, Pixels] = {}  # twins share their label
    for number in np.flatnonzero(~task.rows.real & (task.rows.pair != NO_PAIR)).tolist():
        fake, real = int(task.rows.fake[number]), int(task.rows.pair[number])
        if fake not in known:
            both = store.read(store.array_of(group, "image"), [fake, real])
            known[fake] = compute(*both, task.rows.settings(number, task.settings), task.rows.pair_level[number])
        yield number, known[fake]


def _from_mask(group: store.Group, task: LabelTask) -> Pixels:
    values = task.blank()
    wanted: dict[tuple[str, masks.How], list[int]] = {}
    for number in np.flatnonzero(~task.rows.real).tolist():
        if path := task.rows.mask[number]:
            first = int(task.rows.mask_first[number])
            inverted = bool(task.rows.mask_inverted[number])
            how = masks.How(
                None if first == UNTOLD else first,
                int(task.rows.turn[number]),
                inverted,
                *(tuple(values[number].tolist()) for values in (task.rows.course, task.rows.transform, task.rows.size)),
            )
            wanted.setdefault((path, how), []).append(number)
    for (path, how), numbers in wanted.items():
        if not archives.file_of(task.root / path).exists():
            raise ConfigError(
                f"The mask {task.root / path} was there when the store was begun and is gone. Bring it back, or name "
                "the dataset's folder with --root, and run the same command again."
            )
        with contextlib.suppress(DecodeError):  # how far a mask goes was recorded when its video was indexed
            for number, label in _read_masks(task, task.root / path, how, numbers):
                values[number] = label
    return values


def _read_masks(task: LabelTask, path: Path, how: masks.How, numbers: Sequence[int]) -> Iterator[tuple[int, Pixels]]:
    """Read one mask where the shard needs it, as far as it goes."""
    by_frame: dict[int, list[int]] = {}
    for number in numbers:
        by_frame.setdefault(int(task.rows.frame[number]), []).append(number)
    for index, grey in masks.read(path, sorted(by_frame), how):
        for row in by_frame[index]:
            size = task.rows.size[row].tolist()
            box = crops.rescale(task.rows.box[row], (size[0], size[1]), (grey.shape[1], grey.shape[0]))
            cropped = crops.crop_mask(grey, box, task.cropping)
            yield row, LABELS[task.kind].compute(cropped, task.settings, task.rows.own_level[row])


SOURCES: dict[str, Callable[[store.Group, LabelTask], Pixels]] = {
    "image": partial(_from_array, "image"),
    "hull": partial(_from_array, "hull"),
    "pair": _from_pair,
    "mask": _from_mask,
}
