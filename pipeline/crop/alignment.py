"""Background similarity of a fake and its real: SSIM of the two frames outside the manipulated region."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.labels.ssim import ssim_map

SIDE = 480  # long side of the frames compared, pixels: the scene decides, not its finest detail
WINDOW = 5
LEAST = 0.05  # least share of the frame outside the box for which the background is compared


def thumbnail(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink a frame for `alignment`.

    Parameters
    ----------
    frame : ndarray of shape (H, W, 3), uint8
        RGB.

    Returns
    -------
    ndarray of shape (h, w), uint8
        Grey levels; the longer side has at most 480 pixels.
    """
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    scale = SIDE / max(grey.shape)
    if scale >= 1:
        return np.asarray(grey)
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA))


def alignment(fake: NDArray[np.uint8], real: NDArray[np.uint8], box: NDArray[np.float32], width: int) -> float:
    """Compare the backgrounds of a fake frame and its real frame.

    Parameters
    ----------
    fake, real : ndarray of shape (h, w), uint8
        From `thumbnail`; a fake of another size is resized to the real's.
    box : ndarray of shape (4,), float32
        Box around the face in the real's frame, pixels of that frame.
    width : int
        Width of the real's frame, pixels.

    Returns
    -------
    float
        Mean SSIM outside the box, -1..1. A box that leaves less than 5 % of the frame is shrunk about its centre until
        at least 5 % is left, since a face that fills the frame has no other background.
    """
    if fake.shape != real.shape:
        fake = np.asarray(cv2.resize(fake, real.shape[::-1], interpolation=cv2.INTER_AREA))
    similarity = ssim_map(fake, real, WINDOW)
    left, top, right, bottom = np.asarray(box, dtype=np.float64) * (real.shape[1] / width)
    while True:
        outside = np.ones(real.shape, dtype=bool)
        outside[_pixels(top, bottom, real.shape[0]), _pixels(left, right, real.shape[1])] = False
        if outside.mean() >= LEAST:
            return float(similarity[outside].mean(dtype=np.float64))
        inset_x, inset_y = 0.1 * (right - left), 0.1 * (bottom - top)
        left, top, right, bottom = left + inset_x, top + inset_y, right - inset_x, bottom - inset_y


def _pixels(low: float, high: float, length: int) -> slice:
    return slice(max(0, int(np.floor(low))), min(length, int(np.ceil(high))))
