"""Offset in time between a fake and its real: which frame of the real each probed frame of the fake shows.

What decides is the difference of small grey pictures where the real moves. Differences are capped, so that the
manipulated face, however different, weighs little. An offset is believed where nearly all probed frames prefer it.
Single frames mislead (people repeat their poses), frames from all over a video do not do so together.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

CAP = 20.0  # grey levels; what differs by more is a manipulated face or another scene, and counts no further
MOVES = 6  # grey levels between two frames from which a pixel moves: above the flicker of c40
LEAST_MOVING = 0.003  # share of the picture: with less there is nothing to tell frames by
MARGIN = 0.02  # of the difference; the true offset of a true pair at c40 wins by 3 % or more
LEAST_PROBES = 4  # that must tell two relations apart
DISSENT = 0.1  # share of them that may disagree: at c40, one frame in twelve looks more like its neighbour
NEAR = 3  # frames looked at on either side of a probed one before the whole window is read
FAR = 30  # frames on either side in the whole window
RATES = tuple(Fraction(*pair) for pair in ((2, 1), (1, 2), (5, 4), (4, 5), (6, 5), (5, 6)))

Grey = NDArray[np.uint8]
Cost = Callable[[int, int], float | None]  # difference of a fake's and a real's frame; None where the real has none


@dataclass(frozen=True)
class Timing:
    """Frame i of the fake shows frame floor(`rate` i + `offset`) of the real, from frame `since` on."""

    offset: Fraction = Fraction(0)  # whole, or with the rate's denominator: which frame of each few is left out
    rate: Fraction = Fraction(1)
    since: int = 0  # frame from which this holds; the identity before it, as where a frame was dropped
    determined: bool = True  # False: too little moves to tell the frames apart

    def at(self, frame: int) -> int:
        """Return the real's frame that one frame of the fake shows."""
        return frame if self.since > frame >= 0 else math.floor(self.rate * frame + self.offset)

    def shown_by(self, frame: int) -> int | None:
        """Return the first of the fake's frames that shows one frame of the real; None where none does.

        >>> half, slower = Timing(rate=Fraction(2)), Timing(rate=Fraction(4, 5))
        >>> half.shown_by(6), half.shown_by(7), slower.shown_by(3)
        (3, None, 4)
        """
        if frame < self.since:
            return frame
        first = (frame - self.offset) / self.rate if self.rate > 0 else self.offset - frame
        own = max(math.ceil(first), self.since)
        return own if self.at(own) == frame else None

    def then(self, later: "Timing") -> "Timing | None":
        """Return the relation of which `later` is the rest, found when this one was undone; None if it is no Timing."""
        if not later.moves:
            return self
        if not self.moves:
            return later
        if self.since or later.since:
            return None
        if self.rate == 1:
            return Timing(later.rate * self.offset + later.offset, later.rate)
        return Timing(self.offset + later.offset, self.rate) if later.rate == 1 else None

    @property
    def moves(self) -> bool:
        """Tell whether this is known to be another relation than the identity."""
        return self.determined and (self.offset != 0 or self.rate != 1)

    def describe(self) -> str:
        """Return the relation as a clause about the fake, such as `shows frame i + 3`; empty for the identity."""
        if not self.moves:
            return ""
        if self.rate == -1:
            return "plays backwards"
        factor = "" if self.rate == 1 else f"{self.rate} "
        shift = f" {'+' if self.offset > 0 else '-'} {abs(self.offset)}" if self.offset else ""
        # the drop lies between two probed frames: this is the first one that is seen to be late
        since = f" from about frame {self.since} on" if self.since else ""
        return f"shows frame {factor}i{shift}{since}"


def near(probes: Sequence[int], count: int) -> list[int]:
    """Return the real's frames that `settled` needs: the probed ones and their neighbours, below `count`."""
    return sorted({frame + lag for frame in probes for lag in range(-NEAR, NEAR + 1) if 0 <= frame + lag < count})


