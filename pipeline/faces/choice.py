"""Choice of the manipulated people: those whose faces the mask marks, or else those that differ from the real."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.tracks import Track
from pipeline.video import sampling

Frame = NDArray[np.uint8]
AS_MUCH = 0.5  # least difference of a further track, relative to the first track's
AS_LARGE = 0.5  # least side of a further track's faces, relative to the first's, where no fake is compared
DIFFERS = 3.0  # grey levels from which a face was changed: untouched ones, real at CRF 0 and fake at 40, stay below 2
LEAST = 1.0  # grey levels; where the most is less nothing was seen to be changed, and one person is taken
AS_MARKED = 0.25  # least share of a further face that the mask marks, relative to the one that it marks most
MARKED = 0.02  # share of a face; where the most is less, the mask is of none of the faces
SEEN = 0.1  # least frames of a track beside others, relative to the longest track's
SAME = 0.3  # share of the smaller of two boxes from which both show one person
PROBED = 8  # pairs of frames compared
MOST_PROBED = 24  # with one more for each track that these do not show
DETAIL = 6.0  # pixels, standard deviation: what is finer is texture, in which an encoder changes most


@dataclass(frozen=True)
class Choice:
    """The manipulated tracks, and what decided.

    `difference` is the mean absolute difference of fake and real inside the track's boxes, less what the encoder is
    to be expected to change there, in grey levels; `marked` the share of the boxes that the mask marks. Both are NaN
    for a track that no compared frame shows.
    """

    tracks: tuple[int, ...]
    difference: tuple[float, ...]
    marked: tuple[float, ...] = ()  # empty without a mask
    by: str = ""  # difference, mask, or size where nothing can be compared
    left: tuple[int, ...] = ()  # changed as well, but seen in too few frames to be a person

    def describe(self) -> str:
        """Say how many of the tracks were taken, and why, as `difference: 2 of 3 faces (14.2, 7.9; others 0.3)`."""
        values, unit = (self.marked, "%") if self.by == "mask" else (self.difference, " grey levels")
        told = [f"{100 * value:.0f}" if self.by == "mask" else f"{value:.1f}" for value in values]
        ours = ", ".join(told[number] for number in self.tracks)
        others = ", ".join(told[number] for number in range(len(told)) if number not in self.tracks)
        figures = f" ({ours}{f'; others {others}' if others else ''}{unit})" if self.by != "size" else ""
        return f"{self.by}: {len(self.tracks)} of {len(values)} faces{figures}"


def choose(
    tracks: Sequence[Track],
    pairs: Iterable[tuple[int, Frame, Frame]],
    masks: Mapping[int, NDArray[np.uint8]] | None = None,
) -> Choice:
    """Choose the manipulated people of one fake.

    Where a mask marks some face, every face is taken that it marks at least a quarter as much as the one it marks
    most. Else every one that differs from its real by three grey levels, or half as much as the one that differs
    most. Where none differs by one grey level, one person is taken, and nobody else who is in a frame with them.

    Beside others in its frames, a track must be seen in a tenth as many frames as the longest and lie apart from
    them: a second box on one face, or a mistake of the detector, is nobody.

    Parameters
    ----------
    tracks : sequence of Track
        Of the real video.
    pairs : iterable of (int, fake frame, real frame)
        Frame index and RGB pixels, uint8; a fake of another size is resized. One pair at a time is held.
    masks : mapping of int to ndarray of shape (h, w), uint8, optional
        Masks of some of the pairs' frames, of any size; 0 = untouched.

    Returns
    -------
    Choice
    """
    sums, counts = np.zeros(len(tracks)), np.zeros(len(tracks), np.int64)
    under, seen = np.zeros(len(tracks)), np.zeros(len(tracks), np.int64)
    for index, fake, real in pairs:
        shown = {number: box for number, track in enumerate(tracks) if (box := _at(track, index)) is not None}
        for number, value in zip(shown, _differences(fake, real, list(shown.values())), strict=True):
            sums[number] += value
            counts[number] += 1
        if masks and index in masks:
            for number, box in shown.items():
                under[number] += _covered(masks[index], box, real.shape)
                seen[number] += 1
    found, marked = (
        np.divide(total, of, out=np.full(len(tracks), np.nan), where=of > 0)
        for total, of in ((sums, counts), (under, seen))
    )
    shares = tuple(marked.tolist()) if seen.any() else ()
    if np.max(marked, initial=0.0, where=seen > 0) >= MARKED:
        taken, left = _several(tracks, marked, AS_MARKED * float(np.nanmax(marked)))
        return Choice(taken, tuple(found.tolist()), shares, "mask", left)
    if not counts.any():
        return Choice(dominant(tracks), tuple(found.tolist()), shares, "size")
    best = float(np.nanmax(found))
    if best < LEAST:
        taken, left = _disjoint(tracks, _above(found, AS_MUCH * abs(best), best)), ()
    else:
        taken, left = _several(tracks, found, min(AS_MUCH * best, DIFFERS))
    return Choice(taken, tuple(found.tolist()), shares, "difference", left)


def people(tracks: Sequence[Track]) -> int:
    """Return the most faces that one frame shows."""
    shown = np.concatenate([track.frames for track in tracks]) if tracks else np.empty(0, np.int64)
    return int(np.unique(shown, return_counts=True)[1].max(initial=0))


def probed(tracks: Sequence[Track], both: NDArray[np.int64]) -> NDArray[np.int64]:
    """Choose which of the frames that fake and real have, of shape (n,), are compared.

    Some from all over the video, and one of each further track that they do not show.
    """
    chosen = sampling.subset(both, PROBED)
    for track in tracks:
        own = np.intersect1d(track.frames, both)
        if len(own) and not np.isin(own, chosen).any() and len(chosen) < MOST_PROBED:
            chosen = np.union1d(chosen, own[len(own) // 2 : len(own) // 2 + 1])
    return chosen


def dominant(tracks: Sequence[Track]) -> tuple[int, ...]:
    """Choose the main person of a video without a fake: the first track, and tracks of similar size in other frames."""
    if not tracks:
        return ()
    sides = [float(np.median(np.sqrt(_sides(track).prod(axis=1)))) for track in tracks]
    return _disjoint(
        tracks, [number for number, side in enumerate(sides) if number == 0 or side >= AS_LARGE * sides[0]]
    )


def _above(values: NDArray[np.float64], least: float, best: float) -> list[int]:
    """Return the tracks with at least such a value, or the best one's, largest first."""
    order = np.argsort(-values, kind="stable")
    return [int(number) for number in order if values[number] >= least or values[number] == best]


