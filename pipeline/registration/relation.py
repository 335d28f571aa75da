"""Relation of a fake to its real, measured before a label is made: offset in time, place of the picture, or neither.

A label says where a fake differs from the same frame of its real. A fake that is late, cropped or mirrored differs
everywhere, and its labels would be wrong without a sign of it. So the relation is measured: `offsets` compares
neighbouring frames where the real moves, `placement` correlates the surroundings of the face.

What decides is agreement, not a threshold on likeness. The identity is kept unless one other relation is better in
nearly all of up to twelve frames from all over the video, and clearly so on the whole. Nothing that swaps a face,
compresses or scales a video makes the same wrong relation look better in all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.registration import offsets, placement
from pipeline.registration.offsets import Timing
from pipeline.registration.placement import Grey, Placement, Size

PROBES = 12  # frames of a fake that are compared
PLACED = 4  # of them, those whose surroundings are compared
TIMED_SIDE = 160  # long side of the pictures compared in time, pixels
UNRELATED = 0.3  # correlation of the surroundings; other people's clips stay below it, true pairs at c40 above 0.85
TEXTURE = 3.0  # grey levels of fine structure in the surroundings; with less, compression decides the correlation
APART = 40.0  # pixels between the transforms of frames that do not show the same moments, at a corner
MARGIN = 0.15  # of the box's sides, added on each side: manipulations reach beyond the detected face

Box = NDArray[np.floating]  # left, top, right, bottom
Supply = Callable[[Sequence[int]], Mapping[int, Grey]]  # gives the real's pictures, as far as they can be had


@dataclass(frozen=True)
class Relation:
    """What a fake is to its real; the identity by default."""

    timing: Timing = field(default_factory=Timing)
    placement: Placement = field(default_factory=Placement)
    related: bool = True

    def describe(self) -> str:
        """Return what was found as a clause, such as `shows frame i + 3` or `mirrored`; empty for the identity."""
        if not self.related:
            return "its surroundings are those of another video"
        return "; ".join(filter(None, (self.timing.describe(), self.placement.describe())))


@dataclass(frozen=True, eq=False)
class Probed:
    """Frames of a fake that are compared with its real."""

    pictures: Mapping[int, Grey]  # by frame, each shape (h, w); from `alignment.thumbnail`
    boxes: Callable[[int], Sequence[Box]]  # manipulated faces by the real's frame, pixels of its whole frames
    size: Size  # of the fake's whole frames: width, height
    real_size: Size
    real_count: int  # frames of the real


def probes(frames: Sequence[int]) -> list[int]:
    """Choose at most twelve of a fake's frames, evenly spread and not at the very ends."""
    if len(frames) <= PROBES:
        return list(frames)
    return [frames[round(place)] for place in np.linspace(0.04, 0.96, PROBES) * (len(frames) - 1)]


def register(fake: Probed, supply: Supply) -> Relation:
    """Measure the relation of a fake to its real.

    Parameters
    ----------
    fake : Probed
        Frames of the fake, at the indexes that `probes` chose.
    supply : callable
        Takes increasing frame indexes of the real and returns its grey pictures, from `alignment.thumbnail`. It is
        asked for three neighbours on each side of every probed frame and, where those do not settle the offset, once
        more for all within reach.

    Returns
    -------
    Relation
        `related` is False where nothing was found and the surroundings, although they have structure, do not
        correlate in any frame.
    """
    timing = _timing(fake, supply)
    found, likeness = _placed(fake, supply, timing)
    if timing.describe():
        # where a fake is cropped or mirrored, some other moment often happens to look more like it
        still, stillness = _placed(fake, supply, Timing())
        if still.placement.describe() and stillness > likeness:
            return still
    return found