def window(probes: Sequence[int], count: int) -> list[int]:
    """Return the real's frames that `search` needs; the real has `count`."""
    timings = _candidates(count)
    return sorted({shown for frame in probes for timing in timings if 0 <= (shown := timing.at(frame)) < count})


def settled(fakes: Mapping[int, Grey], reals: Mapping[int, Grey]) -> bool:
    """Tell whether the neighbours alone show that each frame of the fake is its real's frame of the same index.

    Parameters
    ----------
    fakes, reals : mapping of int to ndarray of shape (h, w), uint8
        Probed frames of the fake, and those frames of the real with their neighbours, as grey pictures of one shape.

    Returns
    -------
    bool
        At least four probed frames move, and in each the difference is smallest at offset 0.
    """
    judged = 0
    for frame, picture in fakes.items():
        shown = {lag: reals[frame + lag] for lag in range(-NEAR, NEAR + 1) if frame + lag in reals}
        if 0 not in shown or len(shown) < 3 or not (moving := _moving(list(shown.values()))).any():
            continue
        costs = {lag: _difference(picture, real, moving) for lag, real in shown.items()}
        if min(costs, key=lambda lag: costs[lag]) != 0:
            return False
        judged += 1
    return judged >= min(LEAST_PROBES, len(fakes)) > 1


def search(fakes: Mapping[int, Grey], reals: Mapping[int, Grey], count: int) -> Timing:
    """Search offsets up to 30 frames, the usual conversions of frame rates, dropped frames, and playing backwards.

    Parameters
    ----------
    fakes, reals : mapping of int to ndarray of shape (h, w), uint8
        Probed frames of the fake, and the real's frames from `window`, as grey pictures of one shape.
    count : int
        Frames of the real.

    Returns
    -------
    Timing
        Another relation than the identity only where it has the smaller difference in nine of ten probed frames
        that tell the two apart, in at least four, and by 2 % on the whole (4 % where frames were dropped).
    """
    moving = _moving(list(reals.values()))
    if not moving.any():
        return Timing(determined=False)
    cost = _remembered(fakes, reals, moving)
    found = _best(_candidates(count), list(fakes), cost, MARGIN)
    if found == Timing():
        return _best(_dropped(sorted(fakes)), list(fakes), cost, 2 * MARGIN)
    return found


def beside(timing: Timing, probes: Sequence[int], count: int) -> list[int]:
    """Return the frames of a fake, of `count`, that `refined` needs: near the drop, or a few after each probe."""
    if timing.since:
        before = max((frame for frame in probes if frame < timing.since), default=0)
        return list(range(before, min(timing.since + 1, count)))
    if timing.rate.denominator == 1:
        return []
    few = 2 * timing.rate.denominator
    return sorted({frame + more for frame in probes for more in range(few) if frame + more < count})


def refined(timing: Timing, fakes: Mapping[int, Grey], reals: Mapping[int, Grey]) -> Timing:
    """Find the very frame from which a fake is late, or which frames of a rate it leaves out or shows twice.

    Parameters
    ----------
    timing : Timing
        From `search`.
    fakes, reals : mapping of int to ndarray of shape (h, w), uint8
        The fake's frames from `beside` and the real's that any of them may show, as grey pictures of one shape.

    Returns
    -------
    Timing
        With the smallest difference over all those frames.
    """
    if timing.since:
        candidates = [Timing(timing.offset, since=since) for since in list(fakes)[1:]]
    else:
        parts = timing.rate.denominator
        shifts = sorted((Fraction(part, parts) for part in range(-parts, parts + 1)), key=abs)
        candidates = [Timing(timing.offset + shift, timing.rate) for shift in shifts]
    moving = _moving(list(reals.values())) if reals else np.zeros(0, np.bool_)
    if not moving.any() or not candidates:
        return timing
    cost = _remembered(fakes, reals, moving)
    usable = [frame for frame in fakes if all(each.at(frame) in reals for each in candidates)]
    return min(candidates, key=lambda each: sum(cost(frame, each.at(frame)) or 0.0 for frame in usable))


