"""The stages of a run, each a Dask map over groups of videos or over shards; finished ones are skipped."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.config import Recipe
from pipeline.crop import groups, staging
from pipeline.crop.row_table import Table
from pipeline.crop.staging import Part, Reject
from pipeline.errors import DamageError, TaskError
from pipeline.labels import NO_LABEL
from pipeline.manifest import REAL, Dataset
from pipeline.progress import Progress
from pipeline.stages import labelling
from pipeline.stages.cluster import Workers
from pipeline.store import seal
from pipeline.store.hashing import array_digest, row_digests
from pipeline.store.schema import IMAGE

FACES = "faces"  # title of the stage that finds and crops them


@dataclass(frozen=True)
class ReadBack:
    """Digests and counts of a sharded array, read again after it was written."""

    damaged: list[int]  # shards that cannot be read; all else is of the sound ones
    rows: list[bytes]  # digests, in order
    ones: NDArray[np.int64]  # pixels of value 1 in each row
    possible: NDArray[np.bool_]  # rows that have a label


def index_all(
    workers: Workers, dataset: Dataset, recipe: Recipe, folder: Path, device: str, progress: Progress
) -> list[Part]:
    """Stage every group of videos that is not staged yet; return all parts, in order.

    Raises
    ------
    TaskError
        Processes died, or were stopped for taking too long, on some groups. That may be the machine's fault (memory,
        preemption), so these are tried again by the next run; what fails in two runs is rejected.
    """
    every = groups.groups(dataset)
    todo = [group for group in every if not _staged(folder, group.number)]
    tasks = [
        (group, dataset.root, recipe, dataset.cropped, folder, device, dataset.exclusions_of(group.videos))
        for group in todo
    ]
    lost, again = 0, []
    with progress.stage(FACES, len(every)) as advance:
        advance(len(every) - len(todo), "")
        for outcome in workers.map(groups.index_group, tasks):
            group = todo[outcome.number]
            if outcome.failure and staging.has_failed(folder, group.number):
                with staging.new_part(folder, group.number) as (_, done):
                    done.append(_failed(group, recipe, outcome.failure))
            elif outcome.failure:
                staging.note_failure(folder, group.number, outcome.failure)
                again.append(f"{group.videos[0].path}: {outcome.failure}")
            else:
                lost += outcome.value[1]
            advance(1, f"{lost} rejected" if lost else "")
    if again:
        raise TaskError(
            f"{len(again)} of {len(every)} groups of videos could not be finished ({again[0]}). All others are kept: "
            "run the same command again to try these once more; what fails a second time is rejected."
        )
    return [staging.read_part(folder, group.number) for group in every]


def _staged(folder: Path, number: int) -> bool:
    """Tell whether a part can be used; one that a power cut or a disk has changed is deleted, and made again."""
    if not staging.part_path(folder, number).exists():
        return False
    if staging.is_sound(folder, number):
        return True
    staging.discard(folder, number)
    return False


def _failed(group: groups.Group, recipe: Recipe, failure: str) -> Part:
    """Return the part of a group whose task could not finish: all of it rejected."""
    rejects = tuple(
        Reject(video, -1, "faces", failure, recipe.sampling.count(video.method == REAL, video.split))
        for video in group.videos
    )
    return Part((), rejects, staging.as_columns([]))


def write_images(
    workers: Workers,
    location: str,
    table: Table,
    recipe: Recipe,
    folder: Path,
    progress: Progress,
    some: Sequence[int] | None = None,
) -> None:
    """Write the crops' shards from the staged parts: `some`, or those that are missing."""
    array = store.array_of(store.open_group(location, "r+"), IMAGE.name)
    tasks = []
    for number in store.missing_shards(array) if some is None else some:
        rows = slice(*store.shard_rows(array, number))
        tasks.append((location, number, folder, table.part[rows], table.offset[rows], recipe.cropping.size))
    _map(workers, write_image_shard, tasks, store.shard_count(array), "crops", progress)


