"""The one photograph everything is made from: scikit-image's `astronaut`, taken apart into hair, skin and clothes."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from pipeline.sample.geometry import Image, Points, polygon

LEFT, TOP, WIDTH, HEIGHT = 56, 0, 340, 300  # the part used, photograph pixels
ENLARGED = 2  # textures are kept at this many times the photograph's size

# dlib's 68 points on the photograph enlarged three times, photograph pixels.
LANDMARKS = (
    (179.7, 104.3), (180.0, 116.0), (181.0, 127.3), (182.0, 138.7), (185.3, 150.3), (191.3, 160.3), (200.0, 168.7),
    (209.7, 176.0), (220.7, 178.7), (232.0, 177.3), (243.0, 171.3), (253.0, 164.0), (260.7, 154.3), (265.3, 143.3),
    (268.3, 131.3), (270.7, 120.0), (272.0, 108.0), (187.0, 94.0), (192.7, 88.3), (201.0, 87.3), (209.0, 89.0),
    (216.7, 92.3), (236.0, 93.7), (244.0, 91.0), (252.3, 90.7), (260.3, 92.3), (265.3, 98.7), (226.0, 102.7),
    (225.7, 111.0), (225.7, 119.0), (225.3, 127.3), (214.3, 131.3), (219.3, 132.7), (224.3, 134.7), (229.7, 133.3),
    (234.3, 132.0), (195.3, 101.3), (201.0, 98.0), (207.3, 98.7), (212.7, 104.0), (206.7, 104.3), (200.0, 104.0),
    (238.0, 105.3), (244.0, 100.7), (250.0, 100.7), (255.3, 104.3), (250.3, 106.7), (244.0, 106.3), (200.7, 139.3),
    (209.0, 139.3), (217.7, 139.7), (223.3, 141.0), (229.3, 140.3), (237.3, 140.3), (245.3, 141.0), (237.3, 151.3),
    (229.0, 155.7), (222.3, 156.0), (216.0, 155.0), (207.7, 150.0), (203.3, 140.7), (217.3, 143.3), (223.0, 144.3),
    (229.3, 143.7), (242.3, 142.3), (229.0, 150.0), (222.7, 150.7), (216.7, 149.7),
)  # fmt: skip
# Where skin can be, seen generously: face, ears and neck; photograph pixels.
NECK = (
    (172.0, 112.0), (174.0, 128.0), (182.0, 140.0), (185.0, 180.0), (228.0, 195.0), (256.0, 190.0), (262.0, 165.0),
    (276.0, 132.0), (280.0, 122.0), (274.0, 108.0), (264.0, 76.0), (190.0, 76.0),
)  # fmt: skip


@dataclass(frozen=True)
class Parts:
    """The photograph's used part, `ENLARGED` times, and where its parts are; weights are float32 from 0 to 1."""

    colour: Image  # (height, width, 3) RGB; background pixels carry the nearest person's colours
    person: NDArray[np.float32]
    hair: NDArray[np.float32]
    skin: NDArray[np.float32]
    clothes: NDArray[np.float32]


def landmarks() -> Points:
    """Return the photograph's 68 landmarks, photograph pixels, float64."""
    return np.array(LANDMARKS)


def to_texture(points: Points) -> Points:
    """Carry photograph pixels to pixels of `Parts.colour`."""
    return (points - [LEFT, TOP]) * ENLARGED


@lru_cache(maxsize=1)
def take_apart() -> Parts:
    """Cut the person out of the photograph and find hair, skin and clothes."""
    photo = skimage.data.astronaut()[TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH]
    person = _person(photo)
    size = (WIDTH * ENLARGED, HEIGHT * ENLARGED)
    large = cv2.resize(photo, size, interpolation=cv2.INTER_LANCZOS4)
    soft = cv2.GaussianBlur(cv2.resize(person.astype(np.float32), size, interpolation=cv2.INTER_CUBIC), (0, 0), 1.6)
    soft = np.clip((soft - 0.35) / 0.5, 0, 1)  # half a pixel inside the outline: no rim of the old background
    hair, skin = _hair_and_skin(large)
    hair, skin = hair * soft, skin * soft
    return Parts(_outwards(large, soft), soft, hair, skin, np.clip(soft - hair - skin, 0, 1))


