"""Label kinds over a store's rows: what each row is computed from, and the task that writes one shard."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.config import Cropping, Labelling
from pipeline.crop import crops
from pipeline.crop.row_table import least_compressed, level
from pipeline.errors import DecodeError
from pipeline.labels import LABELS, NO_LABEL
from pipeline.store import Names
from pipeline.store.schema import NO_PAIR
from pipeline.video import frames

Pixels = NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """What the labels of some rows are made from; every array has one entry a row."""

    real: NDArray[np.bool_]  # an untouched face: nothing is manipulated
    fake: NDArray[np.int64]  # row of the least compressed twin that has a pair
    pair: NDArray[np.int64]  # that twin's real; NO_PAIR where there is none
    own_level: tuple[str, ...]  # of the row itself
    pair_level: tuple[str, ...]  # of the twin
    mask: tuple[str, ...]  # path of the mask relative to the root; "" = none
    frame: NDArray[np.int32]
    box: NDArray[np.float32]
    size: NDArray[np.int32]  # (width, height) of the row's video

    def take(self, low: int, high: int) -> "Rows":
        """Return the entries of rows low to high."""
        return Rows(**{name: values[low:high] for name, values in vars(self).items()})


def rows_of(columns: Mapping[str, NDArray[Any]], names: Names) -> Rows:
    """Find out, for every row of a store, what its labels are made from."""
    fake = least_compressed(columns, columns["video_id"])
    video = columns["video"]
    levels = [level(names.compression[code], path) for code, path in zip(*_compression_of_videos(columns), strict=True)]
    own = tuple(levels[number] for number in video)
    return Rows(
        real=columns["method"] == 0,
        fake=fake,
        pair=columns["real"][fake],
        own_level=own,
        pair_level=tuple(own[row] for row in fake),
        mask=tuple(str(columns["video_mask"][number]) for number in video),
        frame=columns["frame"],
        box=columns["box"],
        size=np.stack([columns["video_width"][video], columns["video_height"][video]], axis=1),
    )


def _compression_of_videos(columns: Mapping[str, NDArray[Any]]) -> tuple[list[int], list[str]]:
    paths = [str(path) for path in columns["video_path"]]
    codes = [0] * len(paths)  # a video without rows: never asked for
    for number, code in zip(columns["video"].tolist(), columns["compression"].tolist(), strict=True):
        codes[number] = code
    return codes, paths


def label_shard(
    location: str, kind: str, number: int, rows: Rows, settings: Labelling, cropping: Cropping, root: str
) -> None:
    """Compute one label kind for the rows of one shard and write them in one step.

    Parameters
    ----------
    location : str
        The store.
    kind : str
        Key of LABELS.
    number : int
        Of the shard.
    rows : Rows
        Of the shard alone.
    settings : Labelling
    cropping : Cropping
    root : str
        The dataset's folder, for masks.
    """
    group = store.open_group(location, "r+")
    array = store.array_of(group, kind)
    store.write_shard(
        array, number, label_rows(group, kind, store.shard_rows(array, number), rows, settings, cropping, root)
    )


def label_rows(
    group: store.Group,
    kind: str,
    span: tuple[int, int],
    rows: Rows,
    settings: Labelling,
    cropping: Cropping,
    root: str,
) -> Pixels:
    """Compute one label kind for neighbouring rows; `span` is the first and the one after the last."""
    return SOURCES[LABELS[kind].source](_Task(group, span, rows, settings, cropping, Path(root), kind))


@dataclass(frozen=True)
class _Task:
    group: store.Group
    span: tuple[int, int]
    rows: Rows
    settings: Labelling
    cropping: Cropping
    root: Path
    kind: str

    def blank(self) -> Pixels:
        """Return labels that say `no label possible`, and `nothing manipulated` for untouched faces."""
        low, high = self.span
        blank = np.full((high - low, self.cropping.size, self.cropping.size), NO_LABEL, dtype=LABELS[self.kind].dtype)
        blank[self.rows.real] = 0
        return blank

    def array(self, name: str) -> store.Array:
        """Return one of the store's arrays."""
        return store.array_of(self.group, name)


def _from_image(task: _Task) -> Pixels:
    images = store.read(task.array("image"), slice(*task.span))
    compute = LABELS[task.kind].compute
    return np.stack(
        [compute(image, task.settings, level) for image, level in zip(images, task.rows.own_level, strict=True)]
    )


def _from_hull(task: _Task) -> Pixels:
    hulls = store.read(task.array("hull"), slice(*task.span))
    compute = LABELS[task.kind].compute
    return np.stack(
        [compute(hull, task.settings, level) for hull, level in zip(hulls, task.rows.own_level, strict=True)]
    )


def _from_pair(task: _Task) -> Pixels:
    values, compute = task.blank(), LABELS[task.kind].compute
    known: dict[int, Pixels] = {}  # twins share their label
    for number in np.flatnonzero(~task.rows.real & (task.rows.pair != NO_PAIR)):
        fake, real = int(task.rows.fake[number]), int(task.rows.pair[number])
        if fake not in known:
            both = store.read(task.array("image"), [fake, real])
            known[fake] = compute(*both, task.settings, task.rows.pair_level[number])
        values[number] = known[fake]
    return values


def _from_mask(task: _Task) -> Pixels:
    values = task.blank()
    wanted: dict[str, list[int]] = {}
    for number in np.flatnonzero(~task.rows.real).tolist():
        if path := task.rows.mask[number]:
            wanted.setdefault(path, []).append(number)
    for path, numbers in wanted.items():
        with contextlib.suppress(DecodeError):  # how far a mask goes was recorded when its video was indexed
            for number, label in _read_masks(task, path, numbers):
                values[number] = label
    return values


def _read_masks(task: _Task, path: str, numbers: Sequence[int]) -> Iterator[tuple[int, Pixels]]:
    """Read one mask video where the shard needs it, as far as it goes."""
    by_frame: dict[int, list[int]] = {}
    for number in numbers:
        by_frame.setdefault(int(task.rows.frame[number]), []).append(number)
    probe = frames.probe(task.root / path)
    for index, picture in frames.read(task.root / path, sorted(by_frame)):
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        for row in by_frame[index]:
            size = task.rows.size[row].tolist()
            box = crops.rescale(task.rows.box[row], (size[0], size[1]), (probe.width, probe.height))
            cropped = crops.crop_mask(np.asarray(grey), box, task.cropping)
            yield row, LABELS[task.kind].compute(cropped, task.settings, task.rows.own_level[row])


SOURCES: dict[str, Callable[[_Task], Pixels]] = {
    "image": _from_image,
    "hull": _from_hull,
    "pair": _from_pair,
    "mask": _from_mask,
}
