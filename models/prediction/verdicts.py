"""What is said of a file: the score of every face in every frame, of every face, and of the file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.prediction.finding import WHOLE, Found, Person
from pipeline.errors import CheckpointError


@dataclass(frozen=True)
class Face:
    """One person in a file.

    Attributes
    ----------
    frames : list of int
    boxes : list of list of float
        Left, top, right, bottom of what was judged, in the frame's pixels; with several checkpoints, by the first.
    detection : list of float
        The face detector's score.
    scores : list of float
        Probability of fake in each frame; the mean of the checkpoints.
    score : float
        Their mean over the frames.
    by_checkpoint : dict of str to list of float
        The scores of each checkpoint.
    """

    frames: list[int]
    boxes: list[list[float]]
    detection: list[float]
    scores: list[float]
    score: float
    by_checkpoint: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Reject:
    """A frame, or with `frame` -1 a whole file, that was not judged or not wholly, and why."""

    frame: int
    reason: str


@dataclass(frozen=True)
class Verdict:
    """One file.

    Attributes
    ----------
    path : str
    score : float or None
        That of its most suspicious face; None where nothing could be judged.
    faces : list of Face
        The most suspicious first.
    problem : str
        Why there is no score.
    turn : int
        Degrees clockwise by which its frames were turned, as upright they show no face; boxes are of those.
    frames : int
        Frames looked at.
    scores : dict of str to float
        Of the face that decides, by each checkpoint; their mean is `score`.
    rejects : list of Reject
    picture : str
        Name of the picture or video made of it; empty for none.
    """

    path: str
    score: float | None
    faces: list[Face]
    problem: str = ""
    turn: int = 0
    frames: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    picture: str = ""

    def failed(self, problem: str) -> "Verdict":
        """Return the same verdict with a reason why its picture could not be made."""
        return replace(self, rejects=[*self.rejects, Reject(WHOLE, problem)])


def conclude(path: str, found: Found, scores: dict[str, NDArray[np.float64]], checkpoints: dict[str, str]) -> Verdict:
    """Put together what is said of a file.

    Parameters
    ----------
    path : str
    found : Found
    scores : dict of str to ndarray of shape (rows,), float64
        By each checkpoint's name, of the staged crops.
    checkpoints : dict of str to str
        Their paths, for error sentences.

    Raises
    ------
    CheckpointError
        A score is no number.
    """
    rejects = [Reject(frame, reason) for frame, reason in found.lost]
    turn = found.source.turn if found.source else 0
    if not found.people:
        return Verdict(path, None, [], found.problem, turn, len(found.asked), {}, rejects)
    for name, values in scores.items():
        if not np.isfinite(values).all():
            broken = np.flatnonzero(~np.isfinite(values))
            frame = next(int(p.frames[p.rows == broken[0]][0]) for p in found.people if (p.rows == broken[0]).any())
            raise CheckpointError(
                f"{checkpoints[name]} gives no number as the score of {len(broken)} of {len(values)} crops of {path}, "
                f"the first in frame {frame}: its weights have left every range. Take an earlier checkpoint."
            )
    faces = sorted((_face(person, scores) for person in found.people), key=lambda face: -face.score)
    by = {name: float(np.mean(values)) for name, values in faces[0].by_checkpoint.items()}
    return Verdict(path, faces[0].score, faces, "", turn, len(found.asked), by, rejects)


def _face(person: Person, scores: dict[str, NDArray[np.float64]]) -> Face:
    own = {name: values[person.rows] for name, values in scores.items()}
    mean = np.mean(list(own.values()), axis=0)
    return Face(
        person.frames.tolist(),
        person.boxes[0].tolist(),
        person.detection.tolist(),
        mean.tolist(),
        float(mean.mean()),
        {name: values.tolist() for name, values in own.items()},
    )


def lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Say the verdicts for a screen, one line a file."""
    for each in verdicts:
        if each.score is None:
            yield f"     -  {each.path}: {each.problem}"
        else:
            shown = sum(len(face.frames) for face in each.faces)
            by = ", ".join(f"{name} {score:.4f}" for name, score in each.scores.items())
            told = f" (mean of {by})" if len(each.scores) > 1 else ""
            faces = f"{len(each.faces)} face{'s' * (len(each.faces) != 1)}"
            yield f"{each.score:.4f}  {each.path}: {faces}, {shown} crops judged{told}"


def plain(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain values, numbers rounded for reading."""
    faces = [
        vars(face)
        | {
            "boxes": [[round(edge, 1) for edge in box] for box in face.boxes],
            "detection": _rounded(face.detection),
            "scores": _rounded(face.scores),
            "score": round(face.score, 6),
            "by_checkpoint": {name: _rounded(values) for name, values in face.by_checkpoint.items()},
        }
        for face in verdict.faces
    ]
    return vars(verdict) | {
        "score": None if verdict.score is None else round(verdict.score, 6),
        "scores": {name: round(score, 6) for name, score in verdict.scores.items()},
        "faces": faces,
        "rejects": [vars(reject) for reject in verdict.rejects],
    }


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 6) for value in values]
