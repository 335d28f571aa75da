"""Histograms as SVG that takes the page's colours, light or dark."""

import io
import re
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

INK = "#010203"  # stands for the page's own colour of text
STYLE: Any = {  # the stubs want every name spelt out
    "svg.fonttype": "none",
    "svg.hashsalt": "page",  # the same page twice is the same bytes
    "font.size": 10,
    **{f"{part}.color": INK for part in ("text", "xtick", "ytick")},
    **{f"axes.{part}": INK for part in ("edgecolor", "labelcolor")},
}
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
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 2.6), layout="constrained")
        axes = figure.add_subplot()
        for name, values in known.items():
            axes.stairs(np.histogram(values, edges)[0] / len(values), edges, label=name, linewidth=1.6)
        axes.set_xlabel(unit)
        axes.set_ylabel("share of rows")
        axes.spines[["top", "right"]].set_visible(False)
        if len(known) > 1:
            axes.legend(frameon=False, fontsize=8)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    return svg.replace(INK, "currentColor")
