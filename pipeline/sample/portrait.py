"""A person's texture: the photograph recoloured, with beard, brows, glasses and pores painted in."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.sample.geometry import Image, Points, polygon
from pipeline.sample.photograph import Parts, landmarks, take_apart, to_texture
from pipeline.sample.traits import Person

Weights = NDArray[np.float32]


def paint(who: Person, seed: int = 0) -> Image:
    """Return a person's texture.

    Returns
    -------
    ndarray of shape (height, width, 4), uint8
        RGB and the person's outline (255 = person), in the geometry of `photograph.Parts.colour`.
    """
    parts = take_apart()
    rng = np.random.default_rng([seed, 2, who.number])
    points = to_texture(landmarks())
    lab = cv2.cvtColor(parts.colour.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    features = _eyes_and_teeth(points, lab.shape[:2])
    skin = parts.skin * (1 - features)
    lab = _recoloured(lab, parts, who, skin)
    lab[..., 0] += skin * _pores(rng, skin.shape, 0.9 + 0.9 * who.wrinkles)
    lab[..., 1] += who.lips * _lips(points, skin.shape) * (1 - features)
    lab = _hairs(lab, who, points, rng)
    colour = np.clip(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB), 0, 1) * 255
    if who.glasses:
        colour = _glasses(colour, points, who)
    return np.asarray(np.dstack([colour, parts.person * 255]).round(), np.uint8)


def _recoloured(lab: NDArray[np.float32], parts: Parts, who: Person, skin: Weights) -> NDArray[np.float32]:
    bare = np.median(lab[parts.skin > 0.95], axis=0)
    toned = _remap(lab, bare, who.skin)
    mane = np.median(lab[parts.hair > 0.95], axis=0)
    if who.hair is None:  # shaved: the skin's colour, almost without the locks' light and shade
        light = bare[0] + 0.12 * (lab[..., :1] - mane[0])
        haired = _remap(
            np.concatenate([light, np.broadcast_to(bare[1:], (*light.shape[:2], 2))], axis=2), bare, who.skin
        )
        haired -= np.array([5, 1, 2], np.float32)
    else:
        haired = _remap(lab, mane, who.hair)
    turn, saturation, lightness = who.clothes
    a, b = saturation * lab[..., 1], saturation * lab[..., 2]
    dressed = np.dstack([
        np.clip(lab[..., 0] + lightness, 2, 98),
        a * np.cos(turn) - b * np.sin(turn),
        a * np.sin(turn) + b * np.cos(turn),
    ])  # fmt: skip
    rest = 1 - skin - parts.hair - parts.clothes
    return np.asarray(
        skin[..., None] * toned + parts.hair[..., None] * haired + parts.clothes[..., None] * dressed
        + np.maximum(rest, 0)[..., None] * lab,
        np.float32,
    )  # fmt: skip


def _remap(
    lab: NDArray[np.float32], old: NDArray[np.float32], new: tuple[float, float, float, float]
) -> NDArray[np.float32]:
    moved = np.array(new[:3], np.float32) + (lab - old) * np.array([new[3], 0.9, 0.9], np.float32)
    # Towards black and white the lightness is bent, not cut, so that dark skin keeps its shading.
    light = moved[..., 0]
    moved[..., 0] = np.where(light < 12, 12 * np.exp((light - 12) / 12), light)
    moved[..., 0] = np.where(light > 88, 100 - 12 * np.exp((88 - light) / 12), moved[..., 0])
    return np.asarray(moved, np.float32)


def _eyes_and_teeth(points: Points, shape: tuple[int, int]) -> Weights:
    mask = polygon(points[36:42], shape) | polygon(points[42:48], shape) | polygon(points[60:68], shape)
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.5), np.float32)


def _lips(points: Points, shape: tuple[int, int]) -> Weights:
    return np.asarray(cv2.GaussianBlur(polygon(points[48:60], shape).astype(np.float32), (0, 0), 2), np.float32)


def _pores(rng: np.random.Generator, shape: tuple[int, ...], amount: float) -> Weights:
    total = np.zeros(shape, np.float32)
    for sigma, share in ((1.2, 1.0), (2.6, 0.9), (6.0, 0.7)):
        noise = cv2.GaussianBlur(rng.standard_normal(shape, dtype=np.float32), (0, 0), sigma)
        total += np.float32(share) * noise / noise.std()
    return np.float32(amount) * total


def _hairs(lab: NDArray[np.float32], who: Person, points: Points, rng: np.random.Generator) -> NDArray[np.float32]:
    """Paint brows, beard and moustache as strands of the hair's colour."""
    shape = lab.shape[:2]
    tone = who.hair or (18.0, 4.0, 5.0, 1.0)
    colour = np.array([min(tone[0], 45.0) * 0.6 + 4, *tone[1:3]], np.float32)
    strands = cv2.GaussianBlur(rng.standard_normal(shape, dtype=np.float32), (0, 0), sigmaX=0.8, sigmaY=1.8)
    strands = np.clip(0.7 + 0.22 * strands / strands.std(), 0, 1)
    cover = who.brows * _brows(points, shape)
    cover = np.maximum(cover, who.beard * _beard(points, shape))
    cover = np.maximum(cover, who.moustache * _moustache(points, shape)) * strands
    return np.asarray(lab * (1 - cover[..., None]) + colour * cover[..., None], np.float32)


