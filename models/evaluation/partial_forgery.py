"""Partial manipulation: one region of a fake face pasted into its real, found by landmarks."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
Mask = NDArray[np.uint8]
GROW = 0.03  # of the crop's side, by which eyes, nose and mouth are enlarged
LEFT_EYE, RIGHT_EYE, NOSE, MOUTH = slice(36, 42), slice(42, 48), slice(27, 36), slice(48, 68)
BRIDGE, TIP, CHIN = 27, 30, 8


def region_mask(name: str, landmarks: Points, side: int) -> Mask:
    """Return which pixels of a crop a region holds.

    Parameters
    ----------
    name : str
        One of `REGIONS`. Left and right are the picture's.
    landmarks : ndarray of shape (68, 2), float32
        (x, y) in crop pixels; finite.
    side : int
        Of the crop.

    Returns
    -------
    ndarray of shape (side, side), uint8
        1 inside.

    References
    ----------
    Chen et al., Watching the BiG artifacts, Fig. 8 and Table 7, which shows the regions without giving their landmarks.
    """
    return REGIONS[name](landmarks, side)


def paste(fake: NDArray[np.uint8], real: NDArray[np.uint8], mask: Mask) -> NDArray[np.uint8]:
    """Return the real crop with the fake's pixels inside the mask."""
    return np.where(mask[..., None] > 0, fake, real)


def _hull(points: Points, side: int) -> Mask:
    mask = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    return mask


def _parts(*places: slice) -> Callable[[Points, int], Mask]:
    def mask(landmarks: Points, side: int) -> Mask:
        whole = np.bitwise_or.reduce([_hull(landmarks[place], side) for place in places])
        width = 2 * round(GROW * side) + 1
        return np.asarray(cv2.dilate(whole, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))), np.uint8)

    return mask


def _half(first: int, second: int, sign: int, across: bool) -> Callable[[Points, int], Mask]:
    """Return the part of the face on one side of a line: through two landmarks, or level with the first."""

    def mask(landmarks: Points, side: int) -> Mask:
        (x0, y0), (x1, y1) = landmarks[first], landmarks[second]
        if across:  # the line crosses the one between the landmarks, at the first
            x1, y1 = x0 - (y1 - y0), y0 + (x1 - x0)
        y, x = np.mgrid[:side, :side]
        beyond = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
        return np.asarray(_hull(landmarks, side) * (sign * beyond > 0), np.uint8)

    return mask


REGIONS: Mapping[str, Callable[[Points, int], Mask]] = {
    "eyes": _parts(LEFT_EYE, RIGHT_EYE),
    "nose": _parts(NOSE),
    "mouth": _parts(MOUTH),
    "lower": _half(TIP, CHIN, -1, True),
    "upper": _half(TIP, CHIN, 1, True),
    "left": _half(BRIDGE, CHIN, 1, False),
    "right": _half(BRIDGE, CHIN, -1, False),
}
