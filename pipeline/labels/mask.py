"""Label `mask`: the manipulated region as the dataset's own mask frames give it."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import Labelling
from pipeline.labels._kind import UNWRITTEN, LabelKind

WHITE = 255


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
