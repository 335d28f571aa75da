"""Time every label against what one would write with scikit-image, SciPy and PyWavelets: `python benchmarks/labels.py`.

Both sides of a row do the same work on the same crops, on one thread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pywt
from numpy.typing import NDArray
from scipy import ndimage
from skimage import data
from skimage.metrics import structural_similarity
from skimage.morphology import convex_hull_image, dilation, erosion
from timing import Row, Way, compare

from pipeline.labels.boundary import ring
from pipeline.labels.hull import convex_hull
from pipeline.labels.mask import fill_contours
from pipeline.labels.noise import LUMA, noise_residual
from pipeline.labels.ssim import gray, ssim_map

SIDES = (224, 256, 299)
ROUNDS = 15
CALLS = 20  # of a round


@dataclass(frozen=True)
class Contest:
    """Two ways to compute one thing."""

    name: str
    ours: Callable[[], NDArray[Any]]
    theirs: Callable[[], NDArray[Any]]


def crops(side: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a fake, its real and the mask of what was changed: a blurred, brighter ellipse and sensor noise."""
    photograph = data.astronaut()[0:300, 80:380]
    real = cv2.resize(photograph, (side, side), interpolation=cv2.INTER_AREA if side < 300 else cv2.INTER_LINEAR)
    mask = np.zeros((side, side), np.uint8)
    cv2.ellipse(mask, (side // 2, side // 2), (side // 4, side // 3), 10, 0, 360, 1, -1)
    swapped = np.where(mask[..., None] == 1, cv2.GaussianBlur(real, (0, 0), 3) + 10.0, real)
    noise = np.random.default_rng(0).integers(-2, 3, real.shape)
    return np.clip(swapped + noise, 0, 255).astype(np.uint8), real, mask


def plain_residual(image: NDArray[np.uint8], sigma: float) -> NDArray[np.float32]:
    """Compute the Mihcak residual from its formula, channel by channel."""
    result = np.zeros(image.shape[:2], np.float32)
    for channel, weight in enumerate(LUMA):
        approximation, *levels = pywt.wavedec2(image[..., channel].astype(np.float32), "db4", "symmetric", level=4)
        filtered: list[Any] = [np.zeros_like(approximation)]
        for bands in levels:
            noise = []
            for band in bands:
                means = [ndimage.uniform_filter(band**2, window, mode="constant") for window in (3, 5, 7, 9)]
                variance = np.maximum(np.min(means, axis=0) - sigma**2, 0)
                noise.append(band * sigma**2 / (variance + sigma**2))
            filtered.append(tuple(noise))
        residual = pywt.waverec2(filtered, "db4", "symmetric")[: image.shape[0], : image.shape[1]]
        result += np.float32(weight) * residual
    return result


def contests(side: int) -> list[Contest]:
    """Return every comparison at one crop size."""
    fake, real, mask = crops(side)
    x, y = gray(fake), gray(real)
    speckled = mask & (np.random.default_rng(1).random(mask.shape) < 0.7).astype(np.uint8)
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    options = {"win_size": 5, "data_range": 255, "full": True}
    return [
        Contest("SSIM, grey; scikit-image", lambda: ssim_map(x, y), lambda: structural_similarity(x, y, **options)[1]),
        Contest(
            "SSIM, RGB; scikit-image",
            lambda: ssim_map(fake, real),
            lambda: structural_similarity(fake, real, channel_axis=2, **options)[1],
        ),
        Contest("noise; PyWavelets, SciPy", lambda: noise_residual(real, 5.0), lambda: plain_residual(real, 5.0)),
        Contest("hull; scikit-image", lambda: convex_hull(speckled), lambda: convex_hull_image(speckled)),
        Contest(
            "boundary; scikit-image",
            lambda: ring(mask, 7),
            lambda: dilation(mask, ellipse, mode="ignore") - erosion(mask, ellipse, mode="ignore"),
        ),
        Contest("filled mask; SciPy", lambda: fill_contours(speckled), lambda: ndimage.binary_fill_holes(speckled)),
    ]


def rows() -> list[Row]:
    """Compare every label at every crop size."""
    cv2.setNumThreads(1)
    found = []
    for side in SIDES:
        for contest in contests(side):
            apart = np.abs(contest.ours().astype(np.float64) - contest.theirs().astype(np.float64)).max()
            label, rival = contest.name.split("; ")
            found += compare(
                f"{CALLS} crops of {side} pixels: {label}",
                Way("forgery-prep", repeated(contest.ours)),
                [Way(rival, repeated(contest.theirs))],
                f"largest difference {apart:.1e}",
                ROUNDS,
            )
    return found


def repeated(work: Callable[[], object]) -> Callable[[], None]:
    """Call something often enough for the clock of CPU time."""

    def many() -> None:
        for _ in range(CALLS):
            work()

    return many


if __name__ == "__main__":
    rows()
