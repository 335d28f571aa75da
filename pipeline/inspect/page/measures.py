"""Numbers about a store's rows for the page: from the columns of all rows, from the pixels of a sample of them."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.labels import LABELS

SAMPLE = 400  # rows whose pixels are read, evenly spaced in the store's order
Columns = Mapping[str, NDArray[Any]]
Values = dict[str, NDArray[np.float64]]


def sample(rows: int) -> NDArray[np.int64]:
    """Return the rows whose pixels are read."""
    return np.unique(np.linspace(0, max(rows - 1, 0), min(SAMPLE, rows)).round().astype(np.int64))


def of_pixels(group: store.Group, rows: NDArray[np.int64]) -> tuple[Values, dict[tuple[str, str], list[float]]]:
    """Measure rows one by one, so that only one is in memory.

    Returns
    -------
    values : dict of str to ndarray of shape (n,)
        `brightness` (grey levels), `blur` (variance of the Laplacian), `noise` (mean magnitude, grey levels), and for
        each binary label kind the share of the crop that is manipulated; NaN where unknown.
    overlap : dict of (kind, kind) to list of float
        Intersection over union of two binary label kinds in the rows where either marks something.
    """
    kinds = [kind for kind in LABELS if kind in group]
    flat = [kind for kind in kinds if LABELS[kind].flags]
    found: dict[str, list[float]] = {name: [] for name in ("brightness", "blur", *kinds)}
    overlap: dict[tuple[str, str], list[float]] = {}
    arrays = {name: store.array_of(group, name) for name in ("image", *kinds)}
    for row in rows:
        values = {name: store.read(array, [int(row)])[0] for name, array in arrays.items()}
        grey = cv2.cvtColor(values["image"], cv2.COLOR_RGB2GRAY)
        found["brightness"].append(float(grey.mean()))
        found["blur"].append(float(cv2.Laplacian(grey, cv2.CV_64F).var()))
        for kind in kinds:
            found[kind].append(_amount(kind, values[kind]))
        for place, one in enumerate(flat):
            for other in flat[place + 1 :]:
                share = _overlap(values[one], values[other])
                if share is not None:
                    overlap.setdefault((one, other), []).append(share)
    return {name: np.array(values) for name, values in found.items()}, overlap


def _amount(kind: str, values: NDArray[Any]) -> float:
    about = LABELS[kind]
    if about.scale is not None:
        return float(np.abs(values.astype(np.float64)).mean() * about.scale)
    known = values <= 1
    return float(values[known].mean()) if known.any() else float("nan")


def _overlap(one: NDArray[Any], other: NDArray[Any]) -> float | None:
    known = (one <= 1) & (other <= 1)
    union = ((one == 1) | (other == 1)) & known
    if not union.any():
        return None
    return float(((one == 1) & (other == 1) & known).sum() / union.sum())


def split_by(values: NDArray[Any], codes: NDArray[Any], names: tuple[str, ...]) -> Values:
    """Divide values by a column of codes."""
    return {names[code]: np.asarray(values[codes == code], np.float64) for code in np.unique(codes)}
