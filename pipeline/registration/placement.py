"""Place of a fake's picture in its real's: mirror, turn by right angles, crop, shift, scale and black bars.

Features (SIFT, matched both ways up) with RANSAC give a first transform; they find any crop, scale or turn. ECC
refines it. What decides is how well the fine structure of the two pictures correlates under the transform and under
the identity, in every probed frame. The identity is kept unless another transform is clearly better in nearly all of
them: swapped faces, compression and another frame size do not move the surroundings.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 320  # long side of the pictures compared, pixels
SAME = 0.5  # correlation of the surroundings from which a local maximum needs no search; without relation, below 0.3
STEP = 2.0  # pixels that the identity is moved by to see whether it is a maximum
GAIN = 0.1  # of correlation, over the identity's
LEFT = 0.7  # of what the identity leaves unexplained (1 - correlation), at most
STILL = 0.75  # pixels at a corner of the pictures compared; below it, it is the identity measured with noise
SPREAD = 2.0  # pixels at a corner between one frame's transform and the next one's
LEAST_FRAMES = 3  # that must agree
AGREEING = 0.6  # share of the frames that must agree
LEAST_MATCHES = 12
RATIO = 0.75  # of the best feature distance to the second best (Lowe)
REPROJECTION = 2.0  # pixels
SMOOTH = 1.5  # pixels: fine structure is what a blur of this and one of COARSE disagree on; noise is finer
COARSE = 6.0
BLACK = 24  # grey levels: limited-range black and its ringing at c40
LEAST_BAR = 0.015  # of the side
LEAST_OUTSIDE = 0.1  # of the picture beside the face; with less, the whole picture is compared

Grey = NDArray[np.uint8]
Where = NDArray[np.bool_]
Affine = NDArray[np.float64]  # shape (3, 3), x right, y down: from a fake's pixels to its real's
Size = tuple[int, int]  # width, height


@dataclass(frozen=True, eq=False)
class Placement:
    """Transform from the fake's pixels to the real's, and the black bars around the fake's picture."""

    transform: Affine | None = None  # None is the identity (but for another frame size)
    bars: tuple[int, int, int, int] = (0, 0, 0, 0)  # left, top, right, bottom, pixels of the fake

    def describe(self) -> str:
        """Return the relation as a clause about the fake, such as `mirrored`; empty for the identity."""
        told = [] if self.transform is None else [_told(self.transform)]
        if any(self.bars):
            sides = ("left", "above", "right", "below")
            each = [f"{width} pixels {side}" for width, side in zip(self.bars, sides, strict=True) if width]
            told.append(f"black bars: {', '.join(each)}")
        return "; ".join(told)


def place(
    fakes: Sequence[Grey],
    reals: Sequence[Grey],
    outside: Sequence[Where],
    fake_size: Size,
    real_size: Size,
    spread: float = SPREAD,
) -> Placement:
    """Find where the fake's picture lies in its real's.

    Parameters
    ----------
    fakes, reals : sequence of ndarray of shape (h, w), uint8
        The same moments of both, grey, each at its own aspect ratio, longer side 320 pixels or less.
    outside : sequence of ndarray of shape (h, w), bool
        Pixels of each real picture that are not of the manipulated face.
    fake_size, real_size : tuple of int
        Width and height of the whole frames, pixels.
    spread : float
        Pixels of the pictures by which the transforms of the frames may differ at a corner. They differ where a camera
        moves and the two do not show the same moments.

    Returns
    -------
    Placement
        The identity unless another transform is clearly better in nearly every frame.
    """
    bars = _bars(fakes, reals)
    if not any(bars) and all(map(settled, fakes, reals, outside)):
        return Placement()
    across = [fake_size[0] / fakes[0].shape[1], fake_size[1] / fakes[0].shape[0]] * 2
    wide = [round(width * ratio) for width, ratio in zip(bars, across, strict=True)]
    middle = _agreed(fakes, reals, spread)
    if middle is not None:
        middle = np.linalg.inv(_scaling(reals[0], real_size)) @ middle @ _scaling(fakes[0], fake_size)
    return Placement(middle, (wide[0], wide[1], wide[2], wide[3]))


def settled(fake: Grey, real: Grey, outside: Where) -> bool:
    """Tell whether the surroundings of one frame correlate, and less so wherever the picture is moved a little."""
    same = stretch(fake, real)
    score = similarity(fake, real, same, outside)
    if score < SAME:
        return False
    middle = np.array([real.shape[1] / 2, real.shape[0] / 2])
    growth = 1 + 2 * STEP / max(real.shape)
    moved = [_about(middle, 1.0, (x, y)) for x, y in ((STEP, 0), (-STEP, 0), (0, STEP), (0, -STEP))]
    moved += [_about(middle, scale, (0, 0)) for scale in (growth, 1 / growth)]
    return all(similarity(fake, real, move @ same, outside) < score for move in moved)


