"""Videos that lie on their side or upside down without saying so: found by where their faces are upright."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Detection
from pipeline.faces import detect
from pipeline.faces.tracks import Track

TURNS = (90, 270, 180)  # degrees clockwise, the likely ones first
TRIED = 4  # frames looked at in each orientation
RARE = 0.25  # share of the frames with a face below which that may be chance: people who lie are found in a sixth


def turned(frame: NDArray[np.uint8], degrees: int) -> NDArray[np.uint8]:
    """Turn a frame of shape (H, W) or (H, W, 3) clockwise by 0, 90, 180 or 270 degrees.

    >>> turned(np.array([[1, 2]], np.uint8), 90).tolist()
    [[1], [2]]
    """
    return np.ascontiguousarray(np.rot90(frame, -degrees // 90)) if degrees else frame


def rare(tracks: Sequence[Track], frames: int) -> bool:
    """Tell whether so few of a video's sampled frames show a face that it may lie on its side or upside down."""
    return len(_shown(tracks)) < RARE * frames


def seen(tracks: Sequence[Track], frames: NDArray[np.int64]) -> int:
    """Return how many of some frames, of shape (n,), show an upright face; at least 1 where any frame does."""
    shown = _shown(tracks)
    return max(int(np.isin(frames, shown).sum()), 1) if len(shown) else 0


def _shown(tracks: Sequence[Track]) -> NDArray[np.int64]:
    return np.unique(np.concatenate([track.frames for track in tracks])) if tracks else np.empty(0, np.int64)


def turn_of(frames: Sequence[NDArray[np.uint8]], settings: Detection, device: str = "cpu", upright: int = 0) -> int:
    """Find how frames that show hardly a face have to be turned to show one.

    A turned face is now and then found as it is presented, by chance and in single frames. So another orientation has
    to show a face in more than twice as many frames.

    Parameters
    ----------
    frames : sequence of ndarray of shape (H, W, 3), uint8
        RGB; of one video.
    settings : Detection
        Detector and its threshold.
    device : str
        `cpu` or `cuda`.
    upright : int
        How many of them show a face as they are; from `seen`.

    Returns
    -------
    int
        Degrees clockwise: 90, 180 or 270, that in which most frames show a face, of equals the one with the higher
        scores; 0 where none does.
    """
    best, most = 0, (2 * upright, float("inf") if upright else 0.0)
    for degrees in TURNS:
        found = [detect(turned(frame, degrees), settings, device) for frame in frames]
        scores = [faces[0].score for faces in found if faces]
        if scores and (len(scores), sum(scores)) > most:
            best, most = degrees, (len(scores), sum(scores))
    return best
