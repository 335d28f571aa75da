"""A fake's relation to its real from the two files, and with `registration = follow` the fake that is read by it.

A relation is found in steps: what is undone first (a mirror, say) shows what else there is (that it is late as well).
At the end the fake, read as found, must be the identity: nothing is followed that does not lead there.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from pipeline.crop.alignment import thumbnail
from pipeline.crop.reading import Context, Reader, numbered
from pipeline.crop.staging import Reject, Source
from pipeline.registration import offsets, refining
from pipeline.registration.mapping import IDENTITY, NO_BARS, Followed, in_pixels, in_shares, square
from pipeline.registration.offsets import Timing
from pipeline.registration.placement import Grey, Placement
from pipeline.registration.relation import Box, Probed, Relation, outside_of, probes, register, timed

STEPS = 4  # relations undone one after the other
REFINED = 6  # frames that are compared as a whole
BESIDE = 0.02  # of a side: how far from a bar's measured edge its picture may end

Boxes = Mapping[int, Sequence[Box]]  # of the faces of the real, by sampled frame
Followable = tuple[tuple[Source, ...], tuple[Reject, ...]]


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """Thumbnails of one file, each frame read once."""

    context: Context
    source: Source
    known: dict[int, Grey] = field(default_factory=dict)
    tried: set[int] = field(default_factory=set)

    def __call__(self, wanted: Sequence[int]) -> Mapping[int, Grey]:
        """Return thumbnails of some frames, given in increasing order, as far as they decode."""
        missing = [frame for frame in wanted if frame not in self.known and frame not in self.tried]
        self.tried.update(missing)
        for frame, picture in Reader(self.context, self.source, missing):
            self.known[frame] = thumbnail(picture)
        return {frame: self.known[frame] for frame in wanted if frame in self.known}


@dataclass(frozen=True, eq=False)
class Original:
    """A real video with its faces, as its fakes are compared with it."""

    source: Source
    boxes: Boxes
    thumbnails: Thumbnails

    def around(self, frame: int) -> Sequence[Box]:
        """Return the faces of the sampled frame that is nearest to one frame."""
        return self.boxes[min(self.boxes, key=lambda sampled: abs(sampled - frame))] if self.boxes else ()

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height."""
        return self.source.width, self.source.height


def originals(reals: Iterable[Source], boxes: Boxes, context: Context) -> dict[str, Original]:
    """Return the compressions of a real, whose faces are in `boxes`."""
    return {real.video.compression: Original(real, boxes, Thumbnails(context, real)) for real in reals}


def relation(fake: Source, real: Original, context: Context) -> Relation:
    """Measure the relation of a fake's file, read as it is planned to be, to its real's file."""
    shown = _shown(fake, context)
    chosen = probes(shown)
    pictures = Thumbnails(context, fake)(chosen)
    probed = Probed(pictures, real.around, (fake.width, fake.height), real.size, real.source.frames)
    return register(probed, real.thumbnails) if pictures else Relation()


def follow(fakes: Iterable[Source], reals: Mapping[str, Original], context: Context, rows: int) -> Followable:
    """Find how each file of a fake is read so that it shows its real frame by frame.

    Parameters
    ----------
    fakes : iterable of Source
        Compressions of one fake.
    reals : mapping of str to Original
        By compression.
    context : Context
    rows : int
        That are asked for from each file.

    Returns
    -------
    fakes : tuple of Source
        Those that are true pairs, or were made ones.
    rejects : tuple of Reject
        Files that cannot be followed, and, without rows, what was found in those that are.
    """
    kept: list[Source] = []
    rejects: list[Reject] = []
    for fake in fakes:
        found, told = _followed(fake, reals[fake.video.compression], context)
        if found is None:
            reason = f"it does not show {fake.video.target} frame by frame: {told}"
            rejects.append(Reject(fake.video, -1, "pair", reason, rows))
            continue
        kept.append(found)
        if told:
            rejects.append(Reject(fake.video, -1, "pair", f"followed: {told}", 0))
    return tuple(kept), tuple(rejects)


def _followed(fake: Source, real: Original, context: Context) -> tuple[Source | None, str]:
    """Return the fake as it is to be read, and what was found; None where that does not lead to a true pair."""
    current, first = fake, ""
    for _ in range(STEPS):
        found = _new(current, relation(current, real, context))
        first = first or found.describe()
        if not found.describe():
            break
        undone = _undone(current, found, real, context) if found.related else None
        if undone is None or undone.followed is None:
            return None, first
        # each step is measured the better, the better those before it were undone
        current = dataclasses.replace(undone, followed=_refined(undone, undone.followed, real, context))
    else:
        return None, first
    if current.followed is None:
        return fake, ""
    told = _told(current.followed, real)
    return dataclasses.replace(current, followed=dataclasses.replace(current.followed, told=told)), told