def _about(middle: NDArray[np.float64], scale: float, shift: tuple[float, float]) -> Affine:
    x, y = (1 - scale) * middle + shift
    return np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]])


def _agreed(fakes: Sequence[Grey], reals: Sequence[Grey], most: float) -> Affine | None:
    """Return the transform, in pixels of the small pictures, that is better than the identity in nearly all frames."""
    same, corners = stretch(fakes[0], reals[0]), _corners(fakes[0])
    found: list[Affine] = []
    for fake, real in zip(fakes, reals, strict=True):
        fitted = fit(fake, real)
        if fitted is not None and _better(similarity(fake, real, fitted), similarity(fake, real, same)):
            found.append(fitted)
    if len(found) < max(LEAST_FRAMES, AGREEING * len(fakes)):
        return None
    middle = np.asarray(np.median(found, axis=0))
    spread = statistics.median(_apart(each, middle, corners) for each in found)
    return None if spread > most or _apart(middle, same, corners) < STILL else middle


def fit(fake: Grey, real: Grey) -> Affine | None:
    """Fit the transform that takes a fake's picture to its real's; None where too few features agree.

    Parameters
    ----------
    fake, real : ndarray of shape (h, w), uint8
        Grey pictures.

    Returns
    -------
    ndarray of shape (3, 3), float64, or None
        Affine, in pixels of the two pictures.

    References
    ----------
    Lowe, Distinctive image features from scale-invariant keypoints, IJCV 2004, doi:10.1023/B:VISI.0000029664.99615.94;
    Evangelidis, Psarakis, Parametric image alignment using enhanced correlation coefficient maximization, IEEE TPAMI
    2008, doi:10.1109/TPAMI.2008.113.
    """
    mirror = np.array([[-1.0, 0, fake.shape[1] - 1], [0, 1, 0], [0, 0, 1]])
    flipped = np.ascontiguousarray(fake[:, ::-1])
    plain, other = _by_features(fake, real), _by_features(flipped, real)
    best = max((plain, other), key=lambda entry: entry[0])
    if best[1] is None:
        return None
    return _refined(fake, real, best[1] if best is plain else best[1] @ mirror)


def similarity(fake: Grey, real: Grey, transform: Affine, where: Where | None = None) -> float:
    """Correlate the fine structure of two pictures where the transformed fake covers the real, -1..1.

    Parameters
    ----------
    fake, real : ndarray of shape (h, w), uint8
        Grey pictures.
    transform : ndarray of shape (3, 3), float64
        From the fake's pixels to the real's.
    where : ndarray of shape (h, w), bool, optional
        Pixels of the real that count; all by default.

    Returns
    -------
    float
        -1 where less than a tenth of the real is covered.
    """
    size = real.shape[::-1]
    moved = cv2.warpAffine(fake.astype(np.float32), transform[:2], size, flags=cv2.INTER_LINEAR)
    inside = cv2.warpAffine(np.ones(fake.shape, np.float32), transform[:2], size, flags=cv2.INTER_LINEAR) > 0.999
    inside = cv2.erode(inside.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if inside.mean() < LEAST_OUTSIDE:
        return -1.0
    if where is not None and (inside & where).mean() >= LEAST_OUTSIDE:
        inside &= where
    ours, theirs = _fine(moved)[inside], _fine(real.astype(np.float32))[inside]
    weight = float(np.sqrt(np.mean(ours**2) * np.mean(theirs**2)))
    return float(np.mean(ours * theirs)) / weight if weight > 0 else 0.0


def structure(picture: Grey, where: Where) -> float:
    """Return the root mean square of a picture's fine structure, grey levels; 0 where no pixel counts."""
    fine = _fine(picture.astype(np.float32))[where]
    return float(np.sqrt(np.mean(fine**2))) if fine.size else 0.0


def _better(score: float, identity: float) -> bool:
    return score >= identity + GAIN and 1 - score <= LEFT * (1 - identity)


def _fine(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    fine = cv2.GaussianBlur(picture, (0, 0), SMOOTH) - cv2.GaussianBlur(picture, (0, 0), COARSE)
    return np.asarray(np.clip(fine, -20, 20), np.float32)  # one hard edge, such as a bar's, decides nothing


def _by_features(fake: Grey, real: Grey) -> tuple[int, Affine | None]:
    """Return the number of matches that agree, and the affine transform they agree on."""
    sift = cv2.SIFT.create(nfeatures=600, contrastThreshold=0.02)
    (points, ours), (places, theirs) = sift.detectAndCompute(fake, None), sift.detectAndCompute(real, None)
    if ours is None or theirs is None or len(theirs) < 2:
        return 0, None
    matches = [m for m, n in cv2.BFMatcher(cv2.NORM_L2).knnMatch(ours, theirs, k=2) if m.distance < RATIO * n.distance]
    if len(matches) < LEAST_MATCHES:
        return 0, None
    start = np.array([points[match.queryIdx].pt for match in matches])
    end = np.array([places[match.trainIdx].pt for match in matches])
    affine, agree = cv2.estimateAffine2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=REPROJECTION)
    agreeing = int(agree.sum()) if affine is not None else 0
    return (agreeing, np.vstack([affine, [0, 0, 1]])) if agreeing >= LEAST_MATCHES else (0, None)


def _refined(fake: Grey, real: Grey, start: Affine) -> Affine:
    """Improve a transform by ECC; where that does not converge, or does not improve it, it stays."""
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    inverse = np.linalg.inv(start)[:2].astype(np.float32)  # ECC maps the template's pixels into the image
    try:
        _, better = cv2.findTransformECC(real, fake, inverse, cv2.MOTION_AFFINE, stop, None, 5)
    except cv2.error:
        return start
    refined = np.linalg.inv(np.vstack([better.astype(np.float64), [0, 0, 1]]))
    return refined if similarity(fake, real, refined) > similarity(fake, real, start) else start


def _scaling(picture: Grey, size: Size) -> Affine:
    """Return the transform from a whole frame's pixels to a small picture's (pixel centres)."""
    x, y = picture.shape[1] / size[0], picture.shape[0] / size[1]
    return np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5], [0, 0, 1]])