def _brows(points: Points, shape: tuple[int, int]) -> Weights:
    mask = np.zeros(shape, np.uint8)
    for brow in (points[17:22], points[22:27]):
        cv2.polylines(mask, [np.rint(np.add(brow, [0, 3])).astype(np.int32)], False, 255, 11)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 2.5) / np.float32(255), np.float32)


def _beard(points: Points, shape: tuple[int, int]) -> Weights:
    mask = np.zeros(shape, np.uint8)
    jaw = points[1:16]
    inner = np.array([points[15] - [8, 0], points[54] + [26, -6], points[35] + [8, 18], points[33] + [0, 22],
                      points[31] + [-8, 18], points[48] - [26, 6], points[1] + [8, 0]])  # fmt: skip
    cv2.fillPoly(mask, [np.rint(np.concatenate([np.add(jaw, [0, 6]), inner])).astype(np.int32)], 255)
    lips = cv2.dilate(polygon(points[48:60], shape), np.ones((5, 5), np.uint8)) * 255
    return np.asarray(cv2.GaussianBlur(mask - np.minimum(mask, lips), (0, 0), 4) / np.float32(255), np.float32)


def _moustache(points: Points, shape: tuple[int, int]) -> Weights:
    mask = np.zeros(shape, np.uint8)
    line = np.array([points[48] - [6, 4], points[31] + [-6, 9], points[33] + [0, 8], points[35] + [6, 9],
                     points[54] + [6, -4], points[53], points[52], points[51], points[50], points[49]])  # fmt: skip
    cv2.fillPoly(mask, [np.rint(line).astype(np.int32)], 255)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 2.5) / np.float32(255), np.float32)


def _glasses(colour: NDArray[np.float32], points: Points, who: Person) -> NDArray[np.float32]:
    mask = np.zeros(colour.shape[:2], np.uint8)
    centres = [np.add(points[36:42].mean(axis=0), [-2, 5]), np.add(points[42:48].mean(axis=0), [2, 5])]
    for centre in centres:
        cv2.ellipse(mask, _pixel(centre), (31, 24 + who.number % 3 * 3), 0, 0, 360, 255, 3, cv2.LINE_AA)
    ends = [(centres[0] + [31, -6], centres[1] + [-31, -6]), (centres[0] + [-31, -6], points[0] + [-2, -14]),
            (centres[1] + [31, -6], points[16] + [2, -14])]  # fmt: skip
    for one, other in ends:
        cv2.line(mask, _pixel(one), _pixel(other), 255, 3, cv2.LINE_AA)
    weight = (cv2.GaussianBlur(mask, (0, 0), 0.8) / np.float32(255))[..., None]
    frame = np.array([(24, 22, 26), (110, 20, 20), (150, 120, 60)][who.number % 3], np.float32)
    return np.asarray(colour * (1 - weight) + frame * weight, np.float32)


def _pixel(point: Points) -> tuple[int, int]:
    return round(point[0]), round(point[1])
