"""Verdicts as files: scores.csv, files.csv, rejects.csv and verdicts.json."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.prediction.finding import WHOLE
from models.prediction.verdicts import Reject, Verdict, plain
from pipeline.files import replacing, write_json
from pipeline.store.writing import writing

SCORES, FILES, REJECTS, VERDICTS = "scores.csv", "files.csv", "rejects.csv", "verdicts.json"
EDGES = ("left", "top", "right", "bottom")


def write(folder: Path, verdicts: Sequence[Verdict], checkpoints: Mapping[str, str], seconds: float) -> None:
    """Write all tables of some verdicts.

    Parameters
    ----------
    folder : Path
    verdicts : sequence of Verdict
    checkpoints : mapping of str to str
        Names and paths; where there are several, each has a column `score_NAME`.
    seconds : float
        What it took.

    Raises
    ------
    WriteError
    """
    several = tuple(checkpoints) if len(checkpoints) > 1 else ()
    columns = [f"score_{name}" for name in several]
    head = ["file", "frame", "face", "score", *columns, *EDGES, "detection"]
    _write(folder / SCORES, head, _scores(verdicts, several))
    head = ["file", "score", *columns, "faces", "frames", "frames_with_a_face", "turn", "picture", "problem"]
    _write(folder / FILES, head, _files(verdicts, several))
    told = [[each.path, reject.frame, reject.reason] for each in verdicts for reject in rejects_of(each)]
    _write(folder / REJECTS, ["file", "frame", "reason"], iter(told))
    write_json(folder / VERDICTS, as_json(verdicts, checkpoints, seconds))


def as_json(verdicts: Sequence[Verdict], checkpoints: Mapping[str, str], seconds: float) -> dict[str, Any]:
    """Return what `verdicts.json` holds, in plain values; the parameters are those of `write`."""
    return {
        "checkpoint": next(iter(checkpoints.values())),
        "checkpoints": dict(checkpoints),
        "files": [plain(verdict) for verdict in verdicts],
        "seconds": round(seconds, 1),
    }


def rejects_of(verdict: Verdict) -> Iterator[Reject]:
    """Yield what was not judged of a file: of a file without any score the reason as a whole first."""
    if verdict.problem:
        yield Reject(WHOLE, verdict.problem)
    yield from verdict.rejects


def _scores(verdicts: Sequence[Verdict], several: Sequence[str]) -> Iterator[list[Any]]:
    """Yield a row for each file, frame and face, in this order; face 1 is the most suspicious one of its file."""
    for each in verdicts:
        found = [
            (frame, number, place, face)
            for number, face in enumerate(each.faces, 1)
            for place, frame in enumerate(face.frames)
        ]
        for frame, number, place, face in sorted(found, key=lambda row: row[:2]):
            by = [_exact(face.by_checkpoint[name][place]) for name in several]
            box = [f"{edge:.2f}" for edge in face.boxes[place]]
            yield [each.path, frame, number, _exact(face.scores[place]), *by, *box, _exact(face.detection[place])]


def _files(verdicts: Sequence[Verdict], several: Sequence[str]) -> Iterator[list[Any]]:
    for each in verdicts:
        score = "" if each.score is None else _exact(each.score)
        by = [_exact(each.scores[name]) if name in each.scores else "" for name in several]
        shown = len({frame for face in each.faces for frame in face.frames})
        yield [each.path, score, *by, len(each.faces), each.frames, shown, each.turn, each.picture, each.problem]


def _write(path: Path, head: Sequence[str], rows: Iterator[list[Any]]) -> None:
    with writing(str(path)), replacing(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(head)
        writer.writerows(rows)


def _exact(value: float) -> str:
    """Write a 32-bit number so that reading it gives the same number."""
    return f"{value:.9g}"
