"""Label `mask`: the manipulated region as the dataset's own mask frames give it."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import Labelling
from pipeline.labels._kind import UNWRITTEN, LabelKind

WHITE = 255
DARK = 25  # grey level up to which a mask's only other value than 0 stands for white: it would be none otherwise
COLOUR = 64  # grey levels between the channels of a pixel that is coloured: the chroma of a compressed grey is below
COLOURED = 0.002  # share of such pixels that makes a mask a coloured one
STEPS = 32  # grey levels of a channel that count as one colour
FLAT = 0.75  # least share of a coloured mask in its eight commonest colours: a photograph has less


def levels(frame: NDArray[np.uint8], exact: bool = False, inverted: bool = False) -> NDArray[np.uint8]:
    """Return what a mask's frame holds, as grey levels: 255 = manipulated.

    Grey levels are taken as they are. Of a lossless mask of 0 and one other, dark value, as 0 and 1, that one counts
    as white. In a coloured mask the commonest colour along the frame's edge is background, and a pixel counts by its
    distance from it in the channel in which that is largest.

    Parameters
    ----------
    frame : ndarray of shape (H, W, 3), uint8
        RGB.
    exact : bool
        The values are as they were written; in a video, black that was compressed may be 1 as well.
    inverted : bool
        Untouched pixels are the white ones.

    Returns
    -------
    ndarray of shape (H, W), uint8
    """
    if _coloured(frame):
        edge = np.concatenate([frame[0], frame[-1], frame[:, 0], frame[:, -1]])
        colours, counts = np.unique(edge, axis=0, return_counts=True)
        return np.asarray(cv2.absdiff(frame, np.broadcast_to(colours[counts.argmax()], frame.shape)).max(axis=2))
    grey: NDArray[np.uint8] = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    highest = int(grey.max())
    if exact and 0 < highest <= DARK and bool(((grey == 0) | (grey == highest)).all()):
        grey = np.where(grey == highest, WHITE, 0).astype(np.uint8)
    return WHITE - grey if inverted else grey


def unreadable(frame: NDArray[np.uint8], exact: bool = False) -> str:
    """Return why a frame, RGB of shape (H, W, 3), cannot be read as a mask; empty where it can.

    A few flat colours, or grey levels, are a mask; a picture is not, and neither are several dark values, which may
    be numbers of regions. `exact` as for `levels`.
    """
    if not _coloured(frame):
        highest = int(levels(frame, exact).max())
        return f"has several values, all of them dark (up to {highest} of 255)" if exact and 0 < highest <= DARK else ""
    counts = np.unique(frame.reshape(-1, 3) // STEPS, axis=0, return_counts=True)[1]
    return "is a picture of many colours" if np.sort(counts)[-8:].sum() < FLAT * counts.sum() else ""


def _coloured(frame: NDArray[np.uint8]) -> bool:
    return float((np.ptp(frame, axis=2) > COLOUR).mean()) > COLOURED


def fill_contours(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fill every outer contour: zeros that no 4-connected path of zeros joins to the image's edge become ones.

    Parameters
    ----------
    mask : ndarray of shape (H, W), uint8
        0 or 1.

    Returns
    -------
    ndarray of shape (H, W), uint8
        0 or 1.
    """
    height, width = mask.shape
    # a frame of zeros around the image, so that one flood reaches the background on every side
    flooded = np.zeros((height + 2, width + 2), np.uint8)
    flooded[1:-1, 1:-1] = mask
    cv2.floodFill(flooded, None, (0, 0), 2, flags=4)
    filled: NDArray[np.bool] = flooded[1:-1, 1:-1] != 2
    return filled.astype(np.uint8)


def compute(frame: NDArray[np.uint8], settings: Labelling, level: str = "raw") -> NDArray[np.uint8]:
    """Label the pixels that the dataset's mask marks, and those it encloses.

    Parameters
    ----------
    frame : ndarray of shape (H, W), uint8
        The mask frame's grey levels under the sample's box, 0 to 255; edges may be soft.
    settings : Labelling
        `mask_threshold`, a share of white.
    level : str
        Takes no part: masks are not compressed along with the images.

    Returns
    -------
    ndarray of shape (H, W), uint8
        1 = manipulated, 0 = not.

    References
    ----------
    Cao et al., Metric Learning for Anti-Compression Facial Forgery Detection (threshold); Kong et al., Detect and
    Locate, Binary mask generation (closed region).
    """
    return fill_contours((frame > settings.mask_threshold * WHITE).astype(np.uint8))


def parameters(settings: Labelling) -> dict[str, Any]:
    """Return everything that decides the values of this label."""
    return {"threshold": settings.mask_threshold, "white": WHITE, "outer_contours": "filled, 4-connected background"}


KIND = LabelKind(
    name="mask",
    dtype="uint8",
    fill=UNWRITTEN,
    source="mask",
    description="Manipulated region by the dataset's own mask: its grey level above a share of white, outer contours "
    "filled. 0 everywhere on a real.",
    units="1",
    reference="Threshold: Cao et al., Metric Learning for Anti-Compression Facial Forgery Detection, implementation "
    "details; closed region: Kong et al., Detect and Locate, section IV, Binary mask generation.",
    flags=("untouched", "manipulated"),
    parameters=parameters,
    compute=compute,
)
