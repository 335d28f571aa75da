"""A preset's figures, the paper's and ours side by side."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.comparison import network
from models.comparison.rows import Measured, find, known_datasets
from models.detectors.base import Detector
from models.detectors.protocol import Figure, Preset
from models.evaluation import evaluate, intervals, tasks
from models.evaluation.evaluate import EVERY, Evaluation, Request
from models.evaluation.intervals import Interval
from models.evaluation.robustness import CLEAN
from models.runtime import checkpoint
from pipeline.errors import ConfigError, NotMeasuredError

MEAN = "mean"  # of the preset's other figures of that level
Said = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """What is to be evaluated for a preset.

    Attributes
    ----------
    name : str
    preset : Preset
    detector : Detector
    about : mapping
        Description of the run that the checkpoint holds.
    request : Request
        The user's, with the preset's splits, conditions and settings.
    """

    name: str
    preset: Preset
    detector: Detector
    about: Mapping[str, Any]
    request: Request


def prepare(request: Request, name: str, split: str = "") -> Comparison:
    """Return the evaluation that yields a preset's figures.

    Parameters
    ----------
    request : Request
    name : str
        Of a preset of the checkpoint's detector.
    split : str
        Judged in place of those of the preset's figures.

    Raises
    ------
    ConfigError
        The detector has no such preset, or the preset no figures.
    CheckpointError
        The checkpoint cannot be read.
    """
    saved = checkpoint.load(request.checkpoint)
    presets = saved.detector.presets
    if name not in presets:
        known = ", ".join(presets) or "none"
        raise ConfigError(f"--preset {name}: {saved.detector.name} has no such preset; known are {known}.")
    preset = presets[name]
    if not preset.figures:
        raise ConfigError(f"--preset {name}: the paper has no figures of it ({preset.about}).")
    known_datasets(preset)
    wanted = [figure.rows for figure in preset.figures]
    conditions = [rows.condition for rows in wanted if rows.condition != CLEAN]
    partial = [each.removeprefix("partial:") for each in conditions if each.startswith("partial:")]
    others = [each for each in conditions if not each.startswith("partial:")]
    changed = dataclasses.replace(
        request,
        split=split or request.split,
        splits={} if split else {rows.dataset: EVERY for rows in wanted if rows.split == EVERY},
        perturb=tuple(dict.fromkeys((*request.perturb, *others))),
        partial=tuple(dict.fromkeys((*request.partial, *partial))),
        settings=(*(preset.values if preset.of else ()), *request.settings),
    )
    return Comparison(name, preset, saved.detector, saved.about, changed)


def compare(comparison: Comparison, found: Evaluation) -> Said:
    """Return the preset's figures, each the paper's and ours, in plain values for `metrics.json`.

    Parameters
    ----------
    comparison : Comparison
        From `prepare`.
    found : Evaluation
        Of its request.

    Returns
    -------
    dict
        `name`, `about`, `paper`; `network`, in what it is not what the preset trains; `figures`, each with `table`,
        `what`, `level`, `metric`, `dataset`, `printed` and `paper` (as printed, and as a share of 1), `percent`,
        `here` (None where `lacking` says why), `interval`, `frames`, `videos` and `remarks`.
    """
    preset = comparison.preset
    figures = [_figure(each, comparison, found) for each in preset.figures]
    for said, figure in zip(figures, preset.figures, strict=True):
        if figure.metric == MEAN:
            said |= _mean(figures, preset.figures, figure)
    return {
        "name": comparison.name,
        "about": preset.about,
        "paper": comparison.detector.paper,
        "step": comparison.about.get("step"),
        "network": network.remarks(comparison.about, comparison.detector, comparison.name, preset),
        "figures": figures,
    }


def _figure(figure: Figure, comparison: Comparison, found: Evaluation) -> Said:
    said: Said = {
        "table": figure.table or comparison.preset.about,
        "what": str(figure),
        "level": figure.level,
        "metric": figure.metric,
        "dataset": figure.rows.dataset,
        "printed": figure.paper,
        "paper": figure.share,
        "percent": figure.percent,
        **dict.fromkeys(("here", "interval")),
        "frames": 0,
        "videos": 0,
        "lacking": "",
        "remarks": [figure.note] if figure.note else [],
    }
    if figure.metric == MEAN:
        return said
    try:
        measured = find(figure.rows, comparison.preset, found, comparison.request)
    except NotMeasuredError as reason:
        return said | {"lacking": str(reason)}
    names = tuple(found.result["classes"]) if len(found.result["classes"]) > 2 else ()
    values = evaluate.figures(measured.judged, measured.rows, 0, names)
    here = values[figure.level].get(figure.metric)
    said |= {"frames": values["frames"], "videos": values["videos"], "here": here}
    if here is None:
        return said | {"lacking": _why(figure, values)}
    remarks = [*said["remarks"], *measured.remarks]
    other = values[figure.level].get(f"{figure.metric}_by_method")
    if other is not None:
        remarks.append(f"fakes with too few changed pixels count as real; as fakes: {number(other, figure.percent)}")
    spread = _interval(figure, measured, names, comparison.request.rounds)
    return said | {"interval": spread, "remarks": remarks}


def _why(figure: Figure, values: Mapping[str, Any]) -> str:
    level = values[figure.level]
    if figure.level == "maps" and not level:
        return "the detector draws no map, or the store lacks its truth"
    if figure.metric not in level:
        return f"the network tells no class {figure.metric.removeprefix('recall_')} apart"
    return "the rows judged leave it undefined"


def _interval(figure: Figure, measured: Measured, names: tuple[str, ...], rounds: int) -> Interval | None:
    if not rounds:
        return None
    frames = measured.judged.answers(measured.rows)
    if figure.level != "maps":
        answers = tasks.by_video(frames) if figure.level == "video" else frames
        return tasks.interval(figure.metric, answers, names, rounds)
    counts = measured.judged.found.counts[measured.rows]
    videos, place = np.unique(frames.video, return_inverse=True)
    drawn = intervals.of_maps(figure.metric, counts, frames.label, place.reshape(-1))
    return intervals.interval(drawn, len(videos), rounds) if drawn else None


def _mean(said: Sequence[Said], figures: Sequence[Figure], mean: Figure) -> Said:
    """Return the mean of the figures of a level, if all of them were measured."""
    some = [each for each, figure in zip(said, figures, strict=True) if figure.level == mean.level and figure != mean]
    values = [each["here"] for each in some]
    if None in values:
        return {"lacking": f"{values.count(None)} of the {len(values)} figures were not measured"}
    remarks = list(dict.fromkeys(remark for each in some for remark in each["remarks"]))
    return {"here": sum(values) / len(values), "remarks": remarks}


def number(value: float, percent: bool) -> str:
    """Write a figure as papers do, in hundredths to one digit or as a share of 1 to three."""
    return f"{100 * value:.1f}" if percent else f"{value:.3f}"


def beside(said: Said) -> str:
    """Write one of the figures of `compare`: `paper 88.96, here 87.1 [86.0, 88.2]`."""
    if said["here"] is None:
        return f"paper {said['printed']}, here not measured: {said['lacking']}"
    ends = ", ".join(number(end, said["percent"]) for end in said["interval"] or ())
    return f"paper {said['printed']}, here {number(said['here'], said['percent'])}{f' [{ends}]' if ends else ''}"


def remarks_of(compared: Said) -> dict[str, int]:
    """Return the remarks on the figures of `compare`, each once, with its number from 1."""
    every = dict.fromkeys(remark for each in compared["figures"] for remark in each["remarks"])
    return {remark: place for place, remark in enumerate(every, 1)}


def screen(compared: Said) -> str:
    """Lay out what `compare` returns: a line a figure with the numbers of its remarks, then the remarks."""
    numbers = remarks_of(compared)
    lines = [f"Beside the paper, preset {compared['name']} ({compared['about']}); 95 % intervals over videos:"]
    wide = max(len(each["what"]) for each in compared["figures"])
    for each in compared["figures"]:
        marks = ", ".join(str(numbers[remark]) for remark in each["remarks"])
        lines.append(f"  {each['what']:<{wide}}  {beside(each)}{f'  ({marks})' if marks else ''}")
    lines += [f"  ({place}) {remark}." for remark, place in numbers.items()]
    if compared["network"]:
        lines.append("The network is not the paper's:")
        lines += [f"  - {remark}." for remark in compared["network"]]
    return "\n".join(lines)
