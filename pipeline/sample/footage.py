"""Clips and portraits of the user's own: their frames, scaled down, and the landmarks found in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DecodeError
from pipeline.faces import dlib as faces
from pipeline.sample.actor import Performance
from pipeline.sample.geometry import Image, Points
from pipeline.video import frames

LONG_SIDE = 480  # pixels; larger frames are scaled down
FRAMES = 100  # of a clip's beginning
LEAST = 16  # frames a clip must offer
TREMOR = 1.0  # frames: landmarks are smoothed over time, since the predictor sees each frame for itself


@dataclass(frozen=True, eq=False)
class Clip:
    """A stretch of a real video with one face in every frame."""

    path: Path
    indexes: tuple[int, ...]
    size: tuple[int, int]  # width and height after scaling, even
    landmarks: NDArray[np.float32]  # (frames, 68, 2), scaled pixels


@dataclass(frozen=True, eq=False)
class Still:
    """A portrait."""

    path: Path
    size: tuple[int, int]
    landmarks: NDArray[np.float32]  # (68, 2), scaled pixels


def survey_clip(path: Path) -> Clip | str:
    """Find the longest stretch of a video's beginning that shows a face in every frame; or say why there is none."""
    try:
        count = min(frames.probe(path).frames, FRAMES)
        pictures = [_scaled(frame) for _, frame in frames.read(path, range(count))]
    except DecodeError as error:
        return str(error)
    found = _follow(pictures)
    start, stop = _longest([points is not None for points in found])
    if stop - start < LEAST:
        return f"{path.name} shows a face in {stop - start} frames on end; {LEAST} are needed."
    points = np.stack([each for each in found[start:stop] if each is not None])
    height, width = pictures[0].shape[:2]
    return Clip(path, tuple(range(start, stop)), (width, height), _steady(points))


def survey_still(path: Path) -> Still | str:
    """Find the face of a portrait; or say why there is none."""
    try:
        picture = _scaled(next(frame for _, frame in frames.read(path, [0])))
    except DecodeError as error:
        return str(error)
    points = _landmarks(picture, None)
    if points is None:
        return f"{path.name} shows no face."
    return Still(path, (picture.shape[1], picture.shape[0]), points.astype(np.float32))


def load_clip(clip: Clip, only: Sequence[int] | None = None) -> Performance:
    """Read a surveyed clip, or some frames of it, counted from the stretch's beginning."""
    chosen = list(range(len(clip.indexes)) if only is None else only)
    pictures = [_scaled(frame) for _, frame in frames.read(clip.path, [clip.indexes[i] for i in chosen])]
    return Performance(np.stack(pictures), clip.landmarks[chosen].astype(np.float64))


def load_still(still: Still) -> tuple[Image, Points]:
    """Read a surveyed portrait and its landmarks."""
    return _scaled(next(frame for _, frame in frames.read(still.path, [0]))), still.landmarks.astype(np.float64)


def _scaled(frame: Image) -> Image:
    height, width = frame.shape[:2]
    ratio = min(1.0, LONG_SIDE / max(height, width))
    size = (max(2, 2 * round(width * ratio / 2)), max(2, 2 * round(height * ratio / 2)))
    if size == (width, height):
        return frame
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _follow(pictures: list[Image]) -> list[Points | None]:
    found: list[Points | None] = []
    for picture in pictures:
        found.append(_landmarks(picture, found[-1] if found else None))
    return found


def _landmarks(picture: Image, last: Points | None) -> Points | None:
    """Return the landmarks of the face nearest to the last one, or of the largest."""
    detected = faces.detect(picture, min_face=80) or faces.detect(
        picture, min_face=40
    )  # twice the size costs four times the time
    if not detected:
        return None
    boxes = np.stack([face.box for face in detected])
    size = boxes[:, 2] - boxes[:, 0]
    if last is None:
        chosen = int(np.argmax(size))
    else:
        away = np.linalg.norm((boxes[:, :2] + boxes[:, 2:]) / 2 - last[17:].mean(axis=0), axis=1)
        chosen = int(np.argmin(away))
        if away[chosen] > 0.5 * size[chosen]:
            return None  # a cut: another face in another place
    points = faces.landmarks(picture, boxes[chosen])
    return points.astype(np.float64) if np.isfinite(points).all() else None


def _longest(good: list[bool]) -> tuple[int, int]:
    best, start = (0, 0), 0
    for place, each in enumerate([*good, False]):
        if not each:
            best = max(best, (start, place), key=lambda stretch: stretch[1] - stretch[0])
            start = place + 1
    return best


def _steady(points: Points) -> NDArray[np.float32]:
    """Smooth landmarks over time.

    Quick true motion, lids and lips above all, is kept in part: half of the smoothing there.
    """
    reach = int(3 * TREMOR)
    kernel = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / TREMOR))
    padded = np.pad(points, ((reach, reach), (0, 0), (0, 0)), mode="edge")
    smooth = sum(weight * padded[i : i + len(points)] for i, weight in enumerate(kernel / kernel.sum()))
    share = np.where(np.arange(68) >= 36, 0.5, 1.0)[None, :, None]
    return np.asarray(points + share * (smooth - points), np.float32)
