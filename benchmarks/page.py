"""Write docs/benchmarks.md and its plot from the figures in docs/benchmarks: `python benchmarks/page.py`."""

import csv
import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import timing
from matplotlib.figure import Figure
from timing import OUT, Row

PAGE = OUT.parent / "benchmarks.md"
TITLES = {
    "whole": "Whole commands",
    "labels": "Labels",
    "decode": "Decoding",
    "detect": "Faces",
    "codecs": "Codecs of a store's crops",
    "train": "Reading a store for training",
}
PACKAGES = ("torch", "av", "opencv-python-headless", "scikit-image", "zarr", "tensorstore", "dask")
INTRODUCTION = """# Benchmarks

Written by `make bench`; the figures are in `docs/benchmarks/`. Every row does the same thing in two ways: as this
project does it, and as one would without it. The ways are timed in turn, round after round; shown are the medians
over the rounds and the median of the ratios with their extremes, so that a machine that is busy for a while harms both
sides alike. Above 1 this project is faster. `cpu` counts the processor time of a command and of every process it
started, `wall` the clock on the wall. The rivals are in `benchmarks/` and `benchmarks/rivals/`, each written as its
library's documentation would have it.
"""
PLANNING = """## Planning

What the main process does before and between the tasks of a run, and what opening a store costs, by the number of rows;
`benchmarks/planning.py`. A made-up dataset of five methods and three compressions, ten rows a file; no video is
decoded. Every step runs in a process of its own: its processor time without imports, its greatest memory with all that
is loaded (PyTorch for the last step), and the mean size of the message of a task.
"""
GPU = """## On a GPU

Written by `benchmarks/gpu.py`, which needs a store, a folder of frames and ten minutes of a GPU; wall clock.

{card}

*Reading* is a step's rate when it reads the store, as a share of its rate on one batch that never changes.
"""


def write() -> None:
    """Write the page from what there is."""
    parts = [INTRODUCTION, f"Machine: {machine()}.\n", "![Ratios](benchmarks/ratios.svg)\n"]
    found = {name: timing.load(name) for name in TITLES if (OUT / f"{name}.csv").exists()}
    parts += [f"## {TITLES[name]}\n\n{table(rows)}" for name, rows in found.items()]
    if (OUT / "planning.csv").exists():
        parts.append(planning())
    if (OUT / "gpu.csv").exists():
        parts.append(gpu())
    PAGE.write_text("\n".join(parts))
    plot([row for rows in found.values() for row in rows]).savefig(OUT / "ratios.svg", bbox_inches="tight")


def machine() -> str:
    """Describe the processor and the versions of what does the work."""
    model = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), platform.machine()
    )
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}, {versions}"


def table(rows: Sequence[Row]) -> str:
    """Lay rows out."""
    lines = ["| task | here, s | instead | s | ratio | of | the results |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        own, other = (getattr(row, f"{side}_{row.clock}") for side in ("ours", "rival"))
        ratio = f"**{row.ratio:.2f}x** ({row.least:.2f} to {row.greatest:.2f})"
        lines.append(f"| {row.task} | {own:.3g} | {row.rival} | {other:.3g} | {ratio} | {row.clock} | {row.checked} |")
    return "\n".join(lines) + "\n"


def planning() -> str:
    """Lay out the figures of `benchmarks/planning.py`."""
    with (OUT / "planning.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    steps = [line["step"] for line in lines]
    cells = [
        (
            line["step"],
            f"{int(line['rows']):,}",
            f"{float(line['seconds']):.2f}",
            f"{1e6 * float(line['seconds']) / int(line['rows']):.1f}",
            f"{float(line['peak']):.0f}",
            f"{float(line['message']):.1f}" if int(line["tasks"]) and float(line["message"]) else "-",
        )
        for line in sorted(lines, key=lambda line: steps.index(line["step"]))
    ]
    return f"{PLANNING}\n" + _table(("step", "rows", "CPU s", "µs a row", "peak, MiB", "message, kB"), cells)


def gpu() -> str:
    """Lay out the figures of `benchmarks/gpu.py`."""
    with (OUT / "gpu.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    figures: dict[tuple[str, str], dict[str, float]] = {}
    for line in lines:
        figures.setdefault((line["what"], line["variant"]), {})[line["figure"]] = float(line["value"])
    card = (OUT / "gpu.txt").read_text().strip() if (OUT / "gpu.txt").exists() else ""
    training = {key: values for key, values in figures.items() if "steps_a_second" in values}
    others = {key: values for key, values in figures.items() if not {"steps_a_second", "batch"} & set(values)}
    return "\n".join(
        [
            GPU.format(card=card),
            _table(("detector", "variant", "rows a second", "reading", "memory, GB"), _steps(training)),
            _table(("what", "how", "a second", "least overlap, lost, more"), _rates(others)),
        ]
    )


def plot(rows: Sequence[Row]) -> Figure:
    """Draw every ratio with its extremes, on a logarithmic scale."""
    figure = Figure(figsize=(8, 0.22 * len(rows) + 1))
    axes = figure.subplots()
    places = range(len(rows), 0, -1)
    spread = [[row.ratio - row.least for row in rows], [row.greatest - row.ratio for row in rows]]
    axes.errorbar([row.ratio for row in rows], list(places), xerr=spread, fmt="o", markersize=4, color="#0072B2")
    axes.axvline(1, color="grey", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks(list(places), [f"{row.task}; {row.rival}" for row in rows], fontsize=6)
    axes.set_xlabel("times faster than the rival (median, least and greatest of the rounds)")
    axes.grid(axis="x", alpha=0.3)
    return figure


def _steps(figures: Mapping[tuple[str, str], Mapping[str, float]]) -> Iterable[Sequence[str]]:
    for (what, variant), values in figures.items():
        reading = f"{values['ratio']:.2f}" if "ratio" in values else ""
        memory = f"{values['peak_GB']:.1f}" if "peak_GB" in values else ""
        yield what, variant, f"{values['rows_a_second']:.0f}", reading, memory


def _rates(figures: Mapping[tuple[str, str], Mapping[str, float]]) -> Iterable[Sequence[str]]:
    for (what, variant), values in figures.items():
        rate = next(value for name, value in values.items() if name.endswith("_a_second"))
        same = ""
        if "lost" in values:
            same = f"{values['least_overlap']:.3f}, {values['lost']:.0f}, {values['more']:.0f}"
        yield what, variant, f"{rate:.0f}", same


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (names, ["---"] * len(names), *rows)]
    return "\n".join(lines) + "\n"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


if __name__ == "__main__":
    write()
