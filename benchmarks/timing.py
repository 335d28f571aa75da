"""Ways to do the same thing timed in turn, round after round: how every benchmark here measures."""

import csv
import dataclasses
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"


@dataclass(frozen=True)
class Way:
    """One way to do something."""

    name: str
    work: Callable[[], object]


@dataclass(frozen=True)
class Row:
    """A task as this project does it against how a rival does it.

    Attributes
    ----------
    task, ours, rival : str
    clock : str
        What `ratio` is of: `cpu` (user and system time of the process and of those it started) or `wall`.
    ours_cpu, rival_cpu, ours_wall, rival_wall : float
        Medians over the rounds, seconds.
    ratio, least, greatest : float
        Median and extremes over the rounds of the rival's time over ours: above 1 this project is faster.
    checked : str
        How equal the two results are.
    """

    task: str
    ours: str
    rival: str
    clock: str
    ours_cpu: float
    rival_cpu: float
    ours_wall: float
    rival_wall: float
    ratio: float
    least: float
    greatest: float
    checked: str


def compare(
    task: str,
    ours: Way,
    rivals: Sequence[Way],
    checked: str | Callable[[Way], str],
    rounds: int = 5,
    clock: str = "cpu",
) -> list[Row]:
    """Time all ways in turn; return a row for each rival, and print it.

    Parameters
    ----------
    task : str
    ours : Way
    rivals : sequence of Way
    checked : str or callable
        How equal the results are; called with a rival after the first, untimed round.
    rounds : int
    clock : {"cpu", "wall"}
        What the ratios are of.
    """
    ways = (ours, *rivals)
    for way in ways:  # untimed: files are in the page cache and networks loaded
        way.work()
    times: dict[str, list[tuple[float, float]]] = {way.name: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            times[way.name].append(_timed(way.work))
    rows = []
    for rival in rivals:
        place = ("cpu", "wall").index(clock)
        ratios = [theirs[place] / own[place] for own, theirs in zip(times[ours.name], times[rival.name], strict=True)]
        medians = [
            statistics.median(each[part] for each in times[way.name]) for part in (0, 1) for way in (ours, rival)
        ]
        how = checked if isinstance(checked, str) else checked(rival)
        rows.append(
            Row(task, ours.name, rival.name, clock, *medians, statistics.median(ratios), min(ratios), max(ratios), how)
        )
        show(rows[-1])
    return rows


def show(row: Row) -> None:
    """Print a row."""
    own, other = (row.ours_cpu, row.rival_cpu) if row.clock == "cpu" else (row.ours_wall, row.rival_wall)
    say(
        f"{row.task:44.44} {row.rival:34.34} {_short(own)} against {_short(other)} {row.clock} s: "
        f"{row.ratio:6.2f}x [{row.least:.2f} to {row.greatest:.2f}]  {row.checked}"
    )


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def save(name: str, rows: Sequence[Any]) -> None:
    """Write rows, of one dataclass, to `docs/benchmarks/NAME.csv`."""
    OUT.mkdir(parents=True, exist_ok=True)
    with (OUT / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in dataclasses.fields(rows[0]))
        for row in rows:
            writer.writerow(f"{value:.4g}" if isinstance(value, float) else value for value in dataclasses.astuple(row))


def load(name: str) -> list[Row]:
    """Read rows that `save` wrote."""
    with (OUT / f"{name}.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    kinds = {field.name: field.type for field in dataclasses.fields(Row)}
    return [
        Row(**{key: float(value) if kinds[key] is float else value for key, value in line.items()}) for line in read
    ]


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return CPU and wall seconds of a call, those of processes it started and waited for with them."""
    wall, cpu = time.perf_counter(), _cpu()
    work()
    return _cpu() - cpu, time.perf_counter() - wall


def _cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def _short(seconds: float) -> str:
    return f"{seconds:.3g}"
