"""What the Mihcak filter leaves of faces: its statistics by method, and what they tell over the filter's sigma."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.data.row_table import Ints
from models.evaluation import metrics
from models.evaluation.evaluate import REAL, Evaluation
from models.pictures.rows import methods, some
from pipeline.crop.row_table import level
from pipeline.labels._kind import at
from pipeline.labels.noise import noise_residual

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS, SWEPT = 60, 20  # faces of each method and compression
SIGMAS = (1, 2, 3, 5, 8, 10, 15, 20)  # grey levels


def statistics(evaluation: Evaluation, rows: Ints, sigma: float = 0) -> NDArray[np.float64]:
    """Return mean and variance over the pixels of |W|, the noise that the Mihcak filter finds in crops.

    Parameters
    ----------
    evaluation : Evaluation
    rows : ndarray of shape (n,), int64
        Of its table.
    sigma : float
        Of the filter, grey levels; 0: the one that each row's store has for its compression.

    Returns
    -------
    ndarray of shape (n, 2)
        Grey levels, and their square.

    References
    ----------
    Kong et al., Detect and Locate, figure 3; the absolute value is taken as for the labels, whose mean would be 0.
    """
    table, found = evaluation.judged[0].condition.table, np.empty((len(rows), 2))
    for number, reader in enumerate(evaluation.readers):
        here = np.flatnonzero(table.store[rows] == number)
        for place in here.tolist():
            row = rows[place]
            path = str(reader.columns["video_path"][reader.columns["video"][table.row[row]]])
            own = at(reader.recipe.labelling.noise_sigma, level(str(table.compression[row]), path))
            image = reader.gather("image", [int(table.row[row])])[0]
            size = np.abs(noise_residual(image, sigma or own))
            found[place] = size.mean(), size.var()
    return found


def scatter(evaluation: Evaluation) -> "Figure":
    """Draw a dot for each face: mean and variance of its noise, a panel for each compression."""
    from matplotlib.figure import Figure

    table = evaluation.judged[0].condition.table
    rows = some(table, DOTS)
    values = statistics(evaluation, rows)
    levels = list(dict.fromkeys(table.compression[rows].tolist()))
    figure = Figure(figsize=(4.5 * len(levels), 4), layout="constrained")
    for axes, compression in zip(figure.subplots(1, len(levels), squeeze=False)[0], levels, strict=True):
        for name in methods(table, rows):
            mine = (table.method[rows] == name) & (table.compression[rows] == compression)
            means, variances = values[mine].T
            axes.scatter(means, variances, s=8, alpha=0.6, label=name, zorder=3 if name == REAL else 2)
        axes.set(title=compression, xlabel="mean of |W|, grey levels", ylabel="variance of |W|")
        axes.legend(fontsize=7)
        axes.grid(alpha=0.3)
    return figure


def sweep(evaluation: Evaluation) -> "Figure":
    """Draw for each compression the AUC of the mean of |W| as a score, over sigma.

    The paper trains its noise module anew for each sigma; this takes the label itself, without a network. An AUC below
    1/2 means that fakes have less noise than reals.
    """
    from matplotlib.figure import Figure

    table = evaluation.judged[0].condition.table
    rows = some(table, SWEPT)
    means = {sigma: statistics(evaluation, rows, sigma)[:, 0] for sigma in SIGMAS}
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    for compression in dict.fromkeys(table.compression[rows].tolist()):
        mine = table.compression[rows] == compression
        areas = [metrics.scores(table.label[rows][mine], means[sigma][mine])["auc"] for sigma in SIGMAS]
        axes.plot(SIGMAS, [np.nan if area is None else area for area in areas], "o-", label=compression)
    axes.axhline(0.5, color="grey", linestyle=":")
    axes.set(xlabel="sigma, grey levels", ylabel="AUC of the mean of |W|", ylim=(0, 1.02))
    axes.legend(fontsize=7)
    axes.grid(alpha=0.3)
    return figure
