"""Crops and labels as files, nothing lost: PNG for what has 8 bits, NumPy's own format for the rest."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.labels import LABELS, NO_LABEL

WHITE = 255  # manipulated, in a mask that people and other programs look at


def png(values: NDArray[np.uint8]) -> bytes:
    """Return a picture, uint8 of shape (H, W) or (H, W, 3), RGB, as a PNG file.

    Examples
    --------
    >>> png(np.zeros((2, 2), np.uint8))[1:4]
    b'PNG'
    """
    written = values if values.ndim == 2 else cv2.cvtColor(values, cv2.COLOR_RGB2BGR)
    done, coded = cv2.imencode(".png", written)
    assert done, "OpenCV writes every array of these types"
    return coded.tobytes()


def suffix(kind: str) -> str:
    """Return the ending of the files of a label kind."""
    return ".png" if LABELS[kind].dtype == "uint8" else ".npy"


def write(path: Path, values: NDArray[np.generic]) -> None:
    """Write an array as the ending of `path` says, in a folder that is made where it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, values, allow_pickle=False)
    else:
        path.write_bytes(png(values.astype(np.uint8, copy=False)))


def known(label: NDArray[np.generic]) -> bool:
    """Say whether a binary label is one in every pixel."""
    return not bool((label == NO_LABEL).any())
