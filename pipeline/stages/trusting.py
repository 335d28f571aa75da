"""Trust in the labels of every row, measured on what is stored: a task for one shard, and the columns from all."""

import contextlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.config import Recipe
from pipeline.errors import DamageError, TaskError
from pipeline.labels import LABELS, NO_LABEL, trust
from pipeline.progress import Progress
from pipeline.stages import labelling
from pipeline.stages.cluster import Workers
from pipeline.store.schema import IMAGE, NO_PAIR, ROWS, WITHHELD

Columns = dict[str, NDArray[Any]]
COLUMNS = ("background", "agreement_ssim", "agreement_hull", "withheld")  # of the store, all measured here


def measure(crew: Workers, location: str, rows: labelling.Rows, recipe: Recipe, progress: Progress) -> Columns:
    """Measure every row of a store whose labels are written.

    Returns
    -------
    dict of str to ndarray of shape (rows,)
        `COLUMNS`.
    """
    array = store.array_of(store.open_group(location), IMAGE.name)
    spans = [store.shard_rows(array, number) for number in range(store.shard_count(array))]
    found: dict[int, Columns] = {}
    with progress.stage("trust", len(spans)) as advance:
        tasks = [(location, span, rows.take(*span), recipe) for span in spans]
        for outcome in crew.map(measure_rows, tasks):
            if outcome.failure:
                raise TaskError(f"Rows from {spans[outcome.number][0]} on could not be measured: {outcome.failure}.")
            found[outcome.number] = outcome.value
            advance(1, "")
    return {name: np.concatenate([found[number][name] for number in range(len(spans))]) for name in COLUMNS}


def measure_rows(location: str, span: tuple[int, int], rows: labelling.Rows, recipe: Recipe) -> Columns:
    """Measure neighbouring rows; arrays of shape (rows of the span,), as `measure` returns them."""
    group = store.open_group(location)
    labels = _stored(group, span)
    found = _blank(rows)
    for number in np.flatnonzero(~rows.real & (rows.pair != NO_PAIR)).tolist():
        region = trust.face_region(rows.landmarks[number], recipe.cropping.size)
        for kind, flag in WITHHELD.items():
            if kind not in labels:
                continue
            label = labels[kind][number]
            if "mask" in labels:
                found[f"agreement_{kind}"][number] = trust.agreement(label, labels["mask"][number])
            if (label == NO_LABEL).all():
                found["withheld"][number] |= flag
                label = _again(group, kind, rows, number, recipe) if kind == "ssim" else label
            if kind == "ssim":
                found["background"][number] = trust.background(label, region)
    return found


def add_missing(group: store.Group, columns: Mapping[str, NDArray[Any]], recipe: Recipe) -> None:
    """Make the columns' arrays in a store that was begun before there were any."""
    for spec in ROWS:
        if spec.name in COLUMNS and spec.name not in group:
            store.add_array(group, spec, {"sample": len(columns["frame"])}, recipe.chunking, parameters={})


def _blank(rows: labelling.Rows) -> Columns:
    count = len(rows.real)
    found: Columns = {name: np.full(count, np.nan, np.float32) for name in COLUMNS}
    found["background"][rows.real] = 0
    return found | {"withheld": np.zeros(count, np.uint8)}


def _stored(group: store.Group, span: tuple[int, int]) -> Columns:
    """Read the rows' labels; kinds that are not there, or damaged, are left out: verify says so."""
    labels = {}
    for kind in ("ssim", "hull", "mask"):
        if kind in group:
            with contextlib.suppress(DamageError):
                labels[kind] = store.read(store.array_of(group, kind), slice(*span))
    return labels


def _again(group: store.Group, kind: str, rows: labelling.Rows, number: int, recipe: Recipe) -> NDArray[Any]:
    """Compute a label that was withheld."""
    both = store.read(store.array_of(group, IMAGE.name), [int(rows.fake[number]), int(rows.pair[number])])
    return LABELS[kind].compute(*both, rows.settings(number, recipe.labelling), rows.pair_level[number])
