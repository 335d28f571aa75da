"""Faces that the detector saw but was not sure enough of: what to tell where it found none."""

import re
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Detection
from pipeline.faces import DETECTORS
from pipeline.faces.detected import Detected
from pipeline.video.sampling import subset

FLOORS = {"mtcnn": 0.0, "dlib": -1.0}  # below these nothing is a face; MTCNN's own last stage begins at 0.7
SEARCHED = 8  # frames of a video without a face in which the best score below the threshold is looked for
TOLD = re.compile(r" \(best scores [^()]*\)")
THRESHOLDS = {"mtcnn": "threshold", "dlib": "dlib_threshold"}  # settings of `Detection`


def threshold_of(settings: Detection) -> float:
    """Return the least score of a face with these settings."""
    return float(getattr(settings, THRESHOLDS[settings.detector]))


def searched(
    frames: NDArray[np.int64], shown: Sequence[NDArray[np.int64]], unread: Collection[int]
) -> NDArray[np.int64]:
    """Choose frames in which what was almost a face is looked for: some of those that could be read and show none.

    >>> searched(np.arange(4), [np.array([0])], [2]).tolist()
    [1, 3]
    """
    without = np.setdiff1d(frames, np.concatenate([*shown, np.array([*unread], np.int64)]))
    return subset(without, SEARCHED)


def best_below(
    frames: Iterable[tuple[int, NDArray[np.uint8]]], settings: Detection, device: str = "cpu"
) -> dict[int, Detected]:
    """Find, in frames in which no face was found, the one that scores best below the threshold.

    Parameters
    ----------
    frames : iterable of (int, ndarray of shape (H, W, 3), uint8)
        Index and RGB pixels; each is searched whole, one at a time.
    settings : Detection
        Detector and smallest face; its threshold is put aside.
    device : str
        `cpu` or `cuda`.

    Returns
    -------
    dict of int to Detected
        By the frame's index; frames that show nothing like a face are not in it.
    """
    detect = DETECTORS[settings.detector]()
    floor = FLOORS[settings.detector]
    found = {index: detect(frame, floor, settings.min_face, device, None, 0.0) for index, frame in frames}
    return {index: faces[0] for index, faces in found.items() if faces}


def told(best: Detected | None, settings: Detection) -> str:
    """Say what scores best, as ` (best scores 0.79; the threshold is 0.99)`; empty for nothing."""
    if best is None:
        return ""
    return f" (best scores {np.floor(100 * best.score) / 100:.2f}; the threshold is {threshold_of(settings):g})"


def untold(reason: str) -> str:
    """Return a sentence without what `told` put in: equal for all frames that are lost alike.

    >>> untold("no face was found (best scores 0.79; the threshold is 0.99)")
    'no face was found'
    """
    return TOLD.sub("", reason)
