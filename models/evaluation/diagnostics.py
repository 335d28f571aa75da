"""Two looks behind an evaluation's figures: the share of pixels drawn as a score, and face size by loss and method.

Both from Jia et al., Inconsistency-Aware Wavelet Dual-Branch Network for Face Forgery Detection, figures 10 and 11.
"""

from pathlib import Path

import numpy as np

from models.evaluation import metrics
from models.evaluation.evaluate import EVERY, Evaluation
from models.evaluation.metrics import Floats, Ints
from pipeline.store.writing import writing

THRESHOLDS = np.linspace(0, 1, 101)  # of the share of pixels above which a face is called fake
GROUPS = 28  # of images by falling loss; the paper's number
SURE = 1e-7  # nearest that a score comes to 0 or 1, as float32 has it


def accuracies(label: Ints, share: Floats) -> Floats:
    """Return for each of `THRESHOLDS` the share of faces called rightly by their share of manipulated pixels.

    Parameters
    ----------
    label : ndarray of shape (n,), int64
    share : ndarray of shape (n,)
        From `metrics.pixel_share`.
    """
    right: Floats = ((share[None] > THRESHOLDS[:, None]) == (label == 1)[None]).mean(1)
    return right


def areas_by_loss(label: Ints, score: Floats, area: Floats, groups: int = GROUPS) -> Floats:
    """Return the mean area of the faces in groups of falling loss.

    Parameters
    ----------
    label : ndarray of shape (n,), int64
    score : ndarray of shape (n,)
        Probability of fake; a face's loss is its cross-entropy.
    area : ndarray of shape (n,)
        Of its enlarged box, pixels of its frame.
    groups : int
        Of equal size, or smaller by one; no more than there are faces.
    """
    right = np.where(label == 1, score, 1 - score)
    order = np.argsort(-np.log(right.clip(SURE)), kind="stable")[::-1]
    return np.array([some.mean() for some in np.array_split(area[order], min(groups, len(order)))])


def draw(path: Path, evaluation: Evaluation) -> None:
    """Draw both for the stored rows; the first where the detector draws maps."""
    from matplotlib.figure import Figure

    table, found = evaluation.judged[0].condition.table, evaluation.judged[0].found
    drawn = found.counts.sum(1) > 0
    figure = Figure(figsize=(9 if drawn.any() else 4.5, 3.5), layout="constrained")
    panels = list(figure.subplots(1, 2 if drawn.any() else 1, squeeze=False)[0])
    if drawn.any():
        label, share = table.label[found.rows][drawn], metrics.pixel_share(found.counts[drawn])
        first = panels.pop(0)
        first.plot(THRESHOLDS, accuracies(label, share))
        first.set(xlabel="called fake above this share of manipulated pixels", ylabel="accuracy", ylim=(0, 1.02))
    boxes = np.empty((len(table), 4))
    for number, reader in enumerate(evaluation.readers):
        here = table.store == number
        boxes[here] = reader.columns["box"][table.row[here]]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])  # left, top, right, bottom
    method = table.method[found.rows].astype(str)
    for name in (EVERY, *dict.fromkeys(method.tolist())):
        rows = (method == name) | (name == EVERY)
        sizes = areas_by_loss(table.label[found.rows][rows], found.score[rows], area[found.rows][rows])
        style = {"color": "grey", "linestyle": ":"} if name == EVERY else {}
        panels[0].plot(np.arange(1, len(sizes) + 1), sizes, label=name, **style)
    panels[0].legend(fontsize=7)
    panels[0].set(xlabel="faces in groups, the largest loss first", ylabel="mean area, pixels of the frame")
    for axes in figure.axes:
        axes.grid(alpha=0.3)
    with writing(str(path)):
        figure.savefig(path, dpi=120)
