"""Metrics by a network's task: real against fake, or several classes told apart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation import intervals, metrics
from models.evaluation.intervals import Drawn, Interval
from models.evaluation.metrics import Figures, Floats, Ints

Bools = NDArray[np.bool_]
CURVES: Mapping[str, Callable[[Floats, Floats], float]] = {
    "auc": metrics.area,
    "eer": metrics.equal_error_rate,
    "tpr_at_fpr10": metrics.true_rate,
}


@dataclass(frozen=True)
class Answers:
    """Frames or videos with what is true of them and what a network says; every array has one entry each.

    Attributes
    ----------
    label : ndarray of int64
        0 real, 1 fake.
    score : ndarray of float64
        Probability of fake.
    target : ndarray of int64
        Class; below 0 for a method that the network was not taught.
    probabilities : ndarray of shape (n, K)
        Of the classes, real first.
    video : ndarray of int64
    """

    label: Ints
    score: Floats
    target: Ints
    probabilities: Floats
    video: Ints

    @property
    def classes(self) -> int:
        """Number of classes that the network tells apart."""
        return int(self.probabilities.shape[1])


def by_video(frames: Answers) -> Answers:
    """Mean scores and probabilities over each video; its class is that of most of its frames.

    Frames of a fake that were labelled real for want of changed pixels do not make it real.
    """
    videos = metrics.by_video(frames.label, frames.score, frames.video)
    place = np.searchsorted(videos.video, frames.video)
    counts = np.bincount(place, minlength=len(videos.video))[:, None]
    sums = np.zeros((len(videos.video), frames.classes))
    np.add.at(sums, place, frames.probabilities)
    known, target = np.unique(frames.target, return_inverse=True)
    votes = np.zeros((len(videos.video), max(len(known), 1)), np.int64)
    np.add.at(votes, (place, target.reshape(-1)), 1)
    most = known[votes.argmax(1)] if len(known) else np.empty(0, np.int64)
    return Answers(videos.label, videos.score, most, sums / np.maximum(counts, 1), videos.video)


@dataclass(frozen=True)
class Task:
    """Task of a network: its metrics, and how they are computed from its answers.

    Attributes
    ----------
    figures : callable
        From answers and the classes' names to figures of merit.
    right : callable
        From answers to which of them can be judged, and whether each is right: what `accuracy` is the mean of.
    """

    figures: Callable[[Answers, tuple[str, ...]], Figures]
    right: Callable[[Answers], tuple[Bools, Bools]]


def _binary(answers: Answers, names: tuple[str, ...]) -> Figures:
    return metrics.scores(answers.label, answers.score)


def _binary_right(answers: Answers) -> tuple[Bools, Bools]:
    return np.ones(len(answers.label), dtype=bool), (answers.score > metrics.THRESHOLD) == (answers.label == 1)


def _classes(answers: Answers, names: tuple[str, ...]) -> Figures:
    """Add the classes' figures; `accuracy` is theirs, that of real against fake is `accuracy_real_fake`."""
    binary = metrics.scores(answers.label, answers.score)
    return (
        binary
        | {"accuracy_real_fake": binary["accuracy"]}
        | metrics.classes(answers.target, answers.probabilities, names)
    )


def _classes_right(answers: Answers) -> tuple[Bools, Bools]:
    return answers.target >= 0, answers.probabilities.argmax(1) == answers.target


TASKS: Mapping[str, Task] = {
    "binary": Task(_binary, _binary_right),
    "classes": Task(_classes, _classes_right),
}


def task_of(classes: int) -> Task:
    """Return the task of a network with so many classes."""
    return TASKS["binary" if classes == 2 else "classes"]


def interval(metric: str, answers: Answers, names: tuple[str, ...], rounds: int) -> Interval | None:
    """Return the bootstrap interval over videos of one of `Task.figures`; None for another name.

    Parameters
    ----------
    metric : str
    answers : Answers
    names : tuple of str
        Of the classes, real first; empty for real against fake.
    rounds : int
    """
    videos, place = np.unique(answers.video, return_inverse=True)
    drawn = _drawn(metric, answers, names, place.reshape(-1))
    return intervals.interval(drawn, len(videos), rounds) if drawn else None


def _drawn(metric: str, answers: Answers, names: tuple[str, ...], place: Ints) -> Drawn | None:
    if metric in CURVES:
        return intervals.curve(answers.label, answers.score, place, CURVES[metric])
    fake, called = answers.label == 1, answers.score > metrics.THRESHOLD
    known, right = task_of(answers.classes).right(answers)
    ratios = {
        "accuracy": (known & right, known),
        "accuracy_real_fake": (called == fake, np.ones_like(fake)),
        "precision": (called & fake, called),
        "recall": (called & fake, fake),
        "f1": (2 * (called & fake), called.astype(int) + fake),
    }
    said = answers.probabilities.argmax(1)
    recalls = {
        f"recall_{name}": ((said == number) & (answers.target == number), answers.target == number)
        for number, name in enumerate(names)
    }
    if metric == "recall_mean" and recalls:
        return intervals.mean([intervals.ratio(*pair, place) for pair in recalls.values()])
    pair = (ratios | recalls).get(metric)
    return intervals.ratio(*pair, place) if pair else None


def method_auc(frames: Answers, method: NDArray[Any]) -> float | None:
    """Return the mean over methods of the AUC of each one's fakes against all reals; None where there are none."""
    real = frames.label == 0
    names = np.unique(method[~real].astype(str))
    rows = [real | ((method.astype(str) == name) & ~real) for name in names]
    areas = [metrics.scores(frames.label[some], frames.score[some])["auc"] for some in rows]
    known = [area for area in areas if area is not None]
    return sum(known) / len(known) if known else None
