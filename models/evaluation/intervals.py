"""Bootstrap intervals of figures of merit, drawing whole videos with replacement.

Frames of one video are alike: drawing frames would give intervals that are far too narrow.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.evaluation import metrics
from models.evaluation.metrics import Floats, Ints

LEVEL = 0.95
Drawn = Callable[[Floats], float | None]  # from how often each video was drawn, (videos,), to a figure
Interval = tuple[float, float]


def interval(drawn: Drawn, videos: int, rounds: int) -> Interval | None:
    """Return the middle 95 % of a figure's draws.

    Parameters
    ----------
    drawn : callable
        From `curve`, `ratio`, `mean` or `of_maps`; None for a draw that leaves the figure undefined.
    videos : int
    rounds : int
        Draws.

    Returns
    -------
    tuple of float, or None
        None where fewer than half of the draws have a value.
    """
    rng = np.random.default_rng(0)
    values = []
    for _ in range(rounds if videos else 0):
        times = np.bincount(rng.integers(videos, size=videos), minlength=videos).astype(np.float64)
        value = drawn(times)
        if value is not None:
            values.append(value)
    if not values or len(values) < rounds / 2:
        return None
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def curve(label: Ints, score: Floats, place: Ints, figure: Callable[[Floats, Floats], float]) -> Drawn:
    """Return a figure of the ROC curve.

    Parameters
    ----------
    label, score, place : ndarray of shape (n,)
        `place` is the number of each row's video, from 0.
    figure : callable
        From false and true positive rates, both rising from 0 to 1.
    """
    order = np.argsort(-score, kind="stable")  # sorted once, for every draw
    fake, place = label[order] == 1, place[order]
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # ties are one point of the curve

    def drawn(times: Floats) -> float | None:
        weight = times[place]
        true, false = (np.append(0, np.cumsum(weight * rows)[ends]) for rows in (fake, ~fake))
        return figure(false / false[-1], true / true[-1]) if false[-1] and true[-1] else None

    return drawn


def ratio(part: NDArray[np.generic], whole: NDArray[np.generic], place: Ints) -> Drawn:
    """Return the sum of `part` over that of `whole`, both of shape (n,)."""
    count = int(place.max(initial=-1)) + 1
    parts, wholes = (np.bincount(place, weights=values, minlength=count) for values in (part, whole))

    def drawn(times: Floats) -> float | None:
        total = float(times @ wholes)
        return float(times @ parts) / total if total else None

    return drawn


def mean(several: Sequence[Drawn]) -> Drawn:
    """Return the mean of those of several figures that a draw leaves defined."""

    def drawn(times: Floats) -> float | None:
        values = [value for each in several if (value := each(times)) is not None]
        return sum(values) / len(values) if values else None

    return drawn


def of_maps(metric: str, counts: Ints, label: Ints, place: Ints) -> Drawn | None:
    """Return the mean over images of one of `metrics.localisation`, or `..._fake` and `..._real` of some of them.

    Parameters
    ----------
    metric : str
    counts : ndarray of shape (n, 4)
        From `metrics.pixel_counts`.
    label, place : ndarray of shape (n,)

    Returns
    -------
    callable or None
        None for a metric of another name.
    """
    values = metrics.localisation(counts)
    name, _, kind = metric.partition("_")
    if name not in values or kind not in ("", "fake", "real"):
        return None
    wanted = ~np.isnan(values[name]) & ((label == (kind == "fake")) | (not kind))
    return ratio(np.where(wanted, values[name], 0), wanted, place)
