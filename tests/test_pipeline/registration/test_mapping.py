"""Mapping: pictures moved by whole pixels are unchanged, and what a fake's picture does not cover is known."""

import cv2
import numpy as np
import pytest
import skimage.data

from pipeline.registration.mapping import IDENTITY, Followed, in_pixels, in_shares, mapped, square
from pipeline.registration.refining import numbers, refined

REAL = skimage.data.astronaut()[:240, 100:420]
SIZE = (320, 240)
MOVES = {
    "as it is": (REAL, IDENTITY),
    "mirrored": (REAL[:, ::-1], (-1, 0, 1, 0, 1, 0)),
    "upside down": (REAL[::-1, ::-1], (-1, 0, 1, 0, -1, 1)),
    "turned clockwise": (np.rot90(REAL, -1), (0, 1, 0, -1, 0, 1)),
    "turned back": (np.rot90(REAL), (0, -1, 1, 1, 0, 0)),
    "twice the size": (REAL.repeat(2, 0).repeat(2, 1), IDENTITY),
}


@pytest.mark.parametrize(("picture", "transform"), MOVES.values(), ids=MOVES)
def test_what_was_moved_by_whole_pixels_is_moved_back_unchanged(picture, transform):
    np.testing.assert_array_equal(mapped(np.ascontiguousarray(picture), transform, SIZE), REAL)


def test_a_cut_picture_comes_back_where_it_was_and_its_edge_is_repeated():
    cut = REAL[16:224, 24:284]
    back = mapped(cut, (260 / 320, 0, 24 / 320, 0, 208 / 240, 16 / 240), SIZE)
    np.testing.assert_array_equal(back[16:224, 24:284], cut)
    np.testing.assert_array_equal(back[:16, 24:284], np.broadcast_to(cut[0], (16, 260, 3)))


def test_a_picture_between_bars_comes_back_without_them():
    barred = np.zeros_like(REAL)
    barred[20:220] = cv2.resize(REAL, (320, 200), interpolation=cv2.INTER_AREA)
    back = mapped(barred, (1, 0, 0, 0, 1.2, -0.1), SIZE, (0, 20 / 240, 0, 20 / 240))
    assert np.abs(back.astype(int) - REAL).mean() < 3
    assert np.abs(back[:2].astype(int) - REAL[:2]).mean() < 10, "no black of the bars at the rim"


def test_shares_are_pixels_of_any_size():
    rng = np.random.default_rng(0)
    move = np.vstack([rng.normal(size=(2, 3)), [0, 0, 1]])
    shares = in_shares(move, (64, 48), SIZE)
    np.testing.assert_allclose(in_pixels(shares, (64, 48), SIZE), move)
    # the right lower corner, half a pixel beyond the last centre
    corner = move @ (63.5, 47.5, 1)
    np.testing.assert_allclose((shares @ (1, 1, 1))[:2] * SIZE, corner[:2] + 0.5)


@pytest.mark.parametrize(
    ("box", "covered"),
    [((40, 30, 100, 100), True), ((24, 16, 284, 224), True), ((10, 30, 100, 100), False), ((40, 30, 300, 100), False),
     ((22, 16, 284, 224), True), ((40, -50, 100, 100), False)],
)  # fmt: skip
def test_it_is_known_what_a_cut_picture_covers(box, covered):
    cut = Followed((260, 208), transform=(260 / 320, 0, 24 / 320, 0, 208 / 240, 16 / 240))
    assert cut.reaches(np.array(box, np.float32), SIZE) == covered


def test_a_box_that_leaves_the_real_frame_itself_is_covered():
    assert Followed(SIZE, offset=3).reaches(np.array([-20, -9, 400, 300], np.float32), SIZE)


def test_what_lies_under_bars_is_not_covered():
    barred = Followed(SIZE, bars=(0, 0.1, 0, 0))
    assert not barred.reaches(np.array([10, 10, 100, 100], np.float32), SIZE)
    assert barred.reaches(np.array([10, 24, 100, 100], np.float32), SIZE)


@pytest.mark.parametrize(("picture", "transform"), list(MOVES.values())[:5], ids=list(MOVES)[:5])
def test_a_transform_that_is_nearly_exact_becomes_exact(picture, transform):
    rng = np.random.default_rng(1)
    near = square(transform)
    near[:2] += rng.normal(0, 0.001, (2, 3))
    assert refined(*_noisy(picture, rng), numbers(near)) == pytest.approx(transform, abs=1e-9)


def test_a_crop_is_found_to_the_pixel_also_when_it_was_scaled():
    rng = np.random.default_rng(2)
    whole = (260 / 320, 0, 24 / 320, 0, 208 / 240, 16 / 240)
    near = square(whole)
    near[:2] += rng.normal(0, 0.001, (2, 3))
    for picture in (REAL[16:224, 24:284], cv2.resize(REAL[16:224, 24:284], SIZE, interpolation=cv2.INTER_CUBIC)):
        assert refined(*_noisy(picture, rng), numbers(near)) == pytest.approx(whole, abs=1e-9)


def _noisy(picture, rng):
    """Return grey frames of a fake and its real, with another face in the middle and noise, and what is around it."""
    fake, real = (cv2.cvtColor(np.ascontiguousarray(each), cv2.COLOR_RGB2GRAY) for each in (picture, REAL))
    outside = np.ones(real.shape, bool)
    outside[80:160, 120:200] = False
    fakes = []
    for _ in range(3):
        other = fake.copy()
        other[90:150, 130:190] = 128  # within the face, however it was moved
        fakes.append(np.clip(other + rng.integers(-2, 3, other.shape), 0, 255).astype(np.uint8))
    return fakes, [real] * 3, [outside] * 3
