"""Render one blend (distorted mask, colour transfer, feathered edges) together with its labels."""

import dataclasses
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.blend.matching import Blend
from pipeline.config import Blending, Labelling
from pipeline.errors import RejectError
from pipeline.labels.boundary import ring

ATTEMPTS = 8  # distortions tried before a blend is given up: strong ones can push the mask out of the image


def render(
    blend: Blend,
    inside: NDArray[np.uint8],
    outside: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    difference: NDArray[np.uint8] | None,
    settings: Blending,
    labelling: Labelling,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Blend A into B and label the result.

    `rr`: the convex hull of A's landmarks, distorted by a random piecewise-affine map, then randomly eroded or
    dilated. `fr`: A's difference from its real, dilated, within the distorted hull of A's landmarks. Inside that mask
    the image is A, brought to B's mean colour there, outside it is B; towards the mask's edge A fades.

    Parameters
    ----------
    blend : Blend
        `kind` and `seed` decide; the same blend and images give the same result.
    inside, outside : ndarray of shape (H, W, 3), uint8
        Crops of A and B, RGB, 0 to 255.
    landmarks : ndarray of shape (68, 2), float32
        Of A, (x, y) in crop pixels; finite.
    difference : ndarray of shape (H, W), uint8, or None
        0 or 1: `pipeline.labels.hull.difference_mask` of A and its real, for `fr` only.
    settings : Blending
        All but `kinds`, `per_frame` and `candidates`.
    labelling : Labelling
        `boundary_kernel`; `ssim_minimum`, the fewest pixels that make a face a fake.

    Returns
    -------
    image : ndarray of shape (H, W, 3), uint8
        RGB; exactly B outside the mask.
    hull : ndarray of shape (H, W), uint8
        M_in: the mask before feathering for `fr`; 0 everywhere for `rr`, where nothing is synthesised.
    boundary : ndarray of shape (H, W), uint8
        M_ex: the ring along the mask's edge, before feathering.

    Raises
    ------
    RejectError
        No mask of enough pixels came out of `ATTEMPTS` distortions.
    ValueError
        Shapes differ, landmarks are not finite, or `fr` lacks the difference.

    References
    ----------
    Chen et al., Watching the BiG artifacts, section 3.3 and Fig. 4.
    """
    if inside.shape != outside.shape or not np.isfinite(landmarks).all():
        raise ValueError("A blend takes two crops of one size and finite landmarks of the inner one.")
    face = landmark_hull(landmarks, inside.shape[:2])
    for attempt in range(ATTEMPTS):
        mask = _MASKS[blend.kind](face, difference, settings, np.random.default_rng([blend.seed, attempt]))
        if np.count_nonzero(mask) >= max(1, labelling.ssim_minimum):
            image = composite(inside, outside, mask, settings)
            hull = np.zeros_like(mask) if blend.kind == "rr" else mask
            return image, hull, ring(mask, labelling.boundary_kernel)
    raise RejectError(
        f"Row {blend.inside} could not be blended into row {blend.outside} ({blend.kind}): "
        f"no mask of {ATTEMPTS} had {labelling.ssim_minimum} pixels."
    )


def landmark_hull(landmarks: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Fill the convex hull of landmarks, (x, y) in pixels rounded to whole ones; 0 or 1, uint8, of `shape`."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(landmarks).astype(np.int32)), 1)
    return mask


def distort(mask: NDArray[np.uint8], shifts: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Distort a mask by the shifts of a grid's nodes, interpolated between them.

    Parameters
    ----------
    mask : ndarray of shape (H, W), uint8
        0 or 1; nothing lies beyond its edges.
    shifts : ndarray of shape (2, N, N), float
        Of x and of y, in pixels, at N x N nodes evenly spread from corner to corner. A pixel takes the mask's value
        at its own place plus the shift there.

    Returns
    -------
    ndarray of shape (H, W), uint8
        1 where the interpolated mask exceeds one half, else 0.
    """
    height, width = mask.shape
    rows, columns = np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    x, y = (_spread(nodes.astype(np.float32), height, width) for nodes in shifts)
    moved: NDArray[np.float32] = cv2.remap(mask.astype(np.float32), x + columns, y + rows[:, None], cv2.INTER_LINEAR)
    return (moved > 0.5).astype(np.uint8)


def composite(
    inside: NDArray[np.uint8], outside: NDArray[np.uint8], mask: NDArray[np.uint8], settings: Blending
) -> NDArray[np.uint8]:
    """Return M A + (1 - M) B for the feathered mask M, A at B's mean colour inside the mask if settings say so.

    Parameters
    ----------
    inside, outside : ndarray of shape (H, W, 3), uint8
        A and B, RGB, 0 to 255.
    mask : ndarray of shape (H, W), uint8
        0 or 1.
    settings : Blending
        `colour_transfer`, `feather`.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        RGB, 0 to 255.
    """
    image = outside.copy()
    if not mask.any():
        return image
    left, top, width, height = cv2.boundingRect(mask)
    # one pixel more on each side, for the distance to the mask's edge; beyond it nothing changes
    part = np.s_[max(top - 1, 0) : top + height + 1, max(left - 1, 0) : left + width + 1]
    a, b = inside[part].astype(np.float32), outside[part].astype(np.float32)
    if settings.colour_transfer:
        mean_a, mean_b = (np.array(cv2.mean(crop[part], mask[part])[:3]) for crop in (inside, outside))
        a = np.clip(a + (mean_b - mean_a).astype(np.float32), 0, 255)
    weight = feather(mask[part], settings.feather * max(width, height))[..., None]
    image[part] = np.rint(b + weight * (a - b))
    return image


def feather(mask: NDArray[np.uint8], width: float) -> NDArray[np.float32]:
    """Return weights that rise from a mask's edge to 1 over `width` pixels, or over all there is if that is less.

    Parameters
    ----------
    mask : ndarray of shape (H, W), uint8
        0 or 1.
    width : float
        Pixels; up to 1: the mask itself.

    Returns
    -------
    ndarray of shape (H, W), float32
        0 to 1, the same bits from every call.
    """
    if width <= 1 or mask.all() or not mask.any():
        return mask.astype(np.float32)
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    distance = np.sqrt(np.rint(np.square(distance)))  # squares are whole; OpenCV's last bits differ from call to call
    result: NDArray[np.float32] = np.minimum(distance / np.float32(min(width, distance.max())), 1)
    return result


def parameters(settings: Blending, labelling: Labelling) -> dict[str, Any]:
    """Return everything that decides a blend's pixels and labels, plain and ready for JSON."""
    return {
        **dataclasses.asdict(settings),
        "kinds": list(settings.kinds),
        "boundary_kernel": labelling.boundary_kernel,
        "hull_gamma": dataclasses.asdict(labelling.hull_gamma),
        "least_pixels": max(1, labelling.ssim_minimum),
        "attempts": ATTEMPTS,
    }


def _hull_distorted(face: NDArray[np.uint8], settings: Blending, rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = face.shape
    sigma = rng.uniform(settings.sigma_low, settings.sigma_high)
    nodes = rng.normal(0, sigma, (2, settings.grid, settings.grid))
    return distort(face, nodes * np.array([width, height]).reshape(2, 1, 1))


def _mask_rr(
    face: NDArray[np.uint8], _: NDArray[np.uint8] | None, settings: Blending, rng: np.random.Generator
) -> NDArray[np.uint8]:
    mask = _hull_distorted(face, settings, rng)
    operation, largest = (cv2.erode, settings.erode) if rng.random() < 0.5 else (cv2.dilate, settings.dilate)
    side = 1 + 2 * int(rng.integers((largest + 1) // 2))  # odd, up to the largest
    result: NDArray[np.uint8] = operation(mask, np.ones((side, side), np.uint8))
    return result


def _mask_fr(
    face: NDArray[np.uint8], difference: NDArray[np.uint8] | None, settings: Blending, rng: np.random.Generator
) -> NDArray[np.uint8]:
    if difference is None:
        raise ValueError("A blend of kind fr needs the difference of its inner crop from its real.")
    expanded = cv2.dilate(difference, np.ones((settings.expand, settings.expand), np.uint8))
    result: NDArray[np.uint8] = expanded & _hull_distorted(face, settings, rng)
    return result


_MASKS: dict[str, Callable[..., NDArray[np.uint8]]] = {"rr": _mask_rr, "fr": _mask_fr}


def _spread(nodes: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Interpolate an N x N grid whose outer nodes are the image's corners, bilinearly, to the image's pixels."""
    for size in (height, width):  # each pass spreads the first axis and turns the grid
        place = np.linspace(0, len(nodes) - 1, size, dtype=np.float32)
        node = np.minimum(place.astype(np.intp), len(nodes) - 2)
        part = (place - node).astype(np.float32)[:, None]
        nodes = ((1 - part) * nodes[node] + part * nodes[node + 1]).T
    return nodes