def write_image_shard(
    location: str, number: int, folder: Path, part: NDArray[np.int64], offset: NDArray[np.int64], size: int
) -> None:
    """Collect one shard's crops from the staged parts and write it; `part` and `offset` have shape (rows,)."""
    images = np.empty((len(part), size, size, 3), dtype=np.uint8)
    for each in np.unique(part):
        rows = part == each
        images[rows] = staging.read_crops(folder, int(each), offset[rows], size)
    store.write_shard(store.array_of(store.open_group(location, "r+"), IMAGE.name), number, images)


def write_labels(
    workers: Workers,
    location: str,
    kind: str,
    rows: labelling.Rows,
    recipe: Recipe,
    root: Path,
    progress: Progress,
    some: Sequence[int] | None = None,
) -> None:
    """Write one label kind's shards: `some`, or those that are missing."""
    array = store.array_of(store.open_group(location, "r+"), kind)
    todo = store.missing_shards(array) if some is None else some
    tasks = []
    for number in todo:
        span = store.shard_rows(array, number)
        task = labelling.LabelTask(kind, span, rows.take(*span), recipe.labelling, recipe.cropping, root)
        tasks.append((location, number, task))
    _map(workers, labelling.label_shard, tasks, store.shard_count(array), kind, progress)


def read_back(workers: Workers, location: str, path: str, progress: Progress) -> ReadBack:
    """Read every shard of one array again, for its digest and its counts."""
    array = store.array_of(store.open_group(location), path)
    tasks = [(location, path, number) for number in range(store.shard_count(array))]
    found: dict[int, Any] = {}
    with progress.stage(f"check {path}", len(tasks)) as advance:
        for outcome in workers.map(read_shard, tasks):
            found[outcome.number] = _value(outcome)
            advance(1, "")
    ordered = [found[number] for number in range(len(tasks)) if found[number] is not None]
    return ReadBack(
        [number for number in range(len(tasks)) if found[number] is None],
        [digests for digests, _, _ in ordered],
        np.concatenate([ones for _, ones, _ in ordered]) if ordered else np.empty(0, np.int64),
        np.concatenate([possible for _, _, possible in ordered]) if ordered else np.empty(0, bool),
    )


def record(group: store.Group, path: str, read: ReadBack) -> str:
    """Record a number for each row of one array, and return the digest of all its values; as for `digest_of`."""
    digest = digest_of(group, path, read)
    seal.write_numbers(group, path, seal.numbers_of(read.rows))
    return digest


def digest_of(group: store.Group, path: str, read: ReadBack) -> str:
    """Return the digest of one array's values.

    Raises
    ------
    DamageError
        Some of its shards cannot be read.
    """
    array = store.array_of(group, path)
    if read.damaged:
        low, high = store.shard_rows(array, read.damaged[0])
        raise DamageError(
            f"{path}: {len(read.damaged)} shards cannot be read back, the first holds rows {low} to {high - 1}; "
            "forgery-prep verify lists them all."
        )
    return array_digest(path, str(array.dtype), array.shape, read.rows)


def read_shard(location: str, path: str, number: int) -> tuple[bytes, NDArray[np.int64], NDArray[np.bool_]] | None:
    """Read one shard: digests of its rows; pixels of value 1 and whether there is a label, of shape (rows,).

    None where the shard is damaged.
    """
    array = store.array_of(store.open_group(location), path)
    try:
        values = store.read(array, slice(*store.shard_rows(array, number)))
    except DamageError:
        return None
    flat = values.reshape(len(values), -1)
    return row_digests(values), (flat == 1).sum(axis=1), (flat != NO_LABEL).any(axis=1)


def _map(workers: Workers, function: Any, tasks: Sequence[Any], total: int, title: str, progress: Progress) -> None:
    with progress.stage(title, total) as advance:
        advance(total - len(tasks), "")
        for outcome in workers.map(function, tasks):
            _value(outcome)
            advance(1, "")


def _value(outcome: Any) -> Any:
    if outcome.failure:
        raise TaskError(
            f"Work on shard {outcome.number} failed: {outcome.failure}. Run the same command again to try once more."
        )
    return outcome.value