def stretch(fake: Grey, real: Grey) -> Affine:
    """Return the transform that is the identity but for the pictures' sizes."""
    return _scaling(real, (fake.shape[1], fake.shape[0]))


def shrunk(transform: Affine | None, fake: Grey, real: Grey, fake_size: Size, real_size: Size) -> Affine:
    """Return a transform between whole frames as one between two small pictures of them; the identity for None."""
    if transform is None:
        return stretch(fake, real)
    return np.asarray(_scaling(real, real_size) @ transform @ np.linalg.inv(_scaling(fake, fake_size)))


def _corners(picture: Grey) -> NDArray[np.float64]:
    height, width = picture.shape
    return np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float64).T


def _apart(one: Affine, other: Affine, corners: NDArray[np.float64]) -> float:
    return float(np.abs((one - other) @ corners).max())


def _bars(fakes: Sequence[Grey], reals: Sequence[Grey]) -> tuple[int, int, int, int]:
    """Return the width of the black bars that the fake has and its real has not: left, top, right, bottom."""
    ours, theirs = (np.max(np.stack(list(pictures)), axis=0) for pictures in (fakes, reals))
    widths = []
    for axis in (0, 1):
        fake_dark, real_dark = (_black_lines(picture, axis) for picture in (ours, theirs))
        if fake_dark.all():
            return 0, 0, 0, 0
        least = max(2, LEAST_BAR * len(fake_dark))
        for lines, others in ((fake_dark, real_dark), (fake_dark[::-1], real_dark[::-1])):
            width, there = int(np.argmin(lines)), int(np.argmin(others))
            widths.append(width if width >= least and width > 1.5 * there + 1 else 0)
    return widths[0], widths[2], widths[1], widths[3]


def _black_lines(picture: Grey, axis: int) -> NDArray[np.bool_]:
    """Tell which lines across an axis are black from end to end."""
    return np.asarray(np.percentile(picture, 98, axis=axis) <= BLACK)


def _told(transform: Affine) -> str:
    """Say in words what a transform does."""
    linear = transform[:2, :2]
    mirrored = bool(np.linalg.det(linear) < 0)
    upright = linear @ np.diag([-1.0, 1.0]) if mirrored else linear
    angle = float(np.degrees(np.arctan2(upright[1, 0] - upright[0, 1], upright[0, 0] + upright[1, 1])))
    turn = round(angle / 90) % 4 * 90
    # the transform takes the fake back to the real: the fake was turned the other way
    told = ["mirrored"] * mirrored + [f"turned by {(360 - turn) % 360} degrees"] * bool(turn)
    scales = np.hypot(*linear)
    scale = float(np.sqrt(scales.prod()))
    if turn or mirrored:
        return " and ".join(told) + (f", scale {1 / scale:.2f}" if abs(scale - 1) > 0.02 else "")
    left, top = transform[:2] @ (-0.5, -0.5, 1) + 0.5
    if abs(scales[0] / scales[1] - 1) > 0.02:
        return f"moved by {left:.0f}, {top:.0f} pixels: scales {1 / scales[0]:.2f} and {1 / scales[1]:.2f}"
    return f"cropped by {left:.0f}, {top:.0f} pixels: scale {1 / scale:.2f}"
