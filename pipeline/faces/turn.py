"""Videos that lie on their side or upside down without saying so: found by where their faces are upright."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Detection
from pipeline.faces import detect

TURNS = (90, 270, 180)  # degrees clockwise, the likely ones first
TRIED = 4  # frames looked at in each orientation


def turned(frame: NDArray[np.uint8], degrees: int) -> NDArray[np.uint8]:
    """Turn a frame of shape (H, W) or (H, W, 3) clockwise by 0, 90, 180 or 270 degrees.

    >>> turned(np.array([[1, 2]], np.uint8), 90).tolist()
    [[1], [2]]
    """
    return np.ascontiguousarray(np.rot90(frame, -degrees // 90)) if degrees else frame


def turn_of(frames: Sequence[NDArray[np.uint8]], settings: Detection, device: str = "cpu") -> int:
    """Find how frames without an upright face have to be turned to show one.

    Parameters
    ----------
    frames : sequence of ndarray of shape (H, W, 3), uint8
        RGB; of one video.
    settings : Detection
        Detector and its threshold.
    device : str
        `cpu` or `cuda`.

    Returns
    -------
    int
        Degrees clockwise: 90, 180 or 270, that in which most frames show a face, of equals the one with the higher
        scores; 0 where none does.
    """
    best, most = 0, (0, 0.0)
    for degrees in TURNS:
        found = [detect(turned(frame, degrees), settings, device) for frame in frames]
        scores = [faces[0].score for faces in found if faces]
        if scores and (len(scores), sum(scores)) > most:
            best, most = degrees, (len(scores), sum(scores))
    return best
