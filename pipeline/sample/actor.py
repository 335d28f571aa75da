"""Clips of the photograph's invented people: frames and, known exactly, the landmarks in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.sample.geometry import Image, Points, spline_maps
from pipeline.sample.motion import Motion, depths, expression, posed, script
from pipeline.sample.photograph import landmarks, to_texture
from pipeline.sample.portrait import paint
from pipeline.sample.surroundings import surroundings
from pipeline.sample.traits import BODY, HEAD, person, shaped

SIDE = 352  # pixels of a frame
SCALE = 1.6  # frame pixels per photograph pixel
VIEW = (226.0 - SIDE / SCALE / 2, 4.0)  # photograph pixel at the frame's corner
TEETH = 5.0  # visible height, photograph pixels
NOISE = (1.8, 1.0)  # of the sensor: brightness and colour, grey levels
RATE = 25.0


@dataclass(frozen=True)
class Performance:
    """A clip in memory."""

    frames: NDArray[np.uint8]  # (frames, height, width, 3), RGB
    landmarks: Points  # (frames, 68, 2), pixels of the frame


def track(number: int, count: int, seed: int) -> Points:
    """Return the landmarks of one person's clip without drawing it: (count, 68, 2), frame pixels."""
    motion = script(number, count, seed, RATE)
    face, _ = shaped(person(number, seed))
    depth = depths(landmarks())
    return np.stack([_to_frame(posed(_acting(face, motion, i), depth, motion, i)) for i in range(count)])


def perform(number: int, count: int, seed: int, only: Sequence[int] | None = None) -> Performance:
    """Draw the first frames of one person's clip.

    Parameters
    ----------
    number : int
        Whose; from 0 to `traits.PEOPLE - 1`.
    count : int
        Frames of the whole clip.
    seed : int
        Seed of the whole sample.
    only : sequence of int, optional
        Draw these frames alone; they are the same as in the whole clip.
    """
    texture = paint(person(number, seed), seed)
    behind = surroundings(number, (SIDE, SIDE), seed)
    motion = script(number, count, seed, RATE)
    points = track(number, count, seed)
    chosen = list(range(count) if only is None else only)
    drawn = (_drawn(number, texture, behind, motion, points, i, seed) for i in chosen)
    frames = [
        _exposed(picture, motion, i, np.random.default_rng([seed, 5, number, i]))
        for i, picture in zip(chosen, drawn, strict=True)
    ]
    return Performance(np.stack(frames), points[chosen])


def _acting(face: Points, motion: Motion, frame: int) -> Points:
    return expression(face, float(motion.mouth[frame]), float(motion.lids[frame]), float(motion.brows[frame]))


def _to_frame(points: Points) -> Points:
    return (points - VIEW) * SCALE


def _drawn(
    number: int, texture: Image, behind: NDArray[np.float32], motion: Motion, points: Points, frame: int, seed: int
) -> NDArray[np.float32]:
    """Draw one frame without light and noise."""
    _, outline = shaped(person(number, seed))
    head = _to_frame(posed(outline, np.full(len(outline), -22.0), motion, frame))
    body = _to_frame(np.array(BODY, float) + motion.shift[frame] * [0.5, 0.3])
    there = np.concatenate([points[frame], head, body])
    here = to_texture(np.concatenate([landmarks(), np.array(HEAD, float), np.array(BODY, float)]))
    x, y = spline_maps(there, here, (SIDE, SIDE))
    layer = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT).astype(np.float32)
    mouth_darkened = _mouth(layer[..., :3], points[frame])
    weight = layer[..., 3:] / np.float32(255)
    return np.asarray(behind + weight * (mouth_darkened - behind), np.float32)


def _mouth(colour: NDArray[np.float32], points: Points) -> NDArray[np.float32]:
    """Darken an open mouth below the teeth, which the photograph shows and which do not grow as it opens."""
    inner = points[60:68]
    left, top = np.floor(inner.min(axis=0) - 4).astype(int)
    right, bottom = np.ceil(inner.max(axis=0) + 5).astype(int)
    part = colour[top:bottom, left:right]
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint((inner - [left, top]) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    columns = np.arange(left, right)
    edge = np.interp(columns, inner[:5, 0], inner[:5, 1]) + TEETH * SCALE - top
    below = 1 / (1 + np.exp(-(np.arange(bottom - top)[:, None] - edge[None]) / 1.2))
    weight = (cv2.GaussianBlur(mask, (0, 0), 0.8) / 255 * below * 0.92)[..., None].astype(np.float32)
    part += weight * (np.array([46, 16, 16], np.float32) - part)
    return colour


def _exposed(picture: NDArray[np.float32], motion: Motion, frame: int, rng: np.random.Generator) -> Image:
    """Add light and the sensor's noise."""
    ramp = np.linspace(-0.5, 0.5, SIDE, dtype=np.float32)[None, :, None] * np.float32(motion.slope[frame])
    grey = rng.standard_normal((SIDE, SIDE, 1), dtype=np.float32) * np.float32(NOISE[0])
    tint = cv2.resize(rng.standard_normal((SIDE // 2, SIDE // 2, 3), dtype=np.float32), (SIDE, SIDE)) * np.float32(
        NOISE[1]
    )
    lit = picture * np.float32(motion.gain[frame]) + ramp + grey + tint
    return np.asarray(np.clip(np.rint(lit), 0, 255), np.uint8)
