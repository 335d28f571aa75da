"""Warping by control points: thin-plate splines evaluated on a coarse grid, and the masks that landmarks span."""

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (points, 2): x, y in pixels
Image = NDArray[np.uint8]

GRID = 6  # pixels between the places at which a spline is evaluated; in between it is interpolated
STIFFNESS = 1e-3  # keeps the system solvable where lids or lips nearly touch


def spline_maps(there: Points, here: Points, shape: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the backward maps that carry pixels lying at `here` to `there`.

    Parameters
    ----------
    there, here : ndarray of shape (n, 2), float64
        Control points (x, y) in the picture to be made, and where each lies in the picture at hand.
    shape : tuple of int
        Height and width of the picture to be made.

    Returns
    -------
    tuple of ndarray of shape `shape`, float32
        x and y for `cv2.remap`.

    References
    ----------
    F. L. Bookstein, Principal warps: thin-plate splines and the decomposition of deformations, IEEE TPAMI 11(6),
    1989, equation (3).
    """
    height, width = shape
    rows, columns = -(-height // GRID) + 1, -(-width // GRID) + 1
    scale = float(max(shape))
    control = there / scale
    count = len(control)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(control, control)
    system[:count, :count][np.diag_indices(count)] += STIFFNESS
    system[:count, count] = 1
    system[:count, count + 1 :] = control
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.vstack([(here - there) / scale, np.zeros((3, 2))])).astype(np.float32)
    y, x = np.mgrid[0:rows, 0:columns].reshape(2, -1).astype(np.float32) * np.float32(GRID / scale)
    nodes = np.stack([x, y], axis=1)
    shift = _kernel(nodes, control.astype(np.float32)) @ weights[:count]
    shift += weights[count] + nodes @ weights[count + 1 :]
    coarse = (shift * np.float32(scale)).reshape(rows, columns, 2).astype(np.float32)
    fine = _between(coarse, height, width)
    fine[..., 0] += np.arange(width, dtype=np.float32)
    fine[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    return np.ascontiguousarray(fine[..., 0]), np.ascontiguousarray(fine[..., 1])


def warp(image: Image, here: Points, there: Points, shape: tuple[int, int]) -> Image:
    """Move a picture's pixels so that what lies at `here` comes to lie at `there`; its border is repeated outwards."""
    x, y = spline_maps(there, here, shape)
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def frame_anchors(shape: tuple[int, int], per_side: int = 4) -> Points:
    """Return control points along a picture's border, for warps that leave the border where it is."""
    height, width = shape
    steps = np.linspace(0, 1, per_side, endpoint=False)
    top = np.stack([steps * width, np.zeros(per_side)], axis=1)
    right = np.stack([np.full(per_side, width), steps * height], axis=1)
    return np.concatenate([top, right, [width, height] - top, [width, height] - right])


def polygon(points: Points, shape: tuple[int, int]) -> Image:
    """Return a mask (0 or 1) of the convex hull of points."""
    mask = np.zeros(shape, np.uint8)
    hull = cv2.convexHull(np.rint(points).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 1)
    return mask


def soften(mask: Image, pixels: float) -> NDArray[np.float32]:
    """Return weights of a mask's shape (H, W): 0 outside and at its outline, rising to 1 `pixels` inside."""
    if pixels <= 0:
        return np.asarray(mask, np.float32)
    depth = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    return np.asarray(np.minimum(depth / np.float32(pixels), 1), np.float32)


def disc(side: int) -> Image:
    """Return a round structuring element."""
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _kernel(points: NDArray[np.floating], control: NDArray[np.floating]) -> NDArray[np.floating]:
    squared = np.square(points[:, None, 0] - control[None, :, 0]) + np.square(points[:, None, 1] - control[None, :, 1])
    return np.asarray(squared * np.log(np.maximum(squared, squared.dtype.type(1e-12))))


def _between(coarse: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    # Nodes lie on multiples of GRID; cv2.resize would centre them on cells, so the affine map is given outright.
    step = np.array([[1 / GRID, 0, 0], [0, 1 / GRID, 0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    fine = cv2.warpAffine(coarse, step, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(fine, np.float32)
