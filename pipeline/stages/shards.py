"""The stages of a run, each a Dask map over groups of videos or over shards; finished ones are skipped."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.config import Recipe
from pipeline.crew import Crew, Made
from pipeline.crop import groups, staging
from pipeline.crop.known import Span
from pipeline.crop.row_table import Table
from pipeline.crop.staging import Part, Reject
from pipeline.errors import TaskError
from pipeline.manifest import REAL, Dataset
from pipeline.progress import Progress
from pipeline.stages import labelling, shared_masks
from pipeline.store.hashing import row_digests
from pipeline.store.schema import IMAGE

FACES = "faces"  # title of the stage that finds and crops them
Written = Mapping[tuple[str, int], bytes]  # digests of the rows of shards, by array and number


def index_all(
    workers: Crew,
    dataset: Dataset,
    recipe: Recipe,
    folder: Path,
    device: str,
    progress: Progress,
    known: Mapping[int, Sequence[Span]] | None = None,
) -> list[Part]:
    """Stage every group of videos that is not staged yet; return all parts, in order.

    `known` says, by the number of a group, what finished stores have of some of its files.

    Raises
    ------
    TaskError
        Processes died, or were stopped for taking too long, on some groups. That may be the machine's fault (memory,
        preemption), so these are tried again by the next run; what fails in two runs is rejected.
    """
    every = groups.groups(dataset)
    todo = [group for group in every if not _staged(folder, group.number)]
    tasks = [
        (
            *(group, dataset.root, recipe, dataset.cropped, folder, device, dataset.exclusions_of(group.videos)),
            (known or {}).get(group.number, ()),
        )
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
    return staging.in_blocks(staging.read_part(folder, group.number) for group in every)


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
    workers: Crew,
    location: str,
    table: Table,
    recipe: Recipe,
    folder: Path,
    progress: Progress,
    some: Sequence[int] | None = None,
) -> Written:
    """Write the crops' shards from the staged parts: `some`, or those that are missing; return their rows' digests."""
    array = store.array_of(store.open_group(location, "r+"), IMAGE.name)
    numbers = store.missing_shards(array) if some is None else some
    tasks = []
    for number in numbers:
        rows = slice(*store.shard_rows(array, number))
        tasks.append((location, number, folder, table.part[rows], table.offset[rows], recipe.cropping.size))
    made = on_shards(workers, write_image_shard, tasks, store.shard_count(array), "crops", progress)
    return {(IMAGE.name, number): digests for number, digests in zip(numbers, made, strict=True)}


def write_image_shard(
    location: str, number: int, folder: Path, part: NDArray[np.int64], offset: NDArray[np.int64], size: int
) -> bytes:
    """Collect one shard's crops from the staged parts and write it; return the digests of its rows.

    `part` and `offset` have shape (rows,).
    """
    images = np.empty((len(part), size, size, 3), dtype=np.uint8)
    for each in np.unique(part):
        rows = part == each
        images[rows] = staging.read_crops(folder, int(each), offset[rows], size)
    store.write_shard(store.array_of(store.open_group(location, "r+"), IMAGE.name), number, images)
    return row_digests(images)


def write_labels(
    workers: Crew,
    location: str,
    todo: Mapping[str, Collection[int]],
    rows: labelling.Rows,
    recipe: Recipe,
    root: Path,
    progress: Progress,
    lent: Mapping[str, labelling.Lent] | None = None,
) -> Written:
    """Compute and write shards of labels, numbered by kind in `todo`; all kinds of a shard are one task.

    What is `lent`, by kind, is not computed but read.

    Returns
    -------
    dict of (str, int) to bytes
        Digests of the rows of every shard that was written, by kind and number.
    """
    numbers = sorted({number for some in todo.values() for number in some})
    array = store.array_of(store.open_group(location, "r+"), IMAGE.name)
    spans = {number: store.shard_rows(array, number) for number in numbers}

    def decode(some: Sequence[shared_masks.Decoding]) -> None:
        on_shards(workers, shared_masks.decode, some, len(some), "masks", progress)

    def task_of(
        kinds: tuple[str, ...], some: labelling.Rows, span: tuple[int, int], **more: Any
    ) -> labelling.LabelTask:
        return labelling.LabelTask(kinds, span, some, recipe.labelling, recipe.cropping, root, **more)

    wanted = {kind: [spans[number] for number in sorted(some)] for kind, some in todo.items()}
    with shared_masks.decoded(location, wanted, rows, lent or {}, task_of, decode) as staged:
        numbers_of = {kind: frozenset(some) for kind, some in todo.items()}

        def task(number: int) -> tuple[Any, ...]:
            span = spans[number]
            kinds = tuple(kind for kind, some in numbers_of.items() if number in some)
            known = {kind: lent[kind].take(*span) for kind in kinds if lent and kind in lent}
            return location, number, replace(task_of(kinds, rows.take(*span), span), staged=staged), known

        total = store.shard_count(array)
        made = on_shards(workers, labelling.label_shard, Made(task, numbers), total, "labels", progress)
    return {(kind, number): each[kind] for number, each in zip(numbers, made, strict=True) for kind in each}


def on_shards(
    workers: Crew, function: Any, tasks: Sequence[Any], total: int, title: str, progress: Progress
) -> list[Any]:
    """Call a function for each of some shards of all `total`, and return its values in the order of the tasks.

    Raises
    ------
    TaskError
        A task could not finish.
    """
    found: dict[int, Any] = {}
    with progress.stage(title, total) as advance:
        advance(total - len(tasks), "")
        for outcome in workers.map(function, tasks):
            if outcome.failure:
                raise TaskError(f"{title}: a shard failed: {outcome.failure}. Run the same command again to try again.")
            found[outcome.number] = outcome.value
            advance(1, "")
    return [found[number] for number in range(len(tasks))]
