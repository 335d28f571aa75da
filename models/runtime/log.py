"""Log of a training run: `metrics.csv` and the picture of the curves."""

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.files import replacing
from pipeline.store.writing import writing

FIGURES = ("loss", "accuracy", "auc", "video_auc", "method_auc", "recall_mean")
SMOOTH = 25  # steps over which training curves are averaged


@dataclass
class Log:
    """Rows of `metrics.csv`: one for each training step (`kind` train) and one for each validation (`kind` val).

    Attributes
    ----------
    path : Path
    terms : tuple of str
        Loss terms, each a column.
    rows : list of dict
        All rows so far.
    """

    path: Path
    terms: tuple[str, ...]
    rows: list[dict[str, Any]] = field(default_factory=list)
    _written: int = 0

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        terms = [f"term_{name}" for name in self.terms]
        return ["kind", "phase", "epoch", "step", "rate", *FIGURES, *terms]

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows to the file."""
        self.rows += [dict(row) for row in rows]
        self._append()

    def restart(self, step: int) -> None:
        """Start the file with its own rows up to a step; the steps of later rows are going to be repeated."""
        if self.path.exists() and step:
            with self.path.open(newline="", encoding="utf-8") as stream:
                self.rows = [dict(row) for row in csv.DictReader(stream) if int(row["step"]) <= step]
        with (
            writing(str(self.path)),
            replacing(self.path) as part,
            part.open("w", newline="", encoding="utf-8") as stream,
        ):
            csv.DictWriter(stream, self.columns).writeheader()
        self._written = 0
        self._append()

    def _append(self) -> None:
        with writing(str(self.path)), self.path.open("a", newline="", encoding="utf-8") as stream:
            csv.DictWriter(stream, self.columns, extrasaction="ignore").writerows(self.rows[self._written :])
        self._written = len(self.rows)


def command() -> str:
    """Return the command line of this process."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def draw_curves(path: Path, title: str, log: Log) -> None:
    """Draw training losses and validation figures over the steps.

    Parameters
    ----------
    path : Path
        Picture to write; its ending gives the format.
    title : str
    log : Log
    """
    from matplotlib.figure import Figure  # takes a second to load: only where it is used

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    train = [row for row in log.rows if row["kind"] == "train"]
    tested = [row for row in log.rows if row["kind"] == "val"]
    for name in ("loss", *(f"term_{term}" for term in log.terms)):
        steps, values = _series(train, name)
        if len(values):
            left.plot(steps, _smooth(values), label=name.removeprefix("term_"), linewidth=2 if name == "loss" else 1)
    steps, values = _series(tested, "loss")
    if len(values):
        left.plot(steps, values, "o--", color="black", label="validation loss", markersize=3)
    for name in FIGURES[1:]:
        steps, values = _series(tested, name)
        if len(values):
            right.plot(steps, values, "o-", label=name, markersize=3)
    for axes, about in ((left, f"loss, mean of {SMOOTH} steps"), (right, "validation")):
        axes.set(xlabel="step", title=about)
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8)
    figure.suptitle(title)
    with writing(str(path)):
        figure.savefig(path, dpi=120)


def _series(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[Any, Any]:
    points = [(float(row["step"]), float(row[name])) for row in rows if row.get(name) not in (None, "")]
    steps, values = np.array(points).reshape(-1, 2).T
    return steps, values


def _smooth(values: Any) -> Any:
    """Average each value with those of up to SMOOTH - 1 steps before it."""
    summed = np.cumsum(np.append(0.0, values))
    low = np.maximum(np.arange(len(values)) + 1 - SMOOTH, 0)
    return (summed[1:] - summed[low]) / (np.arange(len(values)) + 1 - low)
