"""A moving person and a fake of it, altered as datasets alter theirs: late, at another rate, mirrored, cut, barred."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from pipeline.sample.actor import perform
from pipeline.video.encode import write_video

COUNT, SIDE = 24, 352
Film = list[np.ndarray]


def barred(film: Film) -> Film:
    made = [np.zeros_like(frame) for frame in film]
    for black, frame in zip(made, film, strict=True):
        black[36:-36] = cv2.resize(frame, (SIDE, SIDE - 72), interpolation=cv2.INTER_AREA)
    return made


def stranger(film: Film) -> Film:
    # no two patches of noise are alike
    rng = np.random.default_rng(4)
    return [cv2.resize(rng.integers(0, 256, (44, 44, 3), dtype=np.uint8), (SIDE, SIDE)) for _ in film]


ALTERED: dict[str, Callable[[Film], Film]] = {
    "plain": list,
    "late": lambda film: film[3:],
    "half": lambda film: film[::2],
    "dropped": lambda film: film[:10] + film[11:],
    "mirrored": lambda film: [frame[:, ::-1] for frame in film],
    "turned": lambda film: [np.rot90(frame, -1) for frame in film],
    "cut": lambda film: [frame[20:-12, 8:-16] for frame in film],
    "barred": barred,
    "both": lambda film: [frame[:, ::-1] for frame in [film[0]] * 2 + film[:-2]],
    "stranger": stranger,
}


def build(root: Path, names: Iterable[str] = ALTERED) -> Path:
    """Write a real, its fake and the fake's mask altered in some ways, and return the CSV file that lists them."""
    shown = perform(0, COUNT, 0)
    reals = list(shown.frames)
    masks = [_face(points) for points in shown.landmarks]
    fakes = [
        np.where(mask, cv2.GaussianBlur(real, (0, 0), 4)[..., ::-1], real)
        for mask, real in zip(masks, reals, strict=True)
    ]
    write_video(root / "real.mp4", reals, fps=25, crf=0)
    lines = []
    for name in names:
        for role, film in (("fake", fakes), ("mask", masks)):
            write_video(root / f"{name}_{role}.mp4", map(np.ascontiguousarray, ALTERED[name](film)), fps=25, crf=0)
        lines.append(["real.mp4", f"{name}_fake.mp4", f"{name}_mask.mp4", name, "train"])
    with (root / "pairs.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["real", "fake", "mask", "method", "split"], *lines])
    return root / "pairs.csv"


def _face(points: np.ndarray) -> np.ndarray:
    hull = cv2.convexHull(np.rint(points).astype(np.int32))
    return cv2.fillConvexPoly(np.zeros((SIDE, SIDE, 3), np.uint8), hull, (255, 255, 255))
