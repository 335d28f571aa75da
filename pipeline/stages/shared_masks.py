"""Masks that several shards need, decoded once: their labels wait, one bit a pixel, until the shards are written."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.labels import LABELS
from pipeline.stages import mask_labels
from pipeline.stages.labelling import LabelTask, Lent, Rows
from pipeline.store.lock import staging_of
from pipeline.store.writing import writing

FOLDER = "masks"  # in the staging folder
Span = tuple[int, int]  # first row, and the one after the last
Decoding = tuple[Path, LabelTask, NDArray[np.int64]]  # arguments of `decode`


@contextlib.contextmanager
def decoded(
    location: str,
    wanted: Mapping[str, Sequence[Span]],
    rows: Rows,
    lent: Mapping[str, Lent],
    task_of: Callable[[tuple[str, ...], Rows, Span], LabelTask],
    decode_all: Callable[[Sequence[Decoding]], None],
) -> Iterator[dict[str, dict[str, Path]]]:
    """Have every mask that several shards need decoded once, and keep its labels until the block ends.

    Parameters
    ----------
    location : str
        Of the store.
    wanted : mapping
        By kind, the rows of each shard that is to be written.
    rows : Rows
        Of the whole store.
    lent : mapping of str to Lent
        Labels that are taken over, by kind: no mask is read for them.
    task_of : callable
        Returns the task for label kinds of some rows, which are numbered by a span.
    decode_all : callable
        Calls `decode` with each of many arguments.

    Yields
    ------
    dict of str to dict of str to Path
        Files with the labels, by kind and path of the mask: `LabelTask.staged`.
    """
    folder = staging_of(location) / FOLDER
    staged: dict[str, dict[str, Path]] = {}
    tasks: list[Decoding] = []
    for kind in [kind for kind in wanted if LABELS[kind].source == "mask" and LABELS[kind].flags]:  # one bit a pixel
        staged[kind] = {}
        for path, numbers in shared(wanted[kind], rows, lent.get(kind)).items():
            staged[kind][path] = folder / f"{len(tasks):06d}.npz"
            tasks.append((staged[kind][path], task_of((kind,), rows.pick(numbers), (0, len(numbers))), numbers))
    if not tasks:
        yield {}
        return
    with writing(str(folder)):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    try:
        decode_all(tasks)
        yield staged
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # what else is staged stays
            folder.parent.rmdir()


def shared(spans: Sequence[Span], rows: Rows, lent: Lent | None = None) -> dict[str, NDArray[np.int64]]:
    """Return, by path, the rows of those masks that rows of several spans are labelled from."""
    found: dict[str, list[list[int]]] = {}  # rows, by span
    for low, high in spans:
        idle = rows.real[low:high] if lent is None else rows.real[low:high] | (lent.store[low:high] >= 0)
        paths = ["" if skipped else path for skipped, path in zip(idle.tolist(), rows.mask[low:high], strict=True)]
        here: dict[str, list[int]] = {}
        for row, path in enumerate(paths, low):
            here.setdefault(path, []).append(row)
        for path in here.keys() - {""}:
            found.setdefault(path, []).append(here[path])
    return {path: np.concatenate(some) for path, some in sorted(found.items()) if len(some) > 1}


def decode(file: Path, task: LabelTask, numbers: NDArray[np.int64]) -> None:
    """Decode one mask and keep its labels; `numbers` has, of each row of the task, its row of the store."""
    (kind,) = task.kinds
    found = dict(mask_labels.labels_of(task, kind))
    length = -(-(task.cropping.size**2) // 8)
    bits = np.array([np.packbits(label) for label in found.values()], np.uint8).reshape(len(found), length)
    draft = file.with_name(f"{file.name}.{os.getpid()}")  # a task that was given up for dead may still run beside this
    with writing(str(file)):
        with draft.open("wb") as stream:
            np.savez(stream, rows=numbers[np.fromiter(found, np.int64)], bits=bits)
        draft.replace(file)
