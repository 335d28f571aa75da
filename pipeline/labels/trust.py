"""Trust in a pair's labels: what they mark outside the face, and how well they agree with the mask.

A label that marks the surroundings of the face says that fake and real differ all over (encoded again, shifted, not a
pair), not where the face was manipulated.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.labels._kind import NO_LABEL

Label = NDArray[np.uint8]
BROWS, CHIN, BRIDGE = slice(17, 27), 8, 27  # of the 68 landmarks
FOREHEAD = 0.5  # above the brows, in distances from the chin to the bridge of the nose
MARGIN = 0.08  # of the crop's side, by which the region is dilated: blending edges, hair, a double chin
ELLIPSE = (0.33, 0.39)  # half axes without landmarks, of the crop's side: a detection enlarged by 1.3


def face_region(landmarks: NDArray[np.floating], size: int) -> Label:
    """Return the region of a crop in which a face manipulation may have left something.

    The convex hull of the landmarks and of a forehead as high as half the way from chin to eyes, dilated by 8 % of the
    crop's side. On the sample's people 34 % of a crop lie outside, of which an exact mask covers at most 16 %.

    Parameters
    ----------
    landmarks : ndarray of shape (68, 2)
        (x, y) in crop pixels. Where one is NaN, an ellipse as large as a usual detection stands for the face.
    size : int
        Side of the crop, pixels.

    Returns
    -------
    ndarray of shape (size, size), uint8
        1 = face and what is near it, 0 = surroundings.
    """
    region = np.zeros((size, size), np.uint8)
    if np.isfinite(landmarks).all():
        forehead = landmarks[BROWS] + FOREHEAD * (landmarks[BRIDGE] - landmarks[CHIN])
        points = np.concatenate([landmarks, forehead]).astype(np.float32)
        cv2.fillConvexPoly(region, cv2.convexHull(points).round().astype(np.int32), 1)
    else:
        axes = tuple(round(share * size) for share in ELLIPSE)
        cv2.ellipse(region, (size // 2, size // 2), axes, 0, 0, 360, 1, cv2.FILLED)
    width = 2 * round(MARGIN * size) + 1
    return np.asarray(cv2.dilate(region, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))), np.uint8)


def background(label: Label, region: Label) -> float:
    """Return the share of the pixels outside the face region that a label marks.

    Parameters
    ----------
    label : ndarray of shape (H, W), uint8
        0, 1 or 255.
    region : ndarray of shape (H, W), uint8
        From `face_region`.

    Returns
    -------
    float
        0..1; NaN without a label, or without any surroundings.
    """
    outside = region == 0
    if not outside.any() or (label == NO_LABEL).all():
        return float("nan")
    return float((label[outside] == 1).mean())


def agreement(one: Label, other: Label) -> float:
    """Return the intersection over union of two labels of shape (H, W), uint8; NaN where either is none, or both 0."""
    if (one == NO_LABEL).all() or (other == NO_LABEL).all():
        return float("nan")
    union = int(((one == 1) | (other == 1)).sum())
    return float(((one == 1) & (other == 1)).sum() / union) if union else float("nan")


def withheld(label: Label, region: Label, limit: float) -> bool:
    """Tell whether a label of shape (H, W) marks a larger share of the surroundings than `limit`, 0..1."""
    return background(label, region) > limit
