"""Labels that are made from the dataset's masks, for the rows of one task."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.crop import crops, masks
from pipeline.errors import ConfigError, DecodeError
from pipeline.labels import LABELS
from pipeline.store.schema import UNTOLD
from pipeline.video import archives

if TYPE_CHECKING:
    from pipeline.stages.labelling import LabelTask

Placed = tuple[int, NDArray[np.uint8]]  # place of a row in its task, and its label of shape (size, size)


def labels_of(task: "LabelTask", kind: str) -> Iterator[Placed]:
    """Give the labels of rows that have a mask, by their place in the task; each mask is decoded once, or was."""
    staged = task.staged.get(kind, {})
    wanted: dict[tuple[str, masks.How], list[int]] = {}
    for number in np.flatnonzero(~task.rows.real).tolist():
        if (path := task.rows.mask[number]) and path not in staged:
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
            yield from _read_masks(task, kind, task.root / path, how, numbers)
    for path in {*task.rows.mask} & staged.keys():
        yield from kept(staged[path], task.span, task.cropping.size)


def kept(file: Path, span: tuple[int, int], size: int) -> Iterator[Placed]:
    """Give the labels that a file of `stages.shared_masks` has of rows of a span, by their place in it."""
    with np.load(file) as members:
        rows, bits = members["rows"], members["bits"]
    for at in np.flatnonzero((rows >= span[0]) & (rows < span[1])).tolist():
        yield int(rows[at]) - span[0], np.unpackbits(bits[at], count=size * size).reshape(size, size)


def _read_masks(task: "LabelTask", kind: str, path: Path, how: masks.How, numbers: Sequence[int]) -> Iterator[Placed]:
    """Read one mask where the shard needs it, as far as it goes."""
    by_frame: dict[int, list[int]] = {}
    for number in numbers:
        by_frame.setdefault(int(task.rows.frame[number]), []).append(number)
    for index, grey in masks.read(path, sorted(by_frame), how):
        known: dict[tuple[bytes, bytes], NDArray[np.uint8]] = {}  # the compressions of a face share their box
        for row in by_frame[index]:
            box, size = task.rows.box[row], task.rows.size[row]
            key = (box.tobytes(), size.tobytes())
            if key not in known:
                scaled = crops.rescale(box, (int(size[0]), int(size[1])), (grey.shape[1], grey.shape[0]))
                known[key] = crops.crop_mask(grey, scaled, task.cropping)
            yield row, LABELS[kind].compute(known[key], task.settings, task.rows.own_level[row])
