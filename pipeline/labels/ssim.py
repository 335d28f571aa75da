"""Label `ssim`: where a fake differs in structure from its real, by thresholded SSIM."""

import dataclasses
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import Labelling
from pipeline.labels._kind import UNWRITTEN, LabelKind, at

RANGE = 255  # of 8-bit grey levels
K1, K2 = 0.01, 0.03  # the usual stabilising constants
WIDEST = 11  # pixels: up to this window every sum below fits 32 bits


def ssim_map(x: NDArray[np.uint8], y: NDArray[np.uint8], window: int = 5) -> NDArray[np.float64]:
    """Compute the structural similarity of two images at every pixel.

    Means, sample variances and sample covariance are taken over a square uniform window; images continue beyond
    their edges by reflection with the edge pixel repeated. All sums are exact integers, so the result is that of
    `skimage.metrics.structural_similarity(..., full=True)` but for the last rounding, in a quarter of the time.

    Parameters
    ----------
    x, y : ndarray of shape (H, W) or (H, W, 3), uint8
        Grey or RGB images, 0 to 255; channels are treated apart.
    window : int
        Odd side of the window in pixels, from 3 to 11 and at most the smaller image side.

    Returns
    -------
    ndarray of the images' shape, float64
        SSIM, at most 1 and exactly 1 where both windows agree; it can be negative.

    Raises
    ------
    ValueError
        Shapes or types differ from the above, or the window is even, too small or too large.

    References
    ----------
    Wang, Bovik, Sheikh, Simoncelli, Image quality assessment: from error visibility to structural similarity,
    IEEE TIP 2004, eq. 13, doi:10.1109/TIP.2003.819861.
    """
    if x.shape != y.shape or x.dtype != np.uint8 or y.dtype != np.uint8:
        raise ValueError(f"SSIM compares 8-bit images of one shape, not {x.dtype} {x.shape} and {y.dtype} {y.shape}.")
    if window % 2 == 0 or not 3 <= window <= min(WIDEST, *x.shape[:2]):
        raise ValueError(f"An SSIM window of {window} pixels does not suit an image of shape {x.shape}.")
    n = window * window
    sum_x, sum_y = _sums(x, window), _sums(y, window)
    sum_xy = _sums(np.multiply(x, y, dtype=np.int32), window)
    sum_squares = _sums(np.square(x, dtype=np.int32) + np.square(y, dtype=np.int32), window)
    # every factor of eq. 13 times n^2 (means) or n (n - 1) (covariances), which cancel in the quotient
    product, squares = sum_x * sum_y, sum_x * sum_x + sum_y * sum_y
    c1, c2 = (K1 * RANGE) ** 2 * n * n, (K2 * RANGE) ** 2 * n * (n - 1)
    luminance = (2 * product + c1) / (squares + c1)
    result: NDArray[np.float64] = luminance * ((2 * (n * sum_xy - product) + c2) / (n * sum_squares - squares + c2))
    return result


def gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert RGB of shape (H, W, 3) to 8-bit grey of shape (H, W).

    BT.601 luma (0.299 R + 0.587 G + 0.114 B), in fixed point and rounded.
    """
    result: NDArray[np.uint8] = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return result


def difference_map(fake: NDArray[np.uint8], real: NDArray[np.uint8], window: int) -> NDArray[np.uint8]:
    """Return 255 (1 - SSIM) of two crops' grey levels, in whole steps.

    Parameters
    ----------
    fake, real : ndarray of shape (H, W, 3), uint8
        Aligned RGB crops of one face, 0 to 255.
    window : int
        As for `ssim_map`.

    Returns
    -------
    ndarray of shape (H, W), uint8
        0 = alike, 255 = SSIM of 0 or less, which would wrap around in 8 bits.
    """
    similarity = ssim_map(gray(fake), gray(real), window)
    return np.asarray(np.clip((1 - similarity) * RANGE, 0, RANGE).astype(np.uint8))


def fill_holes(mask: NDArray[np.uint8], area: int) -> NDArray[np.uint8]:
    """Set every 4-connected region of zeros that has fewer than `area` pixels.

    Regions that the image's edge cuts off count as holes too; a mask without any pixel stays empty.

    Parameters
    ----------
    mask : ndarray of shape (H, W), uint8
        0 or 1.
    area : int
        Pixels from which a region is kept.

    Returns
    -------
    ndarray of shape (H, W), uint8
        0 or 1.
    """
    if not mask.any():
        return mask
    regions = cv2.connectedComponents(1 - mask, connectivity=4)[1]
    small = np.bincount(regions.ravel()) < area
    small[0] = False  # the mask itself
    result: NDArray[np.uint8] = mask | small[regions]
    return result


def compute(
    fake: NDArray[np.uint8], real: NDArray[np.uint8], settings: Labelling, level: str = "raw"
) -> NDArray[np.uint8]:
    """Label the pixels of a fake whose grey surroundings are not those of its real.

    Parameters
    ----------
    fake, real : ndarray of shape (H, W, 3), uint8
        Aligned RGB crops of one face, 0 to 255.
    settings : Labelling
        `ssim_window`, `ssim_threshold`, `ssim_close`, `ssim_hole`, `ssim_minimum`.
    level : str
        Compression of the pair: `raw`, `c23` or `c40`; decides the threshold.

    Returns
    -------
    ndarray of shape (H, W), uint8
        1 = manipulated, 0 = not; empty where fewer than `ssim_minimum` pixels are manipulated, since such a face
        counts as real.

    References
    ----------
    Jia et al., Inconsistency-Aware Wavelet Dual-Branch Network for Face Forgery Detection, IEEE TBIOM 2021,
    Data Pre-Processing.
    """
    difference = difference_map(fake, real, settings.ssim_window)
    mask = (difference > at(settings.ssim_threshold, level)).astype(np.uint8)
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (settings.ssim_close, settings.ssim_close))
    label = fill_holes(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, ellipse), settings.ssim_hole)
    return label if np.count_nonzero(label) >= settings.ssim_minimum else np.zeros_like(label)


def parameters(settings: Labelling) -> dict[str, Any]:
    """Return everything that decides the values of this label."""
    return {
        "gray": "BT.601 luma rounded to 8 bits",
        "window": settings.ssim_window,
        "weights": "uniform",
        "covariance": "sample",
        "border": "reflect, edge pixel repeated",
        "data_range": RANGE,
        "k1": K1,
        "k2": K2,
        "threshold": dataclasses.asdict(settings.ssim_threshold),
        **({"threshold_of_video": settings.threshold} if settings.threshold != "table" else {}),
        "close_ellipse": settings.ssim_close,
        "fill_holes_below": settings.ssim_hole,
        "real_below": settings.ssim_minimum,
        "none_above_background": settings.ssim_background,
    }


def _sums(values: NDArray[np.generic], window: int) -> NDArray[np.int32]:
    result: NDArray[np.int32] = cv2.boxFilter(
        values.astype(np.int32), -1, (window, window), normalize=False, borderType=cv2.BORDER_REFLECT
    )
    return result


KIND = LabelKind(
    name="ssim",
    dtype="uint8",
    fill=UNWRITTEN,
    source="pair",
    description="Pixels of a fake whose structure differs from its real: 255 (1 - SSIM) of the grey crops above a "
    "threshold, closed, small holes filled. 0 everywhere on a real.",
    units="1",
    reference="Jia et al., Inconsistency-Aware Wavelet Dual-Branch Network for Face Forgery Detection, IEEE TBIOM "
    "2021, Data Pre-Processing; SSIM: Wang et al., IEEE TIP 2004, eq. 13.",
    flags=("untouched", "manipulated"),
    parameters=parameters,
    compute=compute,
    limit=lambda settings: settings.ssim_background,
)
