"""Choice of the manipulated person: the one whose face differs most from the real video's."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.tracks import Track

Frame = NDArray[np.uint8]
AS_MUCH = 0.5  # least difference of a further track, relative to the first track's
AS_LARGE = 0.5  # least side of a further track's faces, relative to the first's, where no fake is compared


@dataclass(frozen=True)
class Choice:
    """The manipulated tracks, no two in one frame, and by how much each of all tracks differs from its real.

    `difference` is the mean absolute difference of fake and real inside the track's boxes, less that outside of all
    boxes, in grey levels; NaN for a track that no compared frame shows.
    """

    tracks: tuple[int, ...]
    difference: tuple[float, ...]


def choose(tracks: Sequence[Track], pairs: Iterable[tuple[int, Frame, Frame]]) -> Choice:
    """Choose the manipulated person of one fake.

    The track that differs most is taken, and with it every track that is in none of its frames (the same person after
    a cut) and differs at least half as much. Where nothing can be compared, the most important tracks are taken.

    Parameters
    ----------
    tracks : sequence of Track
        Of the real video.
    pairs : iterable of (int, fake frame, real frame)
        Frame index and RGB pixels, uint8; a fake of another size is resized. One pair at a time is held.

    Returns
    -------
    Choice
    """
    sums, counts = np.zeros(len(tracks)), np.zeros(len(tracks), np.int64)
    for index, fake, real in pairs:
        difference = _difference(fake, real)
        shown = {number: box for number, track in enumerate(tracks) if (box := _at(track, index)) is not None}
        background = _background(difference, list(shown.values()))
        for number, box in shown.items():
            sums[number] += difference[_inside(box, difference.shape)].mean(dtype=np.float64) - background
            counts[number] += 1
    found = np.divide(sums, counts, out=np.full(len(tracks), np.nan), where=counts > 0)
    compared = [number for number in np.argsort(-found, kind="stable") if counts[number]]
    if not compared:
        return Choice(dominant(tracks), tuple(found.tolist()))
    best = compared[0]
    alike = [int(number) for number in compared if number == best or found[number] >= AS_MUCH * abs(found[best])]
    taken = _disjoint(tracks, alike)
    return Choice(taken, tuple(found.tolist()))


def dominant(tracks: Sequence[Track]) -> tuple[int, ...]:
    """Choose the main person of a video without a fake: the first track, and tracks of similar size in other frames."""
    if not tracks:
        return ()
    sides = [float(np.median(np.sqrt(_sides(track).prod(axis=1)))) for track in tracks]
    return _disjoint(
        tracks, [number for number, side in enumerate(sides) if number == 0 or side >= AS_LARGE * sides[0]]
    )


def _disjoint(tracks: Sequence[Track], numbers: list[int]) -> tuple[int, ...]:
    """Keep each track that shares no frame with those kept before it."""
    kept: list[int] = []
    for number in numbers:
        if not any(np.isin(tracks[number].frames, tracks[other].frames).any() for other in kept):
            kept.append(number)
    return tuple(kept)


def _at(track: Track, index: int) -> NDArray[np.float32] | None:
    place = int(np.searchsorted(track.frames, index))
    return track.boxes[place] if place < len(track.frames) and track.frames[place] == index else None


def _sides(track: Track) -> NDArray[np.float32]:
    return track.boxes[:, 2:] - track.boxes[:, :2]


def _difference(fake: Frame, real: Frame) -> NDArray[np.float32]:
    if fake.shape != real.shape:
        fake = np.asarray(cv2.resize(fake, real.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.absdiff(fake, real).mean(axis=2, dtype=np.float32))


def _inside(box: NDArray[np.float32], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the pixels of a box, at least one even where it leaves the frame."""
    left, top = (min(max(int(low), 0), limit - 1) for low, limit in zip(box[:2], shape[::-1], strict=True))
    right, bottom = np.ceil(box[2:]).astype(int).tolist()
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


def _background(difference: NDArray[np.float32], boxes: list[NDArray[np.float32]]) -> float:
    """Average what is outside of all boxes: what the encoder alone changed; 0 where the boxes cover everything."""
    outside = np.ones(difference.shape, bool)
    for box in boxes:
        outside[_inside(box, difference.shape)] = False
    return float(difference[outside].mean(dtype=np.float64)) if outside.any() else 0.0
