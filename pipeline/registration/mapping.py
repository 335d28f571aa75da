"""What is done with a relation that was found: frames are taken at their real's times, pictures moved to its place.

Transforms are kept between shares of the frames' width and height (0..1 from edge to edge), so that one holds for
every size of the same picture: for the mask of a fake as for the fake itself.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.registration.offsets import Timing

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
NO_BARS = (0.0, 0.0, 0.0, 0.0)
BEYOND = 0.01  # of its sides, by which a box may leave the fake's picture; its edge is repeated there
SHRINKS = 1.5  # factor from which a picture is averaged before it is moved: moving alone would skip pixels
LARGEST_DENOMINATOR = 64  # of rates and offsets: makes floats exact fractions again

Affine = NDArray[np.float64]  # shape (3, 3), x right, y down
Size = tuple[int, int]  # width, height


@dataclass(frozen=True)
class Followed:
    """How a fake is read that is not its real frame by frame."""

    size: Size  # of its own frames, upright
    offset: float = 0.0  # this and the next two as in Timing
    rate: float = 1.0
    since: int = 0
    transform: tuple[float, ...] = IDENTITY  # first two rows; from shares of the fake's frame to shares of its real's
    bars: tuple[float, ...] = NO_BARS  # shares of the fake's frame without picture: left, top, right, bottom
    told: str = ""  # what was found, as a clause

    @property
    def timing(self) -> Timing:
        """Return which frame of the real each of the fake's shows."""
        return timing_of((self.offset, self.rate, self.since))

    @property
    def moved(self) -> bool:
        """Tell whether pictures have to be moved, not only taken at other times."""
        return self.transform != IDENTITY

    def reaches(self, box: NDArray[np.floating], size: Size) -> bool:
        """Tell whether the fake's picture covers a box (left, top, right, bottom), pixels of a real of that size."""
        # what of a box is outside of the real's frame, as of letterboxes, is nobody's picture
        left, top, right, bottom = np.clip(np.asarray(box, np.float64) / [*size, *size], 0, 1)
        corners = np.array([[left, right, left, right], [top, top, bottom, bottom], [1, 1, 1, 1]])
        own = (np.linalg.inv(square(self.transform)) @ corners)[:2]
        low, high = np.array(self.bars[:2]), 1 - np.array(self.bars[2:])
        return bool((own.min(axis=1) >= low - BEYOND).all() and (own.max(axis=1) <= high + BEYOND).all())


def timing_of(course: Sequence[float]) -> Timing:
    """Return a relation in time from the numbers that a store holds: offset, rate, and the frame from which they do."""
    offset, rate, since = course
    exact = [Fraction(float(value)).limit_denominator(LARGEST_DENOMINATOR) for value in (offset, rate)]
    return Timing(exact[0], exact[1], int(since))


def square(transform: Sequence[float]) -> Affine:
    """Return the matrix of shape (3, 3) of a transform's six numbers."""
    return np.array([[*transform[:3]], [*transform[3:]], [0, 0, 1]], np.float64)


def in_shares(transform: Affine, own: Size, real: Size) -> Affine:
    """Return a transform between pixels (their centres at whole numbers) as one between shares of both frames."""
    return np.linalg.inv(_to_centres(real)) @ transform @ _to_centres(own)


def in_pixels(transform: Affine, own: Size, real: Size) -> Affine:
    """Return a transform between shares of two frames as one between their pixels, centres at whole numbers."""
    return np.asarray(_to_centres(real) @ transform @ np.linalg.inv(_to_centres(own)))


def mapped(
    picture: NDArray[np.uint8],
    transform: Sequence[float],
    size: Size,
    bars: Sequence[float] = NO_BARS,
    interpolation: int = cv2.INTER_CUBIC,
) -> NDArray[np.uint8]:
    """Move a fake's picture to where it lies in its real's frame.

    Parameters
    ----------
    picture : ndarray of shape (h, w) or (h, w, 3), uint8
        A frame of the fake, or of its mask.
    transform : sequence of six floats
        As in `Followed`; whole pixels are moved without a change.
    size : tuple of int
        Width and height of the real's frame.
    bars : sequence of four floats
        As in `Followed`.
    interpolation : int
        Of OpenCV.

    Returns
    -------
    ndarray of shape (height, width) or (height, width, 3), uint8
        Beyond the fake's picture its edge is repeated; `Followed.reaches` tells what lies there.
    """
    height, width = picture.shape[:2]
    left, top, right, bottom = (round(share * side) for share, side in zip(bars, [width, height] * 2, strict=True))
    inner = picture[top : height - bottom, left : width - right]
    cut = (width - left - right, height - top - bottom)
    inside = np.array([[cut[0] / width, 0, left / width], [0, cut[1] / height, top / height], [0, 0, 1]])
    whole = square(transform) @ inside  # from shares of what is left between the bars
    scale = math.sqrt(abs(np.linalg.det(in_pixels(whole, cut, size)[:2, :2])))
    if scale * SHRINKS < 1:
        cut = (max(1, round(cut[0] * scale)), max(1, round(cut[1] * scale)))
        inner = np.asarray(cv2.resize(inner, cut, interpolation=cv2.INTER_AREA), np.uint8)
    move = np.round(in_pixels(whole, cut, size), 9)[:2]
    moved = cv2.warpAffine(inner, move, size, flags=interpolation, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def _to_centres(size: Size) -> Affine:
    """Return the transform from shares of a frame to its pixels."""
    return np.array([[size[0], 0, -0.5], [0, size[1], -0.5], [0, 0, 1]], np.float64)
