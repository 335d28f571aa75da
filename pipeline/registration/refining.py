"""The place of a fake's picture to a fraction of a pixel: ECC on whole frames, then the simple move that explains it.

Generators cut at whole pixels, so of the transforms near the measured one those are tried whose edges are: an exact one
moves pixels without a change, where one that is off by a tenth of a pixel would blur every one of them.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.registration.mapping import IDENTITY, Affine, Size, in_pixels, in_shares, mapped, square

SIDE = 960  # long side of the pictures that ECC compares, pixels
STRAIGHT = 1.5  # pixels at a corner, by which a transform may lean and be taken for one along the axes
WHOLE = 0.75  # pixels that an edge may be off a whole number
AS_GOOD = 1.01  # of the least difference, at which the simpler transform is taken
EDGE = 3  # pixels beside the rim of the picture that do not count

Grey = NDArray[np.uint8]
Where = NDArray[np.bool_]


def refined(
    fakes: Sequence[Grey], reals: Sequence[Grey], outside: Sequence[Where], start: Sequence[float]
) -> tuple[float, ...]:
    """Improve the transform of a fake's picture to its real's.

    Parameters
    ----------
    fakes, reals : sequence of ndarray of shape (H, W), uint8
        The same moments of both as whole grey frames.
    outside : sequence of ndarray of shape (H, W), bool
        Pixels of each real frame that are not of the manipulated face.
    start : sequence of six floats
        Transform between shares of the frames, as `mapping.Followed` has it.

    Returns
    -------
    tuple of six floats
        The one under which the surroundings differ least; of those that are as good, the simplest.
    """
    own, size = fakes[0].shape[1::-1], reals[0].shape[1::-1]
    first = square(start)
    found = [_ecc(*frames, first) for frames in zip(fakes, reals, outside, strict=True)]
    middle = np.asarray(np.median(found, axis=0))
    candidates = [*_simple(middle, own, size), *_simple(first, own, size), middle, first]
    costs = [_difference(fakes, reals, outside, each) for each in candidates]
    best = next(place for place, cost in enumerate(costs) if cost <= AS_GOOD * min(costs))
    return numbers(candidates[best])


def numbers(transform: Affine) -> tuple[float, ...]:
    """Return a transform as six floats, the identity exactly."""
    values = np.round(transform[:2].reshape(-1), 12)
    return IDENTITY if np.array_equal(values, IDENTITY) else tuple(float(value) + 0.0 for value in values)


def _ecc(fake: Grey, real: Grey, where: Where, start: Affine) -> Affine:
    """Return a frame's own transform by ECC; the start where that does not converge."""
    fake, real, mask = (_within(picture) for picture in (fake, real, where.astype(np.uint8) * 255))
    own, size = fake.shape[1::-1], real.shape[1::-1]
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-6)
    move = in_pixels(start, own, size)[:2].astype(np.float32)
    try:
        _, better = cv2.findTransformECC(fake, real, move, cv2.MOTION_AFFINE, stop, np.asarray(mask, np.uint8), 5)
    except cv2.error:
        return start
    return in_shares(np.vstack([better.astype(np.float64), [0, 0, 1]]), own, size)


def _within(picture: Grey) -> Grey:
    scale = SIDE / max(picture.shape)
    if scale >= 1:
        return picture
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _simple(transform: Affine, own: Size, size: Size) -> list[Affine]:
    """Return transforms along the axes near one: with edges at whole pixels of the real, of the fake, and as it is."""
    straight = _straight(transform, own, size)
    if straight is None:
        return []
    inverse = _whole(np.asarray(np.linalg.inv(straight), np.float64), own)
    found = [_whole(straight, size), None if inverse is None else np.asarray(np.linalg.inv(inverse), np.float64)]
    return [*(each for each in found if each is not None), straight]


def _straight(transform: Affine, own: Size, size: Size) -> Affine | None:
    """Return a transform without what leans in it; None where it does not lie along the axes."""
    linear = transform[:2, :2]
    across = abs(linear[0, 0]) + abs(linear[1, 1]) < abs(linear[0, 1]) + abs(linear[1, 0])
    kept = np.where(np.eye(2)[::-1] if across else np.eye(2), linear, 0)
    result = np.eye(3)
    result[:2, :2] = kept
    result[:2, 2] = transform[:2] @ (0.5, 0.5, 1) - kept @ (0.5, 0.5)  # the middle stays where it is
    corners = np.array([[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]])
    leaning = np.abs(((result - transform) @ corners)[:2] * np.array(size)[:, None]).max()
    return result if leaning <= STRAIGHT else None


def _whole(straight: Affine, size: Size) -> Affine | None:
    """Return a transform along the axes with the edges of what it moves at whole pixels of a frame of that size."""
    ends = (straight @ np.array([[0, 1], [0, 1], [1, 1]]))[:2]
    pixels = ends * np.array(size)[:, None]
    whole = np.round(pixels)
    if np.abs(whole - pixels).max() > WHOLE or (whole[:, 0] == whole[:, 1]).any():
        return None
    start, end = (whole / np.array(size)[:, None]).T
    result = np.eye(3)
    result[:2, :2] = np.where(straight[:2, :2] != 0, (end - start)[:, None], 0)
    result[:2, 2] = start
    return result


def _difference(fakes: Sequence[Grey], reals: Sequence[Grey], outside: Sequence[Where], transform: Affine) -> float:
    """Return the mean absolute difference of the surroundings, where the fake's picture covers them."""
    own, size = fakes[0].shape[1::-1], reals[0].shape[1::-1]
    covers = cv2.warpAffine(np.ones(own[::-1], np.uint8), in_pixels(transform, own, size)[:2], size)
    inside = cv2.erode(covers, np.ones((2 * EDGE + 1, 2 * EDGE + 1), np.uint8), borderValue=0) > 0
    values = []
    for fake, real, where in zip(fakes, reals, outside, strict=True):
        counted = inside & where if (inside & where).any() else inside
        moved = mapped(fake, numbers(transform), size)
        values.append(float(cv2.absdiff(moved, real)[counted].mean()) if counted.any() else 255.0)
    return float(np.mean(values))