def _person(photo: Image) -> Image:
    """Return 1 where the person is, by graph cut from a rough drawing of head and shoulders."""
    guess = np.full(photo.shape[:2], cv2.GC_BGD, np.uint8)
    outline = {  # photograph pixels: surely nothing beyond the first, surely the person within the second
        cv2.GC_PR_BGD: [(140, 5), (315, 5), (315, 150), (395, 260), (395, 299), (57, 299), (57, 190), (112, 150)],
        cv2.GC_PR_FGD: [(158, 60), (200, 18), (250, 20), (296, 60), (296, 110), (280, 140), (352, 250), (362, 299),
                        (60, 299), (60, 250), (120, 160), (175, 120)],
    }  # fmt: skip
    for value, corners in outline.items():
        cv2.fillPoly(guess, [np.array(corners, np.int32) - [LEFT, TOP]], int(value))
    face = landmarks() - [LEFT, TOP]
    guess[polygon(face, (HEIGHT, WIDTH)) == 1] = cv2.GC_FGD
    surely = (
        [(180, 60), (270, 60), (270, 40), (225, 25), (185, 45)],
        [(150, 200), (300, 230), (320, 299), (90, 299)],
        [(195, 170), (250, 170), (260, 250), (170, 250)],
    )
    for corners in surely:
        cv2.fillPoly(guess, [np.array(corners, np.int32) - [LEFT, TOP]], int(cv2.GC_FGD))
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(photo[..., ::-1]), guess, None, *models, 5, cv2.GC_INIT_WITH_MASK)
    cut = ((guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD)).astype(np.uint8)
    cut = cv2.morphologyEx(cut, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cut)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    holes = cv2.connectedComponents((labels != largest).astype(np.uint8))[1]
    return np.asarray((holes != holes[0, 0]) | (labels == largest), np.uint8)


def _hair_and_skin(large: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    lab = cv2.cvtColor(large, cv2.COLOR_RGB2Lab).astype(np.float32)
    points = to_texture(landmarks())
    shape = large.shape[:2]
    face = polygon(points, shape)
    cap = polygon(to_texture(np.array([(165, 60), (195, 22), (250, 22), (292, 60)], float)), shape)
    skinlike = _likeness(lab, face) - _likeness(lab, cap)
    likely = 1 / (1 + np.exp(-cv2.GaussianBlur(skinlike, (0, 0), 1.5)))
    neck = polygon(to_texture(np.array(NECK)), shape)
    inside = polygon(points, shape).astype(np.float32)
    sure = cv2.GaussianBlur(cv2.erode(inside, np.ones((9, 9))), (0, 0), 3)
    # Below the hair only the black collar is not skin; shadows there would pass for hair by their colour.
    row = np.arange(shape[0], dtype=np.float32)[:, None] / ENLARGED + TOP
    below = np.clip((row - 118) / 10, 0, 1)
    bright = np.clip((cv2.GaussianBlur(lab[..., 0], (0, 0), 1.5) - 62) / 24, 0, 1)
    skin = ((1 - below) * likely + below * bright) * cv2.GaussianBlur(neck.astype(np.float32), (0, 0), 2)
    skin = np.maximum(skin, sure)
    hair = (1 - skin) * (1 - np.clip((row - 132) / 8, 0, 1))
    return np.asarray(hair, np.float32), np.asarray(skin, np.float32)


def _likeness(lab: NDArray[np.float32], region: Image) -> NDArray[np.float32]:
    """Return the log-density of a Gaussian fitted to a region's colours, the darkest and brightest tenth left out."""
    colours = lab[region == 1]
    low, high = np.quantile(colours[:, 0], [0.1, 0.9])
    colours = colours[(colours[:, 0] >= low) & (colours[:, 0] <= high)]
    spread = np.cov(colours.T) + 9 * np.eye(3)
    offset = lab - colours.mean(axis=0)
    distance = np.einsum("yxi,ij,yxj->yx", offset, np.linalg.inv(spread), offset)
    return np.asarray(-0.5 * (distance + np.log(np.linalg.det(spread))), np.float32)


def _outwards(colour: Image, person: NDArray[np.float32]) -> Image:
    """Continue the person's colours over the background, so that soft edges take none of it along."""
    sure = (person > 0.97).astype(np.float32)
    filled = colour.astype(np.float32)
    spread = np.zeros_like(filled)
    weight = np.zeros_like(sure)
    for sigma, share in ((2, 1.0), (8, 1e-3), (40, 1e-6)):
        spread += share * cv2.GaussianBlur(filled * sure[..., None], (0, 0), sigma)
        weight += share * cv2.GaussianBlur(sure, (0, 0), sigma)
    keep = np.clip(person, 0, 1)[..., None] ** 2
    return np.asarray(
        np.clip(keep * filled + (1 - keep) * spread / np.maximum(weight, 1e-9)[..., None], 0, 255), np.uint8
    )
