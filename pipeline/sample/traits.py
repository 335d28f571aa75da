"""Traits of the sample's people: shape of the face, colours, hair, beard, glasses."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.sample.geometry import Points
from pipeline.sample.photograph import landmarks

PEOPLE = 20
AMOUNT = 0.46  # of the largest change of shape at which a face still passes for one

# Points of the head's outline and of the body, photograph pixels; the head's move with it, the body's with the body.
HEAD = (
    (154, 100), (154, 76), (166, 45), (196, 22), (228, 14), (262, 21), (290, 46), (301, 78), (299, 104), (276, 138),
    (168, 124), (196, 66), (228, 62), (258, 68),
)  # fmt: skip
BODY = (
    (178, 200), (228, 216), (270, 204), (130, 178), (112, 220), (150, 262), (300, 210), (338, 262), (228, 270),
    (60, 262), (60, 299), (395, 299), (228, 299),
)  # fmt: skip

# CIE Lab (L of 100) of the skin's median, and how much of the photograph's contrast is kept
SKIN = (
    (78, 13, 17, 1.0),
    (45, 14, 20, 0.95),
    (66, 17, 25, 1.1),
    (36, 11, 14, 0.85),
    (84, 9, 11, 0.85),
    (56, 18, 27, 1.1),
)
# ... of the hair; the last is a shaved head: None takes the skin's colour
HAIR = (
    (12, 1, 1, 0.7), (72, 6, 34, 1.1), (38, 30, 32, 1.1), (62, 0, 1, 1.1), (24, 9, 12, 0.9), (88, 0, 3, 0.7), None,
    (30, 24, 6, 1.0),
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """One identity, drawn from its number alone."""

    number: int
    shape: tuple[float, ...]  # one signed amount per entry of `BASIS`
    skin: tuple[float, float, float, float]
    hair: tuple[float, float, float, float] | None
    beard: float  # 0 to 1
    moustache: float
    brows: float
    glasses: bool
    lips: float  # colour added to the lips, Lab a
    wrinkles: float
    clothes: tuple[float, float, float]  # turn of the hue in radians, saturation, lightness added


def person(number: int, seed: int = 0) -> Person:
    """Draw a person.

    Parameters
    ----------
    number : int
        From 0 to `PEOPLE - 1`. Any two differ in about half of all traits: their signs are rows of a Hadamard matrix.
    seed : int
        Varies the amounts by up to a tenth, never the signs.
    """
    from scipy.linalg import hadamard  # half a second to load: not where the whole sample is there

    signs = hadamard(32)[number + 1].astype(float)
    rng = np.random.default_rng([seed, 1, number])
    amounts = signs[1 : 1 + len(BASIS)] * rng.uniform(0.9, 1.0, len(BASIS)) * AMOUNT
    skin = SKIN[number % len(SKIN)]
    hair = HAIR[(number * 3 + number // len(HAIR)) % len(HAIR)]
    return Person(
        number=number,
        shape=tuple(amounts),
        skin=skin,
        hair=hair,
        beard=float(signs[20] > 0 and signs[21] > 0) * rng.uniform(0.7, 1.0),
        moustache=float(signs[20] > 0 and signs[22] > 0) * rng.uniform(0.7, 1.0),
        brows=0.55 + 0.45 * signs[23],
        glasses=bool(signs[24] > 0 and signs[25] > 0),
        lips=float(26 * (signs[20] < 0 and signs[26] > 0)),
        wrinkles=float(signs[27] > 0) * rng.uniform(0.6, 1.0),
        clothes=(float(rng.uniform(-np.pi, np.pi)), float(rng.uniform(0.3, 1.1)), float(rng.uniform(-22, 18))),
    )


def shaped(who: Person) -> tuple[Points, Points]:
    """Return a person's 68 landmarks and head outline, photograph pixels."""
    before = np.concatenate([landmarks(), np.array(HEAD, float)])
    after = before + sum(amount * shift(before) for amount, shift in zip(who.shape, BASIS, strict=True))
    if who.hair is None:  # no locks: the outline comes close to the skull, the hairline stays
        after[68:77] = SKULL + (after[68:77] - SKULL) * 0.82
    return after[:68], after[68:]


SKULL = np.array([226.0, 98.0])
MIDDLE = 226.0
EYES = ((203.5, 101.5), (247.0, 103.5))
NOSE, MOUTH = (225.0, 129.0), (223.0, 145.0)


def _around(points: Points, centre: tuple[float, float], reach: tuple[float, float]) -> NDArray[np.float64]:
    offset = (points - centre) / reach
    return np.asarray(np.exp(-np.square(offset).sum(axis=1))[:, None])