def reachable(timing: Timing, frames: Sequence[int], count: int) -> list[int]:
    """Return the real's frames, below `count`, that `refined` may compare with some frames of a fake."""
    shown = {timing.at(frame) + lag for frame in frames for lag in range(-2, 3)} | set(frames)
    return sorted(frame for frame in shown if 0 <= frame < count)


def _best(candidates: Sequence[Timing], frames: Sequence[int], cost: Cost, margin: float) -> Timing:
    """Return the candidate that nearly every frame prefers to the identity; the better one where there are several."""
    best, least = Timing(), 1.0
    for timing in candidates:
        pairs = [(cost(frame, timing.at(frame)), cost(frame, frame)) for frame in frames]
        known = [(other, same) for other, same in pairs if other is not None and same is not None]
        told = [(other, same) for other, same in known if other != same]  # a rate agrees with the identity at first
        against = sum(other > same for other, same in told)
        if len(told) < LEAST_PROBES or 2 * len(known) < len(frames) or against > DISSENT * len(told):
            continue
        if timing.since and not _kept_before(timing, frames, cost):
            continue
        ratio = sum(other for other, _ in told) / sum(same for _, same in told)
        if best == Timing() or _closer(timing, best, frames, cost):
            best, least = timing, ratio
    if best == Timing() or least < 1 - margin:
        return best
    return Timing(determined=False)


def _closer(one: Timing, other: Timing, frames: Sequence[int], cost: Cost) -> bool:
    """Compare two candidates in the frames that both have."""
    pairs = [(cost(frame, one.at(frame)), cost(frame, other.at(frame))) for frame in frames]
    return sum(a - b for a, b in pairs if a is not None and b is not None) < 0


def _kept_before(timing: Timing, frames: Sequence[int], cost: Cost) -> bool:
    """Tell whether the frames before a drop prefer the identity to what holds after it."""
    for frame in frames:
        late, same = cost(frame, frame + int(timing.offset)), cost(frame, frame)
        if frame < timing.since and late is not None and same is not None and late <= same:
            return False
    return True


def _candidates(count: int) -> list[Timing]:
    whole = [Timing(Fraction(offset)) for offset in range(-FAR, FAR + 1)]
    rates = [Timing(offset, rate) for rate in RATES for offset in _phases(rate)]
    return whole + rates + [Timing(Fraction(count - 1 + offset), Fraction(-1)) for offset in range(-NEAR, NEAR + 1)]


def _phases(rate: Fraction) -> list[Fraction]:
    parts = rate.denominator
    return [Fraction(part, parts) for part in range(-NEAR * parts, NEAR * parts + 1)]


def _dropped(frames: Sequence[int]) -> list[Timing]:
    offsets = [Fraction(offset) for offset in range(-NEAR, NEAR + 1) if offset]
    return [Timing(offset, since=since) for since in frames[1 : 1 - LEAST_PROBES] for offset in offsets]


def _moving(pictures: Sequence[Grey]) -> NDArray[np.bool_]:
    """Mark the pixels that move; none where so few do that they tell nothing."""
    stack = np.stack(pictures)
    moving = (stack.max(axis=0) - stack.min(axis=0)) >= MOVES
    return moving if moving.mean() >= LEAST_MOVING else np.zeros_like(moving)


def _difference(fake: Grey, real: Grey, where: NDArray[np.bool_]) -> float:
    """Return the mean capped difference, without what brightness as a whole differs by."""
    apart = fake[where].astype(np.float32) - real[where]
    return float(np.minimum(np.abs(apart - np.median(apart)), CAP).mean())


def _remembered(fakes: Mapping[int, Grey], reals: Mapping[int, Grey], moving: NDArray[np.bool_]) -> Cost:
    known: dict[tuple[int, int], float] = {}

    def cost(frame: int, shown: int) -> float | None:
        if shown not in reals:
            return None
        if (frame, shown) not in known:
            known[frame, shown] = _difference(fakes[frame], reals[shown], moving)
        return known[frame, shown]

    return cost
