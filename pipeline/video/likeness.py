"""Fingerprints of videos: a few frames as thumbnails, by which copies are found that do not hold the same bytes."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.video import frames

SIDE = 16  # pixels of a thumbnail
PLACES = (0.1, 0.5, 0.9)  # of the frames; the very first and last are often black
PLAIN = 4.0  # grey levels, standard deviation: a plain frame is like any other
ALIKE = 0.985  # correlation of two thumbnails from which they show one frame
DIGITS = 2 * SIDE * SIDE  # hexadecimal, of one thumbnail

Thumbnails = NDArray[np.float32]  # (n, 256), each of mean 0 and norm 1


def fingerprint(frame: NDArray[np.uint8]) -> str:
    """Return a frame's thumbnail as hexadecimal digits; empty for a plain frame.

    Parameters
    ----------
    frame : ndarray of shape (H, W, 3), uint8
        RGB.
    """
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    small = np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return small.tobytes().hex() if small.std() >= PLAIN else ""


def watched(
    pictures: Iterable[tuple[int, NDArray[np.uint8]]], indexes: Sequence[int] | NDArray[np.int64], prints: list[str]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Pass frames on, and append the fingerprints of some of them to a list.

    Parameters
    ----------
    pictures : iterable of (int, ndarray of shape (H, W, 3), uint8)
    indexes : sequence of int
        Those that were asked for; at most three of them are remembered.
    prints : list of str
    """
    wanted = {int(index) for index in places(indexes)}
    for index, picture in pictures:
        if index in wanted:
            prints.append(fingerprint(picture))
        yield index, picture


def places(indexes: Sequence[int] | NDArray[np.int64]) -> list[int]:
    """Return those of some frames whose thumbnails stand for a video: at most three, increasing.

    >>> places(range(100))
    [10, 50, 89]
    """
    return sorted({int(indexes[round(place * (len(indexes) - 1))]) for place in PLACES}) if len(indexes) else []


def of_file(path: Path) -> str:
    """Return the fingerprints of a video, still or folder, one after the other; raises DecodeError."""
    wanted = places(range(frames.probe(path).frames))
    return "".join(fingerprint(picture) for _, picture in frames.read(path, wanted))


def thumbnails(prints: str) -> Thumbnails:
    """Return the thumbnails that fingerprints hold, one after the other: shape (n, 256)."""
    values = np.frombuffer(bytes.fromhex(prints), np.uint8).reshape(-1, SIDE * SIDE).astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True), np.float32)


def alike(ones: Sequence[str], others: Sequence[str]) -> list[tuple[int, int]]:
    """Find pairs of videos that show the same frames: each thumbnail of either is like some of the other's.

    Two encodings of a clip have a correlation above 0.996 in every frame, two clips of one scene by a fixed camera may
    have as much, clips of other scenes below 0.93 (twenty drawn people, twelve filmed ones).

    Parameters
    ----------
    ones, others : sequence of str
        Fingerprints of videos, from `of_file`.

    Returns
    -------
    list of (int, int)
        Numbers of videos in `ones` and `others`.
    """
    numbered = [(number, thumbnails(prints)) for number, prints in enumerate(others) if prints]
    if not numbered:
        return []
    every = np.concatenate([own for _, own in numbered])
    owner = np.repeat(np.arange(len(numbered)), [len(own) for _, own in numbered])
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    found = []
    for number, prints in enumerate(ones):
        if prints:
            likeness = thumbnails(prints) @ every.T
            ours = np.maximum.reduceat(likeness, starts, axis=1).min(axis=0)
            theirs = np.minimum.reduceat(likeness.max(axis=0), starts)
            same = np.flatnonzero(np.maximum(ours, theirs) >= ALIKE)
            found += [(number, numbered[place][0]) for place in same.tolist()]
    return found
