"""Backgrounds: invented rooms, out of focus, each different."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]  # (height, width, 3), RGB, 0 to 255


def surroundings(number: int, shape: tuple[int, int], seed: int) -> Picture:
    """Paint the background of one identity.

    Parameters
    ----------
    number : int
        The identity: kinds take turns, colours are drawn.
    shape : tuple of int
        Height and width.
    seed : int
        Seed of the whole sample.
    """
    rng = np.random.default_rng([seed, 4, number])
    hue = rng.uniform(0, 1)
    picture = KINDS[number % len(KINDS)](rng, shape, hue)
    picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(1.5, 4.0)))
    grain = cv2.GaussianBlur(rng.standard_normal(shape, dtype=np.float32), (0, 0), 1.5)
    return np.asarray(np.clip(picture + 5 * grain[..., None] / grain.std() * 0.4, 0, 255), np.float32)


def _colour(hue: float, saturation: float, value: float) -> Picture:
    hsv = np.array([[[360 * (hue % 1), np.clip(saturation, 0, 1), np.clip(value, 0, 1)]]], np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0] * 255, np.float32)


def _slope(shape: tuple[int, int], one: Picture, other: Picture, angle: float) -> Picture:
    height, width = shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    along = np.cos(angle) * x / width + np.sin(angle) * y / height
    along = (along - along.min()) / (along.max() - along.min())
    return np.asarray(one * (1 - along[..., None]) + other * along[..., None], np.float32)


def _clouds(rng: np.random.Generator, shape: tuple[int, int], hue: float) -> Picture:
    total = np.zeros(shape, np.float32)
    for sigma in (6, 16, 45):
        noise = cv2.GaussianBlur(rng.standard_normal(shape, dtype=np.float32), (0, 0), sigma)
        total += noise / noise.std() * np.float32(np.sqrt(sigma))
    weight = 1 / (1 + np.exp(-total[..., None] / 6))
    one, other = _colour(hue, 0.3, 0.75), _colour(hue + 0.15, 0.4, 0.4)
    return np.asarray(one * weight + other * (1 - weight), np.float32)


def _wall(rng: np.random.Generator, shape: tuple[int, int], hue: float) -> Picture:
    picture = _slope(shape, _colour(hue, 0.25, 0.85), _colour(hue, 0.35, 0.45), float(rng.uniform(0, 6)))
    for _ in range(3):
        left, top = rng.uniform(-0.1, 0.9, 2) * [shape[1], shape[0]]
        width, height = rng.uniform(0.15, 0.4, 2) * [shape[1], shape[0]]
        corner, far = (int(left), int(top)), (int(left + width), int(top + height))
        cv2.rectangle(picture, corner, far, _colour(rng.uniform(), 0.4, rng.uniform(0.2, 0.9)).tolist(), -1)
        cv2.rectangle(picture, corner, far, _colour(hue + 0.1, 0.5, 0.25).tolist(), 5)
    return picture


def _curtain(rng: np.random.Generator, shape: tuple[int, int], hue: float) -> Picture:
    x = np.arange(shape[1], dtype=np.float32)
    folds = np.sin(x / rng.uniform(5, 10) + 3 * np.sin(x / rng.uniform(30, 60)))
    light = (0.65 + 0.25 * folds).astype(np.float32)[None, :, None]
    return np.asarray(_slope(shape, _colour(hue, 0.55, 0.8), _colour(hue, 0.7, 0.5), np.pi / 2) * light, np.float32)


def _shelves(rng: np.random.Generator, shape: tuple[int, int], hue: float) -> Picture:
    picture = np.full((*shape, 3), _colour(0.08, 0.5, 0.25), np.float32)
    board = int(rng.integers(62, 90))
    for top in range(-20, shape[0], board):
        left = 0
        while left < shape[1]:
            width = int(rng.integers(8, 26))
            height = int(rng.uniform(0.6, 0.92) * board)
            spine = _colour(hue + rng.normal(0, 0.2), rng.uniform(0.2, 0.8), rng.uniform(0.25, 0.85))
            picture[max(0, top + board - height) : max(0, top + board - 6), left : left + width - 2] = spine
            left += width
    return picture


def _lights(rng: np.random.Generator, shape: tuple[int, int], hue: float) -> Picture:
    picture = _slope(shape, _colour(hue, 0.6, 0.25), _colour(hue + 0.1, 0.6, 0.12), float(rng.uniform(0, 6)))
    for _ in range(26):
        glow = np.zeros_like(picture)
        centre = (int(rng.uniform(0, shape[1])), int(rng.uniform(0, shape[0])))
        colour = _colour(hue + rng.normal(0, 0.12), rng.uniform(0.2, 0.7), 0.9)
        cv2.circle(glow, centre, int(rng.uniform(8, 30)), colour.tolist(), -1)
        picture += np.float32(rng.uniform(0.2, 0.6)) * glow
    return np.minimum(picture, 255)


KINDS = (_clouds, _wall, _curtain, _shelves, _lights)
