"""Pictures that the viewer shows: crops, and labels as layers to lay over them."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.labels import LABELS, NO_LABEL

PALETTE = ("#ff3b30", "#ffb000", "#00c2a8", "#d66bff", "#5ac8fa")  # of label kinds, in the order of `LABELS`
UNKNOWN = "#4f74ff"  # pixels without a label
THUMB = 80  # JPEG quality of thumbnails; whole crops are lossless
FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]


def colour_of(kind: str) -> str:
    """Return the colour of manipulated pixels of a label kind."""
    return PALETTE[list(LABELS).index(kind) % len(PALETTE)]


def crop(image: NDArray[np.uint8], side: int = 0) -> tuple[bytes, str]:
    """Encode a crop of shape (H, W, 3), RGB: whole as PNG, or `side` pixels wide as JPEG; return bytes and type."""
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if not side:
        return cv2.imencode(".png", pixels, FAST)[1].tobytes(), "image/png"
    small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA) if side < len(pixels) else pixels
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, THUMB])[1].tobytes(), "image/jpeg"


def layer(label: NDArray[Any], kind: str) -> tuple[bytes, str]:
    """Encode a label of shape (H, W) as a PNG to lay over its crop; return bytes and type.

    A binary label is its colour where it is 1, blue where unknown, and clear elsewhere; any other is opaque grey, its
    magnitude.
    """
    about = LABELS[kind]
    if about.scale is not None:
        grey = np.clip(np.abs(label.astype(np.float32)) * about.scale * about.gain, 0, 255).astype(np.uint8)
        return cv2.imencode(".png", grey, FAST)[1].tobytes(), "image/png"
    painted = np.zeros((*label.shape, 4), np.uint8)
    for value, colour in ((1, colour_of(kind)), (NO_LABEL, UNKNOWN)):
        painted[label == value] = (*(int(colour[place : place + 2], 16) for place in (5, 3, 1)), 255)
    return cv2.imencode(".png", painted, FAST)[1].tobytes(), "image/png"
