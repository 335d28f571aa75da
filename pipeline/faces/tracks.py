"""Face tracking: one track per person, found around the last box and now and then in the whole frame."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Detection
from pipeline.faces import detect
from pipeline.faces.detected import Detected

SAME_FACE = 0.5  # intersection over union above which two detections of one frame are one face
SAME_PERSON = 0.2  # and above which a box continues a track: sampled frames may be far apart
PATIENCE = 3  # sampled frames for which a lost face is looked for in the whole frame every time


@dataclass(frozen=True, eq=False)
class Track:
    """One person: the frames with the face (increasing, gaps allowed), its boxes as detected, their scores."""

    frames: NDArray[np.int64]  # (n,)
    boxes: NDArray[np.float32]  # (n, 4)
    scores: NDArray[np.float32]  # (n,)


@dataclass
class _Person:
    frames: list[int] = field(default_factory=list)
    found: list[Detected] = field(default_factory=list)
    missed: int = 0  # sampled frames since the face was last seen

    @property
    def box(self) -> NDArray[np.float32]:
        return self.found[-1].box


def follow(
    frames: Iterable[tuple[int, NDArray[np.uint8]]],
    settings: Detection,
    device: str = "cpu",
    seen: Callable[[int, NDArray[np.uint8], Sequence[Detected]], object] | None = None,
) -> tuple[Track, ...]:
    """Find every person's face in every frame.

    The first frame is searched whole. From then on only a square of `search` times the last box's side is searched
    around each face, for faces not much smaller; the whole frame again when a face is not there, when there is none,
    and in every `full_every`-th frame, for people who come in. A region is searched on the whole frame's sampling grid,
    so that it makes no difference to the box which of the two found it.

    Parameters
    ----------
    frames : iterable of (int, ndarray of shape (H, W, 3), uint8)
        Frame index, increasing, and RGB pixels; one at a time is held. One frame is enough.
    settings : Detection
        Detector, thresholds, `search` and `full_every`.
    device : str
        `cpu` or `cuda`.
    seen : callable, optional
        Given every frame with its index and what was found in it, while its pixels are there.

    Returns
    -------
    tuple of Track
        The most important person first: largest sum of box areas.
    """
    people: list[_Person] = []
    for number, (index, frame) in enumerate(frames):
        close = [person for person in people if person.missed == 0]
        whole = number % settings.full_every == 0 or not close
        found: list[Detected] = []
        if not whole:
            found = _around(frame, close, settings, device)
            whole = any(person.missed < PATIENCE for person in _unseen(people, found))
        if whole:
            found = _distinct(detect(frame, settings, device))
        _extend(people, index, found)
        if seen:
            seen(index, frame, found)
    tracks = [
        Track(
            np.array(person.frames, np.int64),
            np.stack([face.box for face in person.found]),
            np.array([face.score for face in person.found], np.float32),
        )
        for person in people
    ]
    return tuple(
        sorted(tracks, key=lambda track: (-_areas(track.boxes).sum(dtype=np.float64), *track.boxes[0].tolist()))
    )


def overlaps(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the intersection over union of every box with every other.

    Parameters
    ----------
    boxes, others : ndarray of shape (n, 4) and (m, 4), float32

    Returns
    -------
    ndarray of shape (n, m), float32
        0..1.
    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    return np.asarray(common / (_areas(boxes)[:, None] + _areas(others) - common), np.float32)


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def _around(frame: NDArray[np.uint8], people: list[_Person], settings: Detection, device: str) -> list[Detected]:
    """Search around each person's last box; neighbours' regions may show the same face."""
    height, width = frame.shape[:2]
    found = []
    for person in people:
        left, top, right, bottom = person.box.tolist()
        face = max(right - left, bottom - top)
        half, x, y = settings.search * face / 2, (left + right) / 2, (top + bottom) / 2
        region = (max(x - half, 0.0), max(y - half, 0.0), min(x + half, float(width)), min(y + half, float(height)))
        found += detect(frame, settings, device, region, face)
    return _distinct(found)


def _distinct(found: list[Detected]) -> list[Detected]:
    """Keep the best detection of each face, in an order that depends on the detections alone."""
    kept: list[Detected] = []
    for face in sorted(found, key=lambda one: (-one.score, *one.box.tolist())):
        if not kept or overlaps(face.box[None], np.stack([one.box for one in kept])).max() < SAME_FACE:
            kept.append(face)
    return kept


def _matches(people: list[_Person], found: list[Detected]) -> list[tuple[int, int]]:
    """Pair people with detections so that the boxes overlap most in all; pairs that hardly overlap are none."""
    if not people or not found:
        return []
    from scipy.optimize import linear_sum_assignment  # half a second to load

    similar = overlaps(np.stack([person.box for person in people]), np.stack([face.box for face in found]))
    rows, columns = linear_sum_assignment(np.where(similar >= SAME_PERSON, similar, 0), maximize=True)
    return [
        (row, column)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if similar[row, column] >= SAME_PERSON
    ]


def _unseen(people: list[_Person], found: list[Detected]) -> list[_Person]:
    seen = {row for row, _ in _matches(people, found)}
    return [person for row, person in enumerate(people) if row not in seen]


def _extend(people: list[_Person], index: int, found: list[Detected]) -> None:
    """Append each detection to its person's track; those left over are new people."""
    matches = _matches(people, found)
    for person in people:
        person.missed += 1
    for row, column in matches:
        people[row].frames.append(index)
        people[row].found.append(found[column])
        people[row].missed = 0
    known = {column for _, column in matches}
    people += [_Person([index], [face]) for column, face in enumerate(found) if column not in known]
