"""Common parts of the sample's manipulations: the donor, the working window, and the exact region changed."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.sample.geometry import Image, Points, disc, polygon, warp

Picture = NDArray[np.float32]

BROW_POINTS = [17, 18, 20, 21, 23, 25, 26]
VISIBLE = 7.0  # grey levels: what changed by less is nobody's forgery and goes back to the real pixels
FOREHEAD = 0.13  # of the distance from brows to chin, above the brows


@dataclass(frozen=True)
class Donor:
    """Source of the face that is put in."""

    image: Image  # (H, W, 3), RGB: the one picture of the donor that is used
    landmarks: Points  # (68, 2), pixels of `image`
    expressions: Points  # (frames, 68, 2): how the donor moves; any scale


@dataclass(frozen=True)
class Shot:
    """The part of one frame around the face, in which manipulations work, and what they work with."""

    left: int
    top: int
    target: Image  # (h, w, 3), RGB
    points: Points  # the target's landmarks, pixels of this part
    donor: Image  # (h, w, 3), RGB: the donor's picture, warped so that its landmarks lie on the target's
    driver: Points  # the landmarks whose expression is to be imitated; any scale

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.target.shape[0], self.target.shape[1]


@dataclass(frozen=True)
class Forged:
    """Proposal of a manipulation inside its window."""

    pixels: Picture  # (h, w, 3), RGB, 0 to 255
    weight: Picture  # (h, w), 0 to 1: how much of it shows
    exact: bool = False  # the whole support of `weight` is the region, even where little changed


def shoot(frame: Image, points: Points, donor: Donor, number: int) -> Shot:
    """Cut out the surroundings of a face, its landmarks' box and half of it again on every side, and warp the donor.

    Parameters
    ----------
    frame : ndarray of shape (H, W, 3), uint8
        RGB.
    points : ndarray of shape (68, 2)
        The target's landmarks, pixels of the frame.
    donor : Donor
        Whose face comes.
    number : int
        The frame's place in its clip; the donor's expressions are repeated when they are fewer.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.5 * (high - low)
    left, top = (int(edge) for edge in np.maximum(np.floor(low - margin), 0))
    right = min(int(high[0] + margin[0]), frame.shape[1])
    bottom = min(int(high[1] + margin[1]), frame.shape[0])
    target = np.ascontiguousarray(frame[top:bottom, left:right])
    inside = points - [left, top]
    there = np.concatenate([inside, brow_line(inside)])
    here = np.concatenate([donor.landmarks, brow_line(donor.landmarks)])
    warped = warp(donor.image, here, there, target.shape[:2])
    # Between the lips the target's own teeth stay: the donor's, stretched to another opening, would be a white plate.
    mouth = cv2.GaussianBlur(polygon(inside[60:68], target.shape[:2]).astype(np.float32), (0, 0), 1.2)[..., None]
    warped = (warped + mouth * (target.astype(np.float32) - warped)).round().astype(np.uint8)
    return Shot(left, top, target, inside, warped, donor.expressions[number % len(donor.expressions)])


def settle(frame: Image, where: Shot, forged: Forged) -> tuple[Image, Image]:
    """Put a proposal into its frame, and say exactly which pixels it may have changed.

    Returns
    -------
    tuple of ndarray
        The fake (H, W, 3), and its mask (H, W) of 0 and 1. Outside the mask the fake equals the real frame. The mask
        consists of whole blocks of 2x2 pixels, which share one colour sample in yuv420p: encoding changes nothing
        outside it either.
    """
    mixed = where.target + forged.weight[..., None] * (forged.pixels - where.target)
    mixed = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    region = (forged.weight > 0).astype(np.uint8)
    if not forged.exact:
        region &= _visible(mixed, where.target)
    mask = np.zeros(frame.shape[:2], np.uint8)
    height, width = where.shape
    mask[where.top : where.top + height, where.left : where.left + width] = region
    mask = _whole_blocks(mask)
    fake = frame.copy()
    part = fake[where.top : where.top + height, where.left : where.left + width]
    inside = mask[where.top : where.top + height, where.left : where.left + width, None] == 1
    np.copyto(part, mixed, where=inside)
    return fake, mask


def brow_line(points: Points) -> Points:
    """Return seven points across the forehead, `FOREHEAD` above the brows."""
    up = (points[17:27].mean(axis=0) - points[8]) * FOREHEAD
    return np.asarray(points[BROW_POINTS] + up)


def face(where: Shot, forehead: float = 1.0) -> Image:
    """Return the mask of the face: hull of the landmarks and a share of the forehead."""
    brows = where.points[BROW_POINTS]
    top = brows + forehead * (brow_line(where.points) - brows)
    return polygon(np.concatenate([where.points, top]), where.shape)


def match_colour(pixels: Image, like: Image, mask: Image, strength: float = 1.0) -> Picture:
    """Give a picture another's mean and spread of each channel inside a mask.

    References
    ----------
    E. Reinhard et al., Color transfer between images, IEEE CG&A 21(5), 2001 (in RGB, since both are of one scene).
    """
    mean, spread = (part[:, 0] for part in cv2.meanStdDev(pixels, mask=mask))
    new_mean, new_spread = (part[:, 0] for part in cv2.meanStdDev(like, mask=mask))
    ratio = np.clip(new_spread / np.maximum(spread, 1.0), 0.5, 2.0)
    factor = (1 + strength * (ratio - 1)).astype(np.float32)
    offset = (strength * (new_mean - mean * ratio)).astype(np.float32)
    return np.asarray(np.clip(pixels * factor + offset, 0, 255), np.float32)


def _visible(fake: Image, real: Image) -> Image:
    """Return 1 on the largest connected piece of visible change, its holes filled."""
    red, green, blue = cv2.split(cv2.absdiff(fake, real))
    change = cv2.max(cv2.max(red, green), blue)
    seen = (cv2.blur(change, (5, 5)) > VISIBLE).astype(np.uint8)
    seen = cv2.morphologyEx(seen, cv2.MORPH_OPEN, disc(5))
    seen = cv2.morphologyEx(np.pad(seen, 16), cv2.MORPH_CLOSE, disc(25))[16:-16, 16:-16]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(seen)
    if count < 2:
        return np.zeros_like(seen)
    largest = (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    outlines, _ = cv2.findContours(largest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(largest, outlines, -1, 1, cv2.FILLED), np.uint8)


def _whole_blocks(mask: Image) -> Image:
    height, width = mask.shape
    rows = mask[0::2] | mask[1::2]
    blocks = rows[:, 0::2] | rows[:, 1::2]
    return np.asarray(cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
