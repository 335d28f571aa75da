"""Thresholds of the `ssim` label measured for each pair of videos: a task for one fake, and the column from all."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.config import Labelling, Recipe
from pipeline.crew import Crew
from pipeline.errors import TaskError
from pipeline.labels import noise_floor, trust
from pipeline.progress import Progress
from pipeline.stages import labelling
from pipeline.store import stored_names
from pipeline.store.schema import NO_PAIR, THRESHOLD
from pipeline.video import sampling

MEASURED = 12  # crops of a fake
Columns = Mapping[str, NDArray[Any]]


def wanted(recipe: Recipe) -> bool:
    """Tell whether a store made with a recipe has the column."""
    return recipe.labelling.threshold == "measured" and "ssim" in recipe.labelling.kinds


def settle(
    crew: Crew, location: str, columns: Columns, recipe: Recipe, again: bool, progress: Progress
) -> dict[str, NDArray[np.float32]]:
    """Bring the column in line with the recipe: measured where it has to be, else deleted.

    Parameters
    ----------
    crew : Crew
    location : str
    columns : mapping
        The store's.
    recipe : Recipe
    again : bool
        The labels are made anew: measure although there is a column.
    progress : Progress

    Returns
    -------
    dict
        The column under its name, shape (videos,); with NaN alone where the recipe's table decides.
    """
    group, name, videos = store.open_group(location, "r+"), THRESHOLD.name, len(columns["video_id"])
    if not wanted(recipe):
        store.delete_group(group, name)
        return {name: np.full(videos, np.nan, np.float32)}
    if not again and name in columns and not store.missing_shards(store.array_of(group, name)):
        return {name: columns[name]}
    measured = measure(crew, location, columns, recipe, progress)
    store.add_array(group, THRESHOLD, {"video": videos}, recipe.chunking, parameters={"crops": MEASURED})
    store.write_column(group, name, measured)
    return {name: measured}


def measure(crew: Crew, location: str, columns: Columns, recipe: Recipe, progress: Progress) -> NDArray[np.float32]:
    """Measure the threshold of every fake with a pair on evenly spread crops; a column of shape (videos,).

    A video whose labels come from a less compressed twin has that twin's.
    """
    rows = labelling.rows_of(columns, stored_names(store.open_group(location)))
    paired = np.flatnonzero(~rows.real & (rows.pair != NO_PAIR))
    twins = np.unique(rows.fake[paired])
    twins = twins[np.argsort(columns["video"][twins], kind="stable")]
    videos, first = np.unique(columns["video"][twins], return_index=True)
    tasks = []
    for own in np.split(twins, first[1:]) if len(twins) else ():
        some = sampling.subset(own, MEASURED)
        pairs = [(int(row), int(rows.pair[row])) for row in some]
        tasks.append((location, pairs, rows.landmarks[some], rows.own_level[some[0]], recipe.labelling))
    found = np.full(len(columns["video_id"]), np.nan, np.float32)
    with progress.stage("thresholds", len(videos)) as advance:
        for outcome in crew.map(measure_fake, tasks):
            if outcome.failure:
                path = columns["video_path"][videos[outcome.number]]
                raise TaskError(f"The threshold of {path} could not be measured: {outcome.failure}.")
            found[videos[outcome.number]] = outcome.value
            advance(1, "")
    shown, first = np.unique(columns["video"][paired], return_index=True)
    result = np.full_like(found, np.nan)
    result[shown] = found[columns["video"][rows.fake[paired[first]]]]
    return result


def measure_fake(
    location: str, pairs: Sequence[tuple[int, int]], landmarks: NDArray[np.float32], level: str, settings: Labelling
) -> float:
    """Measure one fake's threshold from its crops and its real's, given by their rows in the store."""
    crops = labelling.Crops(store.open_group(location), chain(*pairs))

    def compared(number: int) -> noise_floor.Pair:
        fake, real = (crops[row] for row in pairs[number])
        return fake, real, trust.face_region(landmarks[number], fake.shape[0])

    return noise_floor.threshold((compared(number) for number in range(len(pairs))), settings, level)