def _placed(fake: Probed, supply: Supply, timing: Timing) -> tuple[Relation, float]:
    """Return the relation with a timing, and how well the surroundings correlate under it."""
    frames = [frame for frame in fake.pictures if 0 <= timing.at(frame) < fake.real_count]
    frames = [frames[round(place)] for place in np.linspace(0, len(frames) - 1, PLACED)] if frames else []
    shown = supply(sorted({timing.at(frame) for frame in frames}))
    frames = sorted({frame for frame in frames if timing.at(frame) in shown})
    if not frames:
        return Relation(timing), -1.0
    fakes = [_shrunk(fake.pictures[frame], placement.SIDE) for frame in frames]
    reals = [_shrunk(shown[timing.at(frame)], placement.SIDE) for frame in frames]
    outside = [
        outside_of(fake.boxes(timing.at(frame)), real.shape, fake.real_size)
        for frame, real in zip(frames, reals, strict=True)
    ]
    placed = placement.place(fakes, reals, outside, fake.size, fake.real_size)
    small = placement.shrunk(placed.transform, fakes[0], reals[0], fake.size, fake.real_size)
    likeness = [
        placement.similarity(one, other, small, where) for one, other, where in zip(fakes, reals, outside, strict=True)
    ]
    found = Relation(timing, placed)
    if not found.describe() and not _related(fakes, reals, outside):
        # a camera that moves shows another part of the scene at another moment: the place is only about right then
        placed = placement.place(fakes, reals, outside, fake.size, fake.real_size, spread=APART)
        found = Relation(timing, placed, related=bool(placed.describe()))
    return found, float(np.median(likeness))


def _timing(fake: Probed, supply: Supply) -> Timing:
    """Measure the offset, by the neighbours alone where those settle it."""
    frames, count = sorted(fake.pictures), fake.real_count
    fakes, reals = timed(fake.pictures, supply(offsets.near(frames, count)))
    if not reals:
        return Timing(determined=False)
    if offsets.settled(fakes, reals):
        return Timing()
    return offsets.search(*timed(fake.pictures, supply(offsets.window(frames, count))), count)


def timed(fakes: Mapping[int, Grey], reals: Mapping[int, Grey]) -> tuple[dict[int, Grey], dict[int, Grey]]:
    """Shrink pictures of a fake and of its real to the one shape in which `offsets` compares them; by frame."""
    small = {frame: _shrunk(picture, TIMED_SIDE) for frame, picture in reals.items()}
    size = next((picture.shape[::-1] for picture in small.values()), (1, 1))
    return {frame: _resized(fakes[frame], size) for frame in sorted(fakes)}, small


def _shrunk(picture: Grey, side: int) -> Grey:
    scale = side / max(picture.shape)
    if scale >= 1:
        return picture
    return _resized(picture, (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))))


def _resized(picture: Grey, size: Size) -> Grey:
    if picture.shape[::-1] == size:
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def outside_of(boxes: Sequence[Box], shape: tuple[int, ...], size: Size) -> NDArray[np.bool_]:
    """Mark the pixels of a real's picture that no manipulated face reaches.

    Parameters
    ----------
    boxes : sequence of ndarray of shape (4,)
        Faces, in pixels of the whole frame: left, top, right, bottom.
    shape : tuple of int
        Height and width of the picture.
    size : tuple of int
        Width and height of the whole frame.

    Returns
    -------
    ndarray of shape (height, width), bool
    """
    outside = np.ones(shape, dtype=bool)
    for left, top, right, bottom in boxes:
        across, down = MARGIN * (right - left), MARGIN * (bottom - top)
        x, y = shape[1] / size[0], shape[0] / size[1]
        first, last = (max(0, int(edge)) for edge in ((left - across) * x, (right + across) * x + 1))
        upper, lower = (max(0, int(edge)) for edge in ((top - down) * y, (bottom + down) * y + 1))
        outside[upper:lower, first:last] = False
    return outside


def _related(fakes: Sequence[Grey], reals: Sequence[Grey], outside: Sequence[NDArray[np.bool_]]) -> bool:
    """Tell whether any frame's surroundings correlate; yes where they are too small or too plain to tell."""
    if len(fakes) < placement.LEAST_FRAMES:
        return True
    for fake, real, where in zip(fakes, reals, outside, strict=True):
        ours = placement.structure(_resized(fake, real.shape[::-1]), where)
        plain = min(ours, placement.structure(real, where)) < TEXTURE
        if where.mean() < placement.LEAST_OUTSIDE or plain:
            return True
        if placement.similarity(fake, real, placement.stretch(fake, real), where) >= UNRELATED:
            return True
    return False
