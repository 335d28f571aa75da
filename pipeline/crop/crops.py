"""Cropping geometry: the enlarged box of a detection and its pixels, the same for frames, masks and points.

Coordinates are continuous: pixel j of a frame covers [j, j + 1), so a box needs no rounding. Crop pixel i averages
the frame over an interval around its centre, as wide as the crop pixel or one frame pixel, whichever is wider: area
averaging where the crop shrinks, linear interpolation where it grows, the same at scale 1. A box of the crop's own
size at a whole-pixel position gives the frame's pixels unchanged. The weights depend on the box alone, so rows that
share a box share every sampling point.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Cropping

Size = tuple[int, int]  # width, height


@dataclass(frozen=True)
class _Axis:
    """Positions of the crop's pixels along one axis of the frame: pixel i is centred on start + (i + 0.5) step."""

    start: float
    step: float
    low: float  # the box's own edges: beyond them a letterboxed crop is padding
    high: float


def enlarge(
    box: NDArray[np.floating[Any]], frame_width: int, frame_height: int, settings: Cropping
) -> NDArray[np.float32]:
    """Enlarge a detection by `scale` about its centre.

    Parameters
    ----------
    box : ndarray of shape (4,)
        Detection: left, top, right, bottom in pixels, half-open.
    frame_width, frame_height : int
        Size of the frame, pixels.
    settings : Cropping
        `fit = square`: a square of side min(scale max(w, h), frame width, frame height), shifted inside the frame
        where it would leave it. `fit = letterbox`: w and h each times scale; it may leave the frame.

    Returns
    -------
    ndarray of shape (4,), float32
        The box to crop.

    Raises
    ------
    ValueError
        The detection has no area.
    """
    left, top, right, bottom = (float(edge) for edge in box)
    width, height = right - left, bottom - top
    if not (width > 0 and height > 0):
        raise ValueError(f"A box of {width} x {height} pixels cannot be enlarged.")
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    if settings.fit == "letterbox":
        half_x, half_y = settings.scale * width / 2, settings.scale * height / 2
        return np.array([middle_x - half_x, middle_y - half_y, middle_x + half_x, middle_y + half_y], np.float32)
    side = min(settings.scale * max(width, height), frame_width, frame_height)
    left = min(max(middle_x - side / 2, 0.0), frame_width - side)
    top = min(max(middle_y - side / 2, 0.0), frame_height - side)
    return np.array([left, top, left + side, top + side], np.float32)


def rescale(box: NDArray[np.float32], from_size: Size, to_size: Size) -> NDArray[np.float32]:
    """Scale a box of shape (4,) from a frame of one size (width, height) to the same picture at another size."""
    ratios = np.array([to_size[0] / from_size[0], to_size[1] / from_size[1]] * 2)
    return np.asarray(box * ratios, np.float32)


def to_crop(points: NDArray[np.floating[Any]], box: NDArray[np.float32], settings: Cropping) -> NDArray[np.float32]:
    """Transform points, or a box, from frame coordinates to crop coordinates.

    Parameters
    ----------
    points : ndarray of shape (n, 2) or (4,)
        (x, y) each, or left, top, right, bottom; pixels of the frame.
    box : ndarray of shape (4,), float32
        The crop's box in that frame.
    settings : Cropping
        `size` and `fit`.

    Returns
    -------
    ndarray of the same shape, float32
        Pixels of the crop.
    """
    across, down = _axes(box, settings)
    origin, steps = np.array([across.start, down.start]), np.array([across.step, down.step])
    moved = (np.asarray(points, np.float64).reshape(-1, 2) - origin) / steps
    return np.asarray(moved.reshape(np.shape(points)), np.float32)


def crop(frame: NDArray[np.uint8], box: NDArray[np.float32], settings: Cropping) -> NDArray[np.uint8]:
    """Cut out a box at the crop's size.

    Parameters
    ----------
    frame : ndarray of shape (H, W, 3), uint8
        RGB.
    box : ndarray of shape (4,), float32
        From `enlarge`, or rescaled from it. With `fit = square` it fills the crop; one that is not square (a fake of
        another aspect ratio) is stretched, so that it stays aligned with its real.
    settings : Cropping
        `size` and `fit`.

    Returns
    -------
    ndarray of shape (size, size, 3), uint8
        RGB. With `fit = letterbox`, pixels outside the box or the frame are 0; with `fit = square`, the frame's edge
        is repeated where rounding moves a box beyond it.

    Raises
    ------
    ValueError
        The box has no area.
    """
    return _resample(frame, box, settings)


def crop_mask(mask: NDArray[np.uint8], box: NDArray[np.float32], settings: Cropping) -> NDArray[np.uint8]:
    """Cut the same box out of a grey mask frame.

    Parameters
    ----------
    mask : ndarray of shape (H, W), uint8
        Grey levels, or 0 and 1.
    box : ndarray of shape (4,), float32
        In pixels of `mask`.
    settings : Cropping
        `size` and `fit`.

    Returns
    -------
    ndarray of shape (size, size), uint8
        In the same units as `mask`.
    """
    return _resample(mask[..., None], box, settings)[..., 0]


def _axes(box: NDArray[np.float32], settings: Cropping) -> tuple[_Axis, _Axis]:
    left, top, right, bottom = (float(edge) for edge in box)
    width, height = right - left, bottom - top
    if not (width > 0 and height > 0):
        raise ValueError(f"A box of {width} x {height} pixels cannot be cropped.")
    size = settings.size
    if settings.fit == "square":
        return _Axis(left, width / size, left, right), _Axis(top, height / size, top, bottom)
    long = max(width, height)
    across = _Axis((left + right - long) / 2, long / size, left, right)
    return across, _Axis((top + bottom - long) / 2, long / size, top, bottom)


def _resample(frame: NDArray[np.uint8], box: NDArray[np.float32], settings: Cropping) -> NDArray[np.uint8]:
    across, down = _axes(box, settings)
    padded = settings.fit == "letterbox"
    rows, row_weights = _weights(down, settings.size, frame.shape[0], padded)
    columns, column_weights = _weights(across, settings.size, frame.shape[1], padded)
    first, last = int(columns.min()), int(columns.max()) + 1
    strip = frame[:, first:last]
    columns -= first
    tall = sum(strip[at] * weight[:, None, None] for at, weight in zip(rows, row_weights, strict=True))
    whole = sum(tall[:, at] * weight[None, :, None] for at, weight in zip(columns, column_weights, strict=True))
    return np.asarray(np.clip(np.rint(whole), 0, 255), np.uint8)


def _weights(axis: _Axis, size: int, length: int, padded: bool) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return, per tap and crop pixel, the frame pixel it takes and its share: two arrays of shape (taps, size)."""
    centres = axis.start + (np.arange(size) + 0.5) * axis.step
    reach = max(axis.step, 1.0)
    low, high = centres - reach / 2, centres + reach / 2
    taken = np.floor(low).astype(np.int64) + np.arange(int(np.ceil(reach)) + 1)[:, None]
    shares = np.clip(np.minimum(high, taken + 1) - np.maximum(low, taken), 0, None) / reach
    if padded:
        shares *= (taken >= 0) & (taken < length) & (centres >= axis.low) & (centres < axis.high)
    return np.clip(taken, 0, length - 1), shares.astype(np.float32)
