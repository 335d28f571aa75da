"""Matplotlib figures as SVG elements that take a page's colours, light or dark."""

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

INK = "#010203"  # stands for the page's own colour of text
STYLE: Any = {  # the stubs want every name spelt out
    "svg.fonttype": "none",
    "svg.hashsalt": "page",  # the same page twice is the same bytes
    "font.size": 10,
    **{f"{part}.color": INK for part in ("text", "xtick", "ytick")},
    **{f"axes.{part}": INK for part in ("edgecolor", "labelcolor")},
    "axes.facecolor": "none",
    "legend.frameon": False,
}


def svg(draw: Callable[[], Figure | None]) -> str:
    """Return the `<svg>` element of the figure that a function draws; empty where it draws none."""
    with mpl.rc_context(STYLE):
        figure = draw()
        if figure is None:
            return ""
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    found = text.getvalue()
    found = re.sub(r"<metadata>.*?</metadata>", "", found[found.index("<svg") :], flags=re.DOTALL)
    return found.replace(INK, "currentColor")
