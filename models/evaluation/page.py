"""One self-contained HTML page about a model: curves, figures by method, best and worst faces, other runs beside it."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from models.detectors import DETECTORS
from models.evaluation import report, visualise
from models.evaluation.evaluate import EVERY, Evaluation
from models.evaluation.robustness import CLEAN
from pipeline.contact_sheet import Picture
from pipeline.errors import ConfigError, first_line
from pipeline.store.writing import writing
from pipeline.vector import svg

PAGE = "report.html"
SHOWN = 6  # faces of each of best and worst, of real and fake
SIDE, QUALITY = 144, 82  # pixels of a picture's side, and its JPEG quality
GALLERIES = (  # title, label, and 1 where the worst come first
    ("Worst fakes: lowest scores", 1, 1),
    ("Worst reals: highest scores", 0, 1),
    ("Best fakes: highest scores", 1, -1),
    ("Best reals: lowest scores", 0, -1),
)
Result = Mapping[str, Any]


@dataclass(frozen=True)
class Card:
    """One face: its title, and pictures as data URLs by name."""

    title: str
    pictures: dict[str, str]


def others(runs: Sequence[Path]) -> dict[str, Result]:
    """Read other evaluations, by the name they are shown under.

    Parameters
    ----------
    runs : sequence of Path
        Each a run's folder, an evaluation's folder, or a `metrics.json`.

    Raises
    ------
    ConfigError
        One of them holds no evaluation.
    """
    found: dict[str, Result] = {}
    for run in runs:
        files = [run / "eval" / report.METRICS, run / report.METRICS, run]
        file = next((file for file in files if file.is_file()), None)
        try:
            result = json.loads(file.read_text(encoding="utf-8")) if file else None
        except (OSError, ValueError) as error:
            raise ConfigError(f"{file} cannot be read: {first_line(error)}.") from error
        if not isinstance(result, dict) or "overall" not in result:
            raise ConfigError(
                f"{run} holds no evaluation; forgery-eval leaves {report.METRICS} in a run's folder eval."
            )
        found[str(run)] = result
    return found


def write(evaluation: Evaluation, path: Path, beside: Mapping[str, Result]) -> None:
    """Write the page.

    Parameters
    ----------
    evaluation : Evaluation
    path : Path
        File to write.
    beside : mapping of str to dict
        Other evaluations, from `others`.

    Raises
    ------
    WriteError
        The file cannot be written.
    """
    result = evaluation.result
    environment = Environment(
        loader=PackageLoader("models.evaluation"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    plots = {
        "ROC, frames": svg(lambda: report.roc(evaluation.judged[0])),
        "Robustness": svg(lambda: report.robustness(result)),
    }
    text = environment.get_template("model.html").render(
        result=result,
        paper=_paper(result),
        plots={title: drawn for title, drawn in plots.items() if drawn},
        groups=[_named(each, result) for each in report.groups(result)],
        galleries=_galleries(evaluation),
        runs={"this one": result, **beside},
        compared=_compared({"this one": result, **beside}) if beside else [],
    )
    with writing(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _paper(result: Result) -> list[tuple[str, str]]:
    """Return what the paper reports of its own data, by row of its tables."""
    known = DETECTORS.get(result["detector"])
    presets = known.presets.values() if known else ()
    return [(preset.about, preset.reported) for preset in presets if preset.reported]


def _named(group: Result, result: Result) -> dict[str, Any]:
    named = dict(group) | {"store": Path(group["store"]).name if len(result["stores"]) > 1 else EVERY}
    words = [named[key] for key in report.KEYS if named[key] not in (EVERY, CLEAN)]
    return named | {"name": " ".join(words) or "everything"}


def _compared(runs: Mapping[str, Result]) -> list[tuple[str, list[float | None]]]:
    """Return frame AUC of the groups that several runs share, in the order of their first run."""
    found: dict[str, dict[str, float | None]] = {}
    for name, result in runs.items():
        for each in report.groups(result):
            found.setdefault(_named(each, result)["name"], {})[name] = each["frame"]["auc"]
    return [(group, [of.get(name) for name in runs]) for group, of in found.items() if len(of) > 1]


def _galleries(evaluation: Evaluation) -> dict[str, list[Card]]:
    """Return the faces called most rightly and most wrongly, fakes and reals, each with its maps."""
    table, found = evaluation.judged[0].condition.table, evaluation.judged[0].found
    label = table.label[found.rows]
    right = np.where(label == 1, found.score, 1 - found.score)
    galleries = {}
    for title, wanted, sign in GALLERIES:
        places = np.flatnonzero(label == wanted)
        chosen = places[np.argsort(sign * right[places], kind="stable")][:SHOWN]
        if len(chosen):
            names, lines, sides = visualise.pictures(evaluation, found.rows[chosen])
            galleries[title] = [
                Card(
                    f"{side.replace(chr(10), ', ')}, row {table.row[row]}",
                    {name: _encoded(picture) for name, picture in zip(names, line, strict=True)},
                )
                for side, line, row in zip(sides, lines, found.rows[chosen].tolist(), strict=True)
            ]
    return galleries


def _encoded(picture: Picture) -> str:
    """Return an RGB or grey picture as a data URL."""
    colour = np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3))[..., ::-1])
    small = cv2.resize(colour, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
