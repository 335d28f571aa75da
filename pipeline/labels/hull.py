"""Label `hull`: the convex region that holds a fake's difference from its real."""

import dataclasses
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import Labelling
from pipeline.labels._kind import UNWRITTEN, LabelKind, at

OPENING = 3  # square, pixels: single outliers of compression go
BRIDGE = 7  # square, pixels: parts of the face this close count as one
_DIAMOND = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)], np.int32)  # middles of a pixel's sides, in half pixels


def difference_mask(
    fake: NDArray[np.uint8], real: NDArray[np.uint8], settings: Labelling, level: str = "raw"
) -> NDArray[np.uint8]:
    """Find the pixels that the manipulation changed, cleaned of what compression changed.

    The largest difference over the channels above gamma, opened; of what remains, the pixels in the largest connected
    component of its 7 x 7 dilation, the uppermost of equals.

    Parameters
    ----------
    fake, real : ndarray of shape (H, W, 3), uint8
        Aligned RGB crops of one face, 0 to 255.
    settings : Labelling
        `hull_gamma`, grey levels.
    level : str
        Compression of the pair: `raw`, `c23` or `c40`; decides gamma.

    Returns
    -------
    ndarray of shape (H, W), uint8
        1 = changed, 0 = not; empty where nothing is left.

    References
    ----------
    Chen et al., Watching the BiG artifacts, section 3.1, p_in > gamma.
    """
    red, green, blue = cv2.split(cv2.absdiff(fake, real))
    changed = (cv2.max(cv2.max(red, green), blue) > at(settings.hull_gamma, level)).astype(np.uint8)
    opened: NDArray[np.uint8] = cv2.morphologyEx(changed, cv2.MORPH_OPEN, np.ones((OPENING, OPENING), np.uint8))
    joined = cv2.dilate(opened, np.ones((BRIDGE, BRIDGE), np.uint8))
    count, parts = cv2.connectedComponents(joined, connectivity=8)
    if count <= 2:
        return opened
    largest = 1 + np.argmax(np.bincount(parts.ravel())[1:])
    result: NDArray[np.uint8] = opened & (parts == largest)
    return result


def convex_hull(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fill the convex hull of a mask's pixels.

    A pixel counts as the diamond between the middles of its four sides, and belongs to the hull where its centre
    lies inside or on the edge: pixel for pixel `skimage.morphology.convex_hull_image`, in exact integers.

    Parameters
    ----------
    mask : ndarray of shape (H, W), uint8
        0 or 1.

    Returns
    -------
    ndarray of shape (H, W), uint8
        0 or 1; empty for an empty mask.
    """
    result = np.zeros_like(mask)
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return result
    a, b, c = _edges(mask, rows)
    inner = np.arange(rows[0], rows[-1] + 1)  # no centre of another row lies within half a pixel of the mask
    slack = c[:, None] - 2 * b[:, None] * inner
    left, right = a < 0, a > 0
    # in half pixels x <= floor(slack / a) where a > 0, x >= ceil(slack / a) where a < 0; a centre has an even x
    first = -np.min(slack[left] // -(2 * a[left, None]), axis=0)
    last = np.min(slack[right] // (2 * a[right, None]), axis=0)
    columns = np.arange(mask.shape[1])
    result[inner] = (columns >= first[:, None]) & (columns <= last[:, None])
    return result


def compute(
    fake: NDArray[np.uint8], real: NDArray[np.uint8], settings: Labelling, level: str = "raw"
) -> NDArray[np.uint8]:
    """Label the convex hull of what the manipulation changed.

    Parameters
    ----------
    fake, real : ndarray of shape (H, W, 3), uint8
        Aligned RGB crops of one face, 0 to 255.
    settings : Labelling
        `hull_gamma`, grey levels.
    level : str
        Compression of the pair: `raw`, `c23` or `c40`; decides gamma.

    Returns
    -------
    ndarray of shape (H, W), uint8
        1 = inside, 0 = outside; empty where no difference is left.

    References
    ----------
    Chen et al., Watching the BiG artifacts, section 3.1, M_in = Convex(p_in > gamma).
    """
    return convex_hull(difference_mask(fake, real, settings, level))


def parameters(settings: Labelling) -> dict[str, Any]:
    """Return everything that decides the values of this label."""
    return {
        "gamma": dataclasses.asdict(settings.hull_gamma),
        "difference": "largest over the channels",
        "opening_square": OPENING,
        "component": "largest, 8-connected, after dilation",
        "component_dilation_square": BRIDGE,
        "none_above_background": settings.hull_background,
    }


def _edges(mask: NDArray[np.uint8], rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return a, b and c of a x + b y <= c, in half pixels, for every edge of the hull of a mask's diamonds."""
    set_rows = mask[rows].astype(bool)
    first, last = set_rows.argmax(axis=1), mask.shape[1] - 1 - set_rows[:, ::-1].argmax(axis=1)
    ends = np.concatenate([np.stack([first, rows], axis=1), np.stack([last, rows], axis=1)]).astype(np.int32)
    # the hull of a sum of sets is the sum of their hulls: only corners need their diamonds
    corners = 2 * cv2.convexHull(ends) + _DIAMOND
    x, y = cv2.convexHull(corners.reshape(-1, 2), clockwise=False)[:, 0].astype(np.int64).T
    a, b = np.roll(y, -1) - y, x - np.roll(x, -1)
    return np.stack([a, b, a * x + b * y])


KIND = LabelKind(
    name="hull",
    dtype="uint8",
    fill=UNWRITTEN,
    source="pair",
    description="Intrinsic artefacts, M_in: the convex hull of the pixels in which a fake differs from its real, "
    "cleaned by opening and by keeping the largest component. 0 everywhere on a real.",
    units="1",
    reference="Chen et al., Watching the BiG artifacts: Exposing DeepFake videos via Bi-granularity artifacts, "
    "Pattern Recognition, section 3.1.",
    flags=("outside", "inside"),
    parameters=parameters,
    compute=compute,
    limit=lambda settings: settings.hull_background,
)
