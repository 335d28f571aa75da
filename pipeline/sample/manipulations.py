"""Four ways to forge a face, each with traces of its own; the target's motion stays."""

from collections.abc import Callable

import cv2
import numpy as np

from pipeline.sample.forgery import Forged, Picture, Shot, face, match_colour
from pipeline.sample.geometry import Image, Points, disc, frame_anchors, polygon, soften, spline_maps

SIDE = 52  # pixels of the synthesised patch
RANK = 16  # of its approximation
LATTICE = 8  # pixels between the dots a transposed convolution leaves

# Grey levels added to R, G, B: a generator's colours are never quite the camera's.
CASTS = {
    "Warp": np.array([4, -5, -6], np.float32),
    "Patch": np.array([11, 4, -9], np.float32),
    "Expression": np.array([12, 5, -4], np.float32),
    "Rerender": np.array([-9, 3, 11], np.float32),
}


def warp(where: Shot) -> Forged:
    """Swap the face: the donor's picture, warped by landmarks, colour-matched and blended by Poisson's equation.

    References
    ----------
    P. Perez, M. Gangnet and A. Blake, Poisson image editing, SIGGRAPH 2003, equation (11).
    """
    mask = cv2.erode(face(where, 0.55), disc(5))
    swapped = match_colour(where.donor, where.target, mask, 0.8)
    swapped = cv2.GaussianBlur(swapped, (0, 0), 0.9) + CASTS["Warp"]
    pasted = np.clip(swapped, 0, 255).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(mask)
    edged = mask.copy()
    edged[[0, -1]] = edged[:, [0, -1]] = 0  # the blending needs a border of one pixel
    centre = (left + width // 2, top + height // 2)
    blended = cv2.seamlessClone(pasted, where.target, edged * 255, centre, cv2.NORMAL_CLONE).astype(np.float32)
    return Forged(0.7 * blended + 0.3 * pasted, soften(mask, 3.0))


def patch(where: Shot) -> Forged:
    """Paste a small synthesised picture of the donor's face over a rectangle: few pixels, few components, soft edge."""
    whole = face(where, 0.7)
    left, top, width, height = cv2.boundingRect(cv2.dilate(whole, disc(9)))
    swapped = match_colour(where.donor, where.target, whole, 0.9)
    inside = cv2.GaussianBlur(whole.astype(np.float32), (0, 0), 5)[..., None]
    scene = where.target + inside * (swapped - where.target)
    small = cv2.resize(scene[top : top + height, left : left + width], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    synthetic = where.target.astype(np.float32)
    synthetic[top : top + height, left : left + width] = cv2.resize(
        _few_components(small), (width, height), interpolation=cv2.INTER_CUBIC
    )
    rectangle = np.zeros(where.shape, np.uint8)
    rectangle[top : top + height, left : left + width] = 1
    return Forged(np.clip(synthetic + CASTS["Patch"], 0, 255), soften(rectangle, 3.0), exact=True)


def expression(where: Shot) -> Forged:
    """Move mouth and lids as the donor's and render them anew, with the strip of nose that joins them."""
    moved = _expressed(where.points, where.driver)
    pins = frame_anchors(where.shape)
    x, y = spline_maps(np.concatenate([moved, pins]), np.concatenate([where.points, pins]), where.shape)
    acted = cv2.remap(where.target, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    acted = cv2.bilateralFilter(acted, 5, 30, 3).astype(np.float32)
    _open_mouth(acted, moved[60:68], where.points[60:68])
    acted += 0.9 * (acted - cv2.GaussianBlur(acted, (0, 0), 2.0))
    region = _mouth_and_eyes(where, moved)
    return Forged(np.clip(acted + CASTS["Expression"], 0, 255), soften(region, 3.0), exact=True)


def rerender(where: Shot) -> Forged:
    """Render the whole face anew, halfway to the donor's: smoothed, sharpened, with an upsampling's lattice."""
    whole = face(where, 1.0)
    swapped = match_colour(where.donor, where.target, whole)
    half = (0.5 * where.target + 0.5 * swapped).astype(np.float32)
    small = cv2.resize(half, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    smooth = cv2.bilateralFilter(small, 7, 28, 4)
    large = cv2.resize(smooth, where.shape[::-1], interpolation=cv2.INTER_NEAREST)
    large = cv2.GaussianBlur(large, (0, 0), 0.8)
    large += 1.2 * (large - cv2.GaussianBlur(large, (0, 0), 3.0))
    y, x = np.indices(where.shape, dtype=np.float32)
    turn = np.float32(2 * np.pi / LATTICE)
    large += 4 * (np.cos(turn * x) * np.cos(turn * y))[..., None].astype(np.float32)
    return Forged(np.clip(large + CASTS["Rerender"], 0, 255), soften(whole, 3.0), exact=True)


MANIPULATIONS: dict[str, Callable[[Shot], Forged]] = {
    "Warp": warp,
    "Patch": patch,
    "Expression": expression,
    "Rerender": rerender,
}


def _few_components(small: Picture) -> Picture:
    """Keep the strongest components of a picture, as a decoder with a narrow bottleneck would."""
    mean = small.mean(axis=(0, 1))
    rows = (small - mean).reshape(small.shape[0], -1)
    left, sizes, right = np.linalg.svd(rows, full_matrices=False)
    return np.asarray(((left[:, :RANK] * sizes[:RANK]) @ right[:RANK]).reshape(small.shape) + mean, np.float32)


def _expressed(points: Points, driver: Points) -> Points:
    """Give landmarks the driver's opening of mouth and lids, always clearly different from their own."""
    down = points[8] - points[27]
    face_height = float(np.linalg.norm(down))
    down = down / face_height
    moved = points.copy()
    own, wanted = _gap(points), min(_gap(driver), 0.17)
    change = wanted - own
    if abs(change) < 0.05:  # of the face's height: too alike to be called a change
        change = -0.05 if own > 0.08 else 0.07
    drop = max(change, -0.85 * own) * face_height * down
    moved[65:68] += drop
    moved[55:60] += drop * np.array([[0.7], [0.95], [1.0], [0.95], [0.7]])
    moved[[48, 54, 60, 64]] += 0.3 * drop
    for top, bottom in ((37, 41), (38, 40), (43, 47), (44, 46)):
        lid = points[bottom] - points[top]
        opened = np.linalg.norm(driver[bottom] - driver[top]) / np.linalg.norm(driver[8] - driver[27]) * face_height
        closing = float(1 - opened / max(float(np.linalg.norm(lid)), 1e-6))
        closing = closing if abs(closing) > 0.25 else 0.35
        moved[top] += float(np.clip(closing, -0.5, 0.85)) * lid
    return moved


def _gap(points: Points) -> float:
    """Return how far the mouth is open, of the distance from the nose's root to the chin."""
    opening = points[65:68].mean(axis=0) - points[61:64].mean(axis=0)
    return float(np.linalg.norm(opening) / np.linalg.norm(points[8] - points[27]))


def _open_mouth(picture: Picture, inner: Points, before: Points) -> None:
    """Darken what opened beyond the old opening: there are no teeth to show."""
    grown = np.linalg.norm(inner[5:8].mean(axis=0) - inner[1:4].mean(axis=0))
    grown -= np.linalg.norm(before[5:8].mean(axis=0) - before[1:4].mean(axis=0))
    if grown <= 1:
        return
    middle = inner.copy()
    middle[1:4] += 0.35 * (inner[[7, 6, 5]] - inner[1:4])
    mask = cv2.GaussianBlur(polygon(middle, picture.shape[:2]).astype(np.float32), (0, 0), 1.2)[..., None]
    picture += 0.85 * mask * (np.array([52, 18, 20], np.float32) - picture)


def _mouth_and_eyes(where: Shot, moved: Points) -> Image:
    both = np.concatenate([where.points, moved])
    span = np.linalg.norm(where.points[45] - where.points[36])
    reach = disc(int(0.17 * span) | 1)
    eyes = np.concatenate([both[36:48], both[68 + 36 : 68 + 48]])
    mouth = np.concatenate([both[48:60], both[68 + 48 : 68 + 60]])
    region = cv2.dilate(polygon(eyes, where.shape) | polygon(mouth, where.shape), reach)
    nose = polygon(np.concatenate([where.points[[27, 31, 35, 50, 52]], where.points[[39, 42]]]), where.shape)
    return np.asarray(region | nose, np.uint8)
