"""Histograms as SVG that takes the page's colours, light or dark."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.vector import svg

BINS = 30


def histogram(series: Mapping[str, NDArray[np.float64]], unit: str) -> str:
    """Draw one histogram, a line for each series, as shares of the series.

    Parameters
    ----------
    series : mapping of str to ndarray of shape (n,)
        Values by name; NaN is left out.
    unit : str
        Label of the horizontal axis.

    Returns
    -------
    str
        An `<svg>` element; empty where no value is known.
    """
    known = {name: values[np.isfinite(values)] for name, values in series.items()}
    known = {name: values for name, values in known.items() if len(values)}
    if not known:
        return ""
    together = np.concatenate(list(known.values()))
    edges = np.histogram_bin_edges(together, bins=BINS)
    return svg(lambda: _drawn(known, unit, edges))


def _drawn(known: Mapping[str, NDArray[np.float64]], unit: str, edges: NDArray[np.float64]) -> Figure:
    figure = Figure(figsize=(4.6, 2.6), layout="constrained")
    axes = figure.add_subplot()
    for name, values in known.items():
        axes.stairs(np.histogram(values, edges)[0] / len(values), edges, label=name, linewidth=1.6)
    axes.set_xlabel(unit)
    axes.set_ylabel("share of rows")
    axes.spines[["top", "right"]].set_visible(False)
    if len(known) > 1:
        axes.legend(frameon=False, fontsize=8)
    return figure
