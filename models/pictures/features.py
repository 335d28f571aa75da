"""Features of a network in two dimensions."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from models.data.row_table import Ints
from models.evaluation.evaluate import Evaluation
from models.pictures.rows import batches, methods, some
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FACES = 100  # of each method and compression
LEAST = 6  # faces that t-SNE needs
PERPLEXITY = 30.0  # scikit-learn's default; less for few faces


def pooled(evaluation: Evaluation, rows: Ints) -> NDArray[np.float64]:
    """Return the feature that Grad-CAM uses, averaged over its positions, (n, C), of rows of the table."""
    parts = []
    with torch.no_grad():
        for _, batch in batches(evaluation, rows):
            feature = evaluation.network(batch).features[evaluation.plan.cam]
            parts.append(feature.mean((2, 3)).double().cpu().numpy())
    return np.concatenate(parts)


def embedding(evaluation: Evaluation) -> "Figure":
    """Draw a dot for each face where t-SNE puts its features, coloured by method.

    Raises
    ------
    ConfigError
        There are fewer than six faces.

    References
    ----------
    Kong et al., Detect and Locate, figure 6; van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 2008.
    """
    from matplotlib.figure import Figure

    table = evaluation.judged[0].condition.table
    rows = some(table, FACES)
    if len(rows) < LEAST:
        raise ConfigError(f"The picture features needs at least {LEAST} faces; {len(rows)} were judged.")
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    placed = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(
        pooled(evaluation, rows).astype(np.float32)
    )
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    for name in methods(table, rows):
        across, up = placed[table.method[rows] == name].T
        axes.scatter(across, up, s=8, label=name)
    axes.legend(fontsize=7)
    axes.set(xticks=[], yticks=[], title=f"t-SNE of {evaluation.plan.cam}, {len(rows)} faces")
    return figure
