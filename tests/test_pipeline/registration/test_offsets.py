"""Relations in time: their inverse, one after the other, and the very frame of a drop."""

from fractions import Fraction

import numpy as np
import pytest

from pipeline.registration.mapping import timing_of
from pipeline.registration.offsets import Timing, beside, reachable, refined

COUNT = 40
TIMINGS = [
    Timing(),
    Timing(Fraction(3)),
    Timing(Fraction(-7)),
    Timing(rate=Fraction(2)),
    Timing(Fraction(1), Fraction(2)),
    Timing(Fraction(2, 5), Fraction(4, 5)),
    Timing(Fraction(3, 4), Fraction(5, 4)),
    Timing(Fraction(1, 2), Fraction(1, 2)),
    Timing(Fraction(COUNT - 1), Fraction(-1)),
    Timing(Fraction(1), since=9),
    Timing(Fraction(-1), since=9),
]


@pytest.mark.parametrize("timing", TIMINGS, ids=lambda timing: timing.describe() or "as it is")
def test_the_frame_that_shows_another_is_the_first_that_does(timing):
    shown = [timing.at(frame) for frame in range(COUNT)]
    for frame in range(COUNT):
        own = timing.shown_by(frame)
        if frame in shown:
            assert own == shown.index(frame)
        else:
            assert own is None or not 0 <= own < COUNT


@pytest.mark.parametrize("timing", TIMINGS, ids=lambda timing: timing.describe() or "as it is")
def test_a_store_holds_it_exactly(timing):
    assert timing_of((float(timing.offset), float(timing.rate), float(timing.since))) == timing


@pytest.mark.parametrize("first", TIMINGS[:9], ids=lambda timing: timing.describe() or "as it is")
@pytest.mark.parametrize("later", TIMINGS[:9], ids=lambda timing: timing.describe() or "as it is")
def test_one_after_the_other_is_one_relation_or_none(first, later):
    whole = first.then(later)
    if whole is None:
        assert first.rate != 1
        assert later.rate != 1
        return
    assert [whole.at(frame) for frame in range(COUNT)] == [later.at(first.at(frame)) for frame in range(COUNT)]


@pytest.mark.parametrize(
    ("true", "found"),
    [
        (Timing(Fraction(1), since=13), Timing(Fraction(1), since=16)),
        (Timing(Fraction(2, 5), Fraction(4, 5)), Timing(Fraction(0), Fraction(4, 5))),
        (Timing(Fraction(1, 4), Fraction(5, 4)), Timing(Fraction(3, 4), Fraction(5, 4))),
    ],
    ids=["dropped", "24 to 30", "30 to 24"],
)
def test_the_very_frames_are_found(true, found):
    rng = np.random.default_rng(3)
    film = rng.integers(0, 256, (60, 20, 30), dtype=np.uint8)
    some = beside(found, range(4, COUNT, 4), COUNT)
    fakes = {frame: np.clip(film[true.at(frame)] + rng.integers(-3, 4, film[0].shape), 0, 255).astype(np.uint8)
             for frame in some}  # fmt: skip
    reals = {frame: film[frame] for frame in reachable(found, some, 60)}
    assert refined(found, fakes, reals) == true


def test_where_nothing_moves_it_stays():
    still = dict.fromkeys(range(60), np.full((20, 30), 90, np.uint8))
    found = Timing(Fraction(1), since=16)
    assert refined(found, {frame: still[0] for frame in beside(found, [12, 16], COUNT)}, still) == found