def _several(
    tracks: Sequence[Track], values: NDArray[np.float64], least: float
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Take every changed track that is somebody; return as well those that are seen in too few frames."""
    longest = max(len(track.frames) for track in tracks)
    kept: list[int] = []
    left: list[int] = []
    for number in _above(values, least, float(np.nanmax(values))):
        beside = [other for other in kept if np.isin(tracks[number].frames, tracks[other].frames).any()]
        if not any(_overlap(tracks[number], tracks[other]) >= SAME for other in beside):
            rare = bool(beside) and len(tracks[number].frames) < SEEN * longest
            (left if rare else kept).append(number)
    return tuple(kept), tuple(left)


def _overlap(one: Track, other: Track) -> float:
    """Return the share of the smaller box that the larger one covers, the median over the frames of both."""
    _, first, second = np.intersect1d(one.frames, other.frames, return_indices=True)
    ours, theirs = one.boxes[first], other.boxes[second]
    low, high = np.maximum(ours[:, :2], theirs[:, :2]), np.minimum(ours[:, 2:], theirs[:, 2:])
    smaller = np.minimum((ours[:, 2:] - ours[:, :2]).prod(axis=1), (theirs[:, 2:] - theirs[:, :2]).prod(axis=1))
    return float(np.median(np.clip(high - low, 0, None).prod(axis=1) / smaller))


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


def _differences(fake: Frame, real: Frame, boxes: Sequence[NDArray[np.float32]]) -> list[float]:
    """Return by how much each box differs, less what the encoder is to be expected to change there.

    That is the difference outside of all boxes, more where the box has more texture than they have on the average.
    """
    if fake.shape != real.shape:
        fake = np.asarray(cv2.resize(fake, real.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
    difference = np.asarray(cv2.absdiff(fake, real).mean(axis=2, dtype=np.float32))
    inside = [_inside(box, difference.shape) for box in boxes]
    outside = np.ones(difference.shape, bool)
    for place in inside:
        outside[place] = False
    if not outside.any():
        return [float(difference[place].mean(dtype=np.float64)) for place in inside]
    grey = cv2.cvtColor(real, cv2.COLOR_RGB2GRAY).astype(np.float32)
    texture = cv2.absdiff(grey, cv2.GaussianBlur(grey, (0, 0), DETAIL)) + 1  # a grey level: flat areas have noise too
    noise, plain = (float(each[outside].mean(dtype=np.float64)) for each in (difference, texture))
    rough = [max(1.0, float(texture[place].mean(dtype=np.float64)) / plain) for place in inside]
    return [
        float(difference[place].mean(dtype=np.float64)) - noise * more
        for place, more in zip(inside, rough, strict=True)
    ]


def _covered(mask: NDArray[np.uint8], box: NDArray[np.float32], shape: tuple[int, ...]) -> float:
    """Return the share of a box, in a frame of some shape, that the frame's mask marks."""
    scale = np.array([mask.shape[1] / shape[1], mask.shape[0] / shape[0]] * 2, np.float32)
    return float((mask[_inside(box * scale, mask.shape)] != 0).mean())


def _inside(box: NDArray[np.float32], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the pixels of a box, at least one even where it leaves the frame."""
    left, top = (min(max(int(low), 0), limit - 1) for low, limit in zip(box[:2], shape[::-1], strict=True))
    right, bottom = np.ceil(box[2:]).astype(int).tolist()
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))
