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
from pipeline.errors import TaskError
from pipeline.labels import NO_LABEL
from pipeline.manifest import REAL, Dataset
from pipeline.progress import Progress
from pipeline.stages import labelling
from pipeline.stages.cluster import Workers
from pipeline.store.hashing import row_digests
from pipeline.store.schema import IMAGE

FACES = "faces"  # title of the stage that finds and crops them


@dataclass(frozen=True)
class ReadBack:
    """Digests and counts of a sharded array, read again after it was written."""

    rows: list[bytes]  # digests, in order
    ones: NDArray[np.int64]  # pixels of value 1 in each row
    possible: NDArray[np.bool_]  # rows that have a label


def index_all(
    workers: Workers, dataset: Dataset, recipe: Recipe, folder: Path, device: str, progress: Progress
) -> list[Part]:
    """Stage every group of videos that is not staged yet; return all parts, in order."""
    every = groups.groups(dataset)
    todo = [group for group in every if not staging.part_path(folder, group.number).exists()]
    tasks = [(group, dataset.root, recipe, dataset.cropped, folder, device) for group in todo]
    lost = 0
    with progress.stage(FACES, len(every)) as advance:
        advance(len(every) - len(todo), "")
        for outcome in workers.map(groups.index_group, tasks):
            group = todo[outcome.number]
            if outcome.failure:
                with staging.new_part(folder, group.number) as (_, done):
                    done.append(_failed(group, recipe, outcome.failure))
            else:
                lost += outcome.value[1]
            advance(1, f"{lost} rejected" if lost else "")
    return [staging.read_part(folder, group.number) for group in every]


def _failed(group: groups.Group, recipe: Recipe, failure: str) -> Part:
    """Return the part of a group whose task could not finish: all of it rejected."""
    rejects = tuple(
        Reject(video, -1, "faces", failure, recipe.sampling.count(video.method == REAL, video.split))
        for video in group.videos
    )
    return Part((), rejects, staging.as_columns([]))


def write_images(
    workers: Workers, location: str, table: Table, recipe: Recipe, folder: Path, progress: Progress
) -> None:
    """Write the crops' shards from the staged parts."""
    array = store.array_of(store.open_group(location, "r+"), IMAGE.name)
    todo = store.missing_shards(array)
    tasks = []
    for number in todo:
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
    *,
    again: bool,
) -> None:
    """Write one label kind's shards: those that are missing, or all of them again."""
    array = store.array_of(store.open_group(location, "r+"), kind)
    todo = list(range(store.shard_count(array))) if again else store.missing_shards(array)
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
    ordered = [found[number] for number in range(len(tasks))]
    return ReadBack(
        [digests for digests, _, _ in ordered],
        np.concatenate([ones for _, ones, _ in ordered]) if ordered else np.empty(0, np.int64),
        np.concatenate([possible for _, _, possible in ordered]) if ordered else np.empty(0, bool),
    )


def read_shard(location: str, path: str, number: int) -> tuple[bytes, NDArray[np.int64], NDArray[np.bool_]]:
    """Read one shard: the digests of its rows; pixels of value 1, and whether there is a label, of shape (rows,)."""
    array = store.array_of(store.open_group(location), path)
    values = store.read(array, slice(*store.shard_rows(array, number)))
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
