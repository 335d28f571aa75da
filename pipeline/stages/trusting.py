"""Trust in the labels of every row, measured on the stored labels of one shard after the other."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.config import Recipe
from pipeline.labels import LABELS, NO_LABEL, trust
from pipeline.stages import labelling
from pipeline.store.schema import NO_PAIR, ROWS, WITHHELD

Columns = dict[str, NDArray[Any]]
COLUMNS = ("background", "agreement_ssim", "agreement_hull", "withheld")  # of the store, all measured here
KINDS = ("ssim", "hull", "mask")  # labels that they are measured on


def measure_rows(
    group: store.Group, labels: Mapping[str, NDArray[Any]], rows: labelling.Rows, recipe: Recipe
) -> Columns:
    """Measure neighbouring rows.

    Parameters
    ----------
    group : store.Group
        The store, for the crops of labels that were withheld.
    labels : mapping of str to ndarray of shape (rows, size, size)
        Stored labels by their kind, some of `KINDS`.
    rows : Rows
        Of these rows alone.
    recipe : Recipe

    Returns
    -------
    dict of str to ndarray of shape (rows,)
        `COLUMNS`.
    """
    found = _blank(rows)
    regions: dict[int, NDArray[np.uint8]] = {}  # of a real face; all its fakes have the same
    for number in np.flatnonzero(~rows.real & (rows.pair != NO_PAIR)).tolist():
        pair = int(rows.pair[number])
        if pair not in regions:
            regions[pair] = trust.face_region(rows.landmarks[number], recipe.cropping.size)
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
                found["background"][number] = trust.background(label, regions[pair])
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


def _again(group: store.Group, kind: str, rows: labelling.Rows, number: int, recipe: Recipe) -> NDArray[Any]:
    """Compute a label that was withheld."""
    fake, real = int(rows.fake[number]), int(rows.pair[number])
    crops = labelling.Crops(group, (fake, real))
    settings = rows.settings(number, recipe.labelling)
    return LABELS[kind].compute(crops[fake], crops[real], settings, rows.pair_level[number])