def _new(current: Source, found: Relation) -> Relation:
    """Return what was found without bars that are known: where nothing was moved they are still there."""
    if current.followed is None or not any(current.followed.bars):
        return found
    return dataclasses.replace(found, placement=Placement(found.placement.transform))


def _undone(current: Source, found: Relation, real: Original, context: Context) -> Source | None:
    """Return the fake as read by one more relation: its place first, since times are told by pictures in place."""
    size = (current.width, current.height)
    known = current.followed or Followed(size)
    if not found.placement.describe():
        timing = known.timing.then(_refined_timing(current, found.timing, real, context))
        if timing is None:
            return None
        offset, rate = float(timing.offset), float(timing.rate)
        followed = dataclasses.replace(known, offset=offset, rate=rate, since=timing.since)
        return dataclasses.replace(current, followed=followed)
    bars = known.bars
    if not known.moved:
        bars = tuple(width / side for width, side in zip(found.placement.bars, size * 2, strict=True))
    move = found.placement.transform
    if move is None:
        return dataclasses.replace(current, followed=dataclasses.replace(known, bars=bars))
    whole = refining.numbers(in_shares(move, size, real.size) @ square(known.transform))
    followed = dataclasses.replace(known, transform=whole, bars=bars)
    return dataclasses.replace(current, followed=followed, width=real.size[0], height=real.size[1])


def _refined_timing(current: Source, timing: Timing, real: Original, context: Context) -> Timing:
    """Return a relation in time with the very frames of a drop or a rate."""
    shown = _shown(current, context)
    some = offsets.beside(timing, probes(shown), shown[-1] + 1)
    if not some:
        return timing
    fakes = Thumbnails(context, current)(some)
    reals = real.thumbnails(offsets.reachable(timing, list(fakes), real.source.frames))
    return offsets.refined(timing, *timed(fakes, reals))


def _refined(current: Source, followed: Followed, real: Original, context: Context) -> Followed:
    """Return how a moved fake is read with its transform to a fraction of a pixel, and bars that end where it does."""
    if not followed.moved:
        return followed
    width, height = followed.size
    still = dataclasses.replace(followed, transform=IDENTITY, bars=NO_BARS)
    unmoved = dataclasses.replace(current, width=width, height=height, followed=still)
    both = [frame for frame in _shown(current, context) if frame < real.source.frames]
    some = [both[round(place)] for place in np.linspace(0, len(both) - 1, min(REFINED, len(both)))]
    fakes = {frame: cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for frame, picture in Reader(context, unmoved, some)}
    reals = {frame: cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for frame, picture in Reader(context, real.source, some)}
    frames = sorted(fakes.keys() & reals.keys())
    outside = [outside_of(real.around(frame), reals[frame].shape, real.size) for frame in frames]
    pictures = [np.asarray(fakes[frame], np.uint8) for frame in frames]
    transform = refining.refined(
        pictures, [np.asarray(reals[frame], np.uint8) for frame in frames], outside, followed.transform
    )
    edges = np.linalg.inv(square(transform)) @ np.array([[0, 1], [0, 1], [1, 1]])
    ends = (*edges[:2].min(axis=1), *(1 - edges[:2].max(axis=1)))
    bars = tuple(
        float(end) if bar and abs(end - bar) < BESIDE else bar for end, bar in zip(ends, followed.bars, strict=True)
    )
    return dataclasses.replace(followed, transform=transform, bars=bars)


def _told(followed: Followed, real: Original) -> str:
    """Say in one clause how a fake is read."""
    move = in_pixels(square(followed.transform), followed.size, real.size) if followed.moved else None
    left, top, right, bottom = (
        round(share * side) for share, side in zip(followed.bars, followed.size * 2, strict=True)
    )
    return Relation(followed.timing, Placement(move, (left, top, right, bottom))).describe()


def _shown(fake: Source, context: Context) -> list[int]:
    """Return the frames of its real, in order, that a fake shows as it is planned to be read."""
    own = [int(index) for index in numbered(fake, context).indexes if index >= 0]
    if fake.followed is None:
        return own
    return sorted({shown for index in own if (shown := fake.followed.timing.at(index)) >= 0})
