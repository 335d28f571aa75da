"""Trust in a store's labels: rows whose labels mark the surroundings, masks that show something else, in words."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.inspect.verify import ranges
from pipeline.store.schema import THRESHOLD, WITHHELD

Columns = Mapping[str, NDArray[Any]]
MARKED = 0.25  # share of the surroundings from which a row is told: true pairs of the sample stay below 0.15
APART = 0.1  # agreement with the mask below which the two show different things


def remarks(location: str) -> list[str]:
    """Return what is doubtful about a store's labels, a sentence for each file and kind of doubt; none of it is damage.

    Raises
    ------
    StoreError
        There is no store.
    """
    columns = store.read_columns(store.open_group(location))
    if "withheld" not in columns:
        return []
    return [text for doubt in DOUBTS for text in doubt(columns)]


def summarise(columns: Columns) -> dict[str, Any]:
    """Return figures about all rows, as plain values; none of a store that was made before they were measured."""
    if "withheld" not in columns:
        return {}
    marked = columns["background"][_pairs(columns)]
    figures: dict[str, Any] = {"rows_marking_surroundings": int((marked > MARKED).sum())}
    if np.isfinite(marked).any():
        figures |= {f"background_{name}": _rounded(np.nanquantile(marked, q)) for name, q in QUANTILES.items()}
    thresholds = columns.get(THRESHOLD.name, np.empty(0))
    if np.isfinite(thresholds).any():
        figures |= {f"threshold_{name}": _rounded(np.nanquantile(thresholds, q)) for name, q in THRESHOLDS.items()}
    for kind, flag in WITHHELD.items():
        agreement = columns[f"agreement_{kind}"]
        if np.isfinite(agreement).any():
            figures[f"agreement_{kind}"] = _rounded(np.nanmedian(agreement))
        figures[f"withheld_{kind}"] = int((columns["withheld"] & flag > 0).sum())
    figures["masks_apart"] = sum(1 for _ in _apart(columns))
    return figures


def lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """Say the figures of `summarise` for one screen."""
    if "background_median" in figures:
        yield (
            f"surroundings marked by ssim: median {figures['background_median']:.1%}, 95th percentile "
            f"{figures['background_p95']:.1%}; {figures['rows_marking_surroundings']} rows above {MARKED:.0%}"
        )
    if "threshold_median" in figures:
        yield (
            f"ssim thresholds measured: {figures['threshold_lowest']:g} to {figures['threshold_highest']:g}, median "
            f"{figures['threshold_median']:g} (column {THRESHOLD.name})"
        )
    agreement = [f"{kind} {figures[f'agreement_{kind}']:.2f}" for kind in WITHHELD if f"agreement_{kind}" in figures]
    if agreement:
        yield f"agreement with the mask (median IoU): {', '.join(agreement)}"
    if figures.get("masks_apart"):
        apart = figures["masks_apart"]
        yield f"masks that do not show what changed: of {apart} files; forgery-prep verify names them"
    lost = [f"{kind} {figures[f'withheld_{kind}']} rows" for kind in WITHHELD if figures.get(f"withheld_{kind}")]
    if lost:
        yield f"withheld, since they would mark the surroundings: {', '.join(lost)}; forgery-prep verify lists them"


def _withheld(columns: Columns) -> Iterator[str]:
    for path, rows in _by_file(columns, columns["withheld"] > 0):
        for kind, flag in WITHHELD.items():
            some = rows[columns["withheld"][rows] & flag > 0]
            if len(some):
                share = f" (median {np.nanmedian(columns['background'][some]):.0%})" if kind == "ssim" else ""
                yield f"{path}: no {kind} label, it would mark the surroundings{share}: rows {ranges(some.tolist())}"


def _marked(columns: Columns) -> Iterator[str]:
    doubtful = (columns["background"] > MARKED) & (columns["withheld"] & WITHHELD["ssim"] == 0)
    for path, rows in _by_file(columns, doubtful):
        share = np.median(columns["background"][rows])
        yield f"{path}: the ssim label marks {share:.0%} of the surroundings (median): rows {ranges(rows.tolist())}"


def _apart(columns: Columns) -> Iterator[str]:
    """Tell files whose mask has nearly nothing in common with what changed."""
    kinds = [columns[f"agreement_{kind}"] for kind in WITHHELD]
    best = np.fmax(*kinds)
    for path, rows in _by_file(columns, np.isfinite(best)):
        typical = float(np.median(best[rows]))
        if typical < APART:
            mask = columns["video_mask"][columns["video"][rows[0]]]
            yield f"{path}: its mask {mask} does not show what changed (IoU {typical:.2f} with the labels of the pair)"


DOUBTS: tuple[Callable[[Columns], Iterator[str]], ...] = (_withheld, _marked, _apart)
QUANTILES = {"median": 0.5, "p95": 0.95}
THRESHOLDS = {"lowest": 0.0, "median": 0.5, "highest": 1.0}


def _by_file(columns: Columns, where: NDArray[np.bool_]) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Give each file with some of the rows `where`, and these rows."""
    rows = np.flatnonzero(where)
    videos = columns["video"][rows]
    for video in np.unique(videos):
        yield str(columns["video_path"][video]), rows[videos == video]


def _pairs(columns: Columns) -> NDArray[np.bool_]:
    return np.asarray(columns["method"] != 0)


def _rounded(value: Any) -> float:
    return round(float(value), 4)