def _along(x: NDArray[np.float64], y: NDArray[np.float64] | float) -> Points:
    return np.stack(np.broadcast_arrays(x, y), axis=1).astype(float)


def _jaw_width(p: Points) -> Points:
    down = np.clip((p[:, 1] - 118) / 40, 0, 1) * (p[:, 1] < 180)
    return _along(0.17 * down * (p[:, 0] - MIDDLE), 0.0)


def _face_length(p: Points) -> Points:
    return _along(0 * p[:, 0], 11 * np.clip((p[:, 1] - 128) / 50, 0, 1.1))


def _cheek_width(p: Points) -> Points:
    near = np.exp(-np.square((p[:, 1] - 108) / 26)) * np.clip(np.abs(p[:, 0] - MIDDLE) / 40 - 0.35, 0, 1)
    return _along(9 * near * np.sign(p[:, 0] - MIDDLE), 0.0)


def _eye_distance(p: Points) -> Points:
    return sum((_around(p, eye, (19, 16)) * [5.0 * np.sign(eye[0] - MIDDLE), 0] for eye in EYES), np.zeros_like(p))


def _eye_size(p: Points) -> Points:
    return sum((_around(p, eye, (14, 9)) * (p - eye) * [0.26, 0.42] for eye in EYES), np.zeros_like(p))


def _eye_slant(p: Points) -> Points:
    turn = np.zeros_like(p)
    for eye in EYES:
        side = np.sign(eye[0] - MIDDLE)
        turn += _around(p, eye, (18, 12)) * _along(0 * p[:, 0], -0.24 * side * (p[:, 0] - eye[0]))
    return turn


def _eye_height(p: Points) -> Points:
    return sum((_around(p, eye, (22, 14)) * [0, -4.5] for eye in EYES), np.zeros_like(p))


def _nose_width(p: Points) -> Points:
    return _around(p, NOSE, (16, 15)) * (p - NOSE) * [0.48, 0]


def _nose_length(p: Points) -> Points:
    return _around(p, (225, 130), (20, 16)) * [0, 6.0]


def _mouth_width(p: Points) -> Points:
    return _around(p, MOUTH, (32, 16)) * (p - MOUTH) * [0.30, 0]


def _mouth_height(p: Points) -> Points:
    return _around(p, MOUTH, (34, 15)) * [0, 5.0]


def _lips(p: Points) -> Points:
    return _around(p, MOUTH, (32, 14)) * (p - MOUTH) * [0, 0.5]


def _smile(p: Points) -> Points:
    bend = np.square(np.clip((p[:, 0] - MOUTH[0]) / 22, -1.3, 1.3)) - 0.4
    return _around(p, MOUTH, (34, 13)) * _along(0 * p[:, 0], 5.5 * bend)


def _brow_height(p: Points) -> Points:
    near = np.exp(-np.square((p[:, 1] - 90) / 8)) * (np.abs(p[:, 0] - MIDDLE) < 46)
    return _along(0 * p[:, 0], 4.0 * near)


def _brow_slant(p: Points) -> Points:
    near = np.exp(-np.square((p[:, 1] - 90) / 8)) * (np.abs(p[:, 0] - MIDDLE) < 46)
    return _along(0 * p[:, 0], near * 0.22 * (np.abs(p[:, 0] - MIDDLE) - 24))


def _chin(p: Points) -> Points:
    down = np.clip((p[:, 1] - 158) / 18, 0, 1) * (p[:, 1] < 180)
    return _along(0.34 * down * (p[:, 0] - MIDDLE), 0.0)


def _hair_width(p: Points) -> Points:
    outside = np.clip(np.abs(p[:, 0] - MIDDLE) / 46 - 1, 0, 1) * (p[:, 1] < 140)
    return _along(15 * outside * np.sign(p[:, 0] - MIDDLE), 0.0)


def _hair_height(p: Points) -> Points:
    return _along(0 * p[:, 0], -9 * np.clip((80 - p[:, 1]) / 50, 0, 1))


def _lopsided(p: Points) -> Points:
    return _along(
        0.08 * (p[:, 1] - 110) * (p[:, 1] > 110) * (p[:, 1] < 185), 0.06 * (p[:, 0] - MIDDLE) * (p[:, 1] > 75)
    )


BASIS = (
    _jaw_width, _face_length, _cheek_width, _eye_distance, _eye_size, _eye_slant, _eye_height, _nose_width,
    _nose_length, _mouth_width, _mouth_height, _lips, _smile, _brow_height, _brow_slant, _chin, _hair_width,
    _hair_height, _lopsided,
)  # fmt: skip
