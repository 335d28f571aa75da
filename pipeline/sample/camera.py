"""A portrait as a clip: nobody moves but the camera, so that every pixel is the photograph's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.sample.actor import RATE, Performance
from pipeline.sample.footage import Still, load_still
from pipeline.sample.geometry import Image
from pipeline.sample.motion import wander

FRAMES = 24  # of a clip
ZOOM, PAN, ROLL = 0.08, 0.03, 0.06  # largest swing: share of the size, share of the size, radians
LIGHT = 0.04  # largest swing of the factor on all light
NOISE = 1.5  # of the sensor, grey levels


@dataclass(frozen=True, eq=False)
class Filmed:
    """A clip of a portrait."""

    still: Still
    number: int  # whose; no two are filmed alike
    seed: int

    @property
    def path(self) -> Path:
        """The portrait's file."""
        return self.still.path


def film(filmed: Filmed, only: Sequence[int] | None = None) -> Performance:
    """Draw a clip of a portrait, or some of its frames, which are the same as in the whole clip."""
    picture, points = load_still(filmed.still)
    height, width = picture.shape[:2]
    rng = np.random.default_rng([filmed.seed, 7, filmed.number])
    time = np.arange(FRAMES) / RATE
    zoom = 1 + ZOOM + wander(rng, time, ZOOM)  # never less than 1: little is seen beyond the border
    roll, light = wander(rng, time, ROLL), 1 + wander(rng, time, LIGHT)
    shift = np.stack([wander(rng, time, PAN * width), wander(rng, time, PAN * height)], axis=1)
    frames, places = [], []
    for i in range(FRAMES) if only is None else only:
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(np.degrees(roll[i])), float(zoom[i]))
        matrix[:, 2] += shift[i]
        moved = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        frames.append(_exposed(moved, float(light[i]), np.random.default_rng([filmed.seed, 8, filmed.number, i])))
        places.append(points @ matrix[:, :2].T + matrix[:, 2])
    return Performance(np.stack(frames), np.stack(places))


def _exposed(picture: Image, light: float, rng: np.random.Generator) -> Image:
    noisy = picture * light + rng.normal(0, NOISE, (*picture.shape[:2], 1))
    return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)
