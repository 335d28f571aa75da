"""Mean predicted maps by method."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from models.evaluation.evaluate import Evaluation
from models.pictures.rows import batches, methods, some
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FACES = 60  # of each method and compression


def means(evaluation: Evaluation) -> dict[str, NDArray[np.float64]]:
    """Return the mean predicted map of each method's faces, (S, S) in [0, 1]; raises ConfigError without maps."""
    table = evaluation.judged[0].condition.table
    chosen = some(table, FACES)
    names = methods(table, chosen)
    sums = {name: np.zeros((evaluation.plan.size,) * 2) for name in names}
    with torch.no_grad():
        for rows, batch in batches(evaluation, chosen):
            drawn = evaluation.network.localise(evaluation.network(batch), evaluation.plan.size)
            if drawn is None:
                raise ConfigError("The picture maps needs a detector that draws maps; this one judges whole faces.")
            for row, one in zip(rows, drawn[:, 0].double().cpu().numpy(), strict=True):
                sums[table.method[row]] += one
    return {name: total / (table.method[chosen] == name).sum() for name, total in sums.items()}


def mean(evaluation: Evaluation) -> "Figure":
    """Draw the mean of all methods and each one's, and below each how far it is from the mean of all.

    References
    ----------
    Kong et al., Detect and Locate, figure 5.
    """
    from matplotlib.figure import Figure

    by_method = means(evaluation)
    every = np.mean(list(by_method.values()), axis=0)
    figure = Figure(figsize=(2 * (1 + len(by_method)), 4.3), layout="constrained")
    panels = figure.subplots(2, 1 + len(by_method), squeeze=False)
    panels[1, 0].axis("off")
    panels[0, 0].imshow(every, vmin=0, vmax=1)
    panels[0, 0].set_title("mean")
    far = max(np.abs(one - every).max() for one in by_method.values()) or 1
    for place, (name, one) in enumerate(by_method.items(), 1):
        panels[0, place].imshow(one, vmin=0, vmax=1)
        panels[0, place].set_title(name)
        panels[1, place].imshow(np.abs(one - every), vmin=0, vmax=far)
        panels[1, place].set_title(f"|{name} - mean|, to {far:.2f}", fontsize=8)
    for axes in panels.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    return figure
