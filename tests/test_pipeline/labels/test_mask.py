"""The label made from the dataset's own masks."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage import data

from pipeline.config import Labelling
from pipeline.labels import mask
from pipeline.labels.mask import compute, fill_contours


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_enclosed_pixels_are_filled_as_by_scipy(height: int, width: int, density: float, seed: int) -> None:
    holes = (np.random.default_rng(seed).random((height, width)) < density).astype(np.uint8)
    np.testing.assert_array_equal(fill_contours(holes), ndimage.binary_fill_holes(holes))


def test_every_outer_contour_is_filled() -> None:
    frame = np.zeros((60, 60), np.uint8)
    for left in (5, 35):
        frame[10:30, left : left + 20] = 255
        frame[15:25, left + 5 : left + 15] = 0
        frame[18:20, left + 8 : left + 10] = 255  # an island in the hole
    label = compute(frame, Labelling())
    expected = np.zeros((60, 60), np.uint8)
    expected[10:30, 5:25] = expected[10:30, 35:55] = 1
    np.testing.assert_array_equal(label, expected)


def test_a_contour_that_the_crop_cuts_open_is_not_filled() -> None:
    frame = np.zeros((20, 20), np.uint8)
    frame[:10, 4] = frame[:10, 12] = frame[9, 4:13] = 255  # a U that opens at the upper edge
    np.testing.assert_array_equal(compute(frame, Labelling()), frame // 255)


@pytest.mark.parametrize(("level", "expected"), [(25, 0), (26, 1), (255, 1), (0, 0)])
def test_a_tenth_of_white_is_the_threshold(level: int, expected: int) -> None:
    frame = np.full((8, 8), level, np.uint8)
    assert (compute(frame, Labelling()) == expected).all()


def test_soft_edges_belong_to_the_mask_down_to_the_threshold() -> None:
    ramp = np.tile(np.arange(0, 256, 5, dtype=np.uint8), (10, 1))
    label = compute(ramp, Labelling())
    np.testing.assert_array_equal(label, (ramp > 25.5).astype(np.uint8))
    assert compute(ramp, Labelling(mask_threshold=0.5)).sum() < label.sum()


def test_an_empty_and_a_full_mask() -> None:
    assert not compute(np.zeros((9, 9), np.uint8), Labelling()).any()
    assert compute(np.full((9, 9), 255, np.uint8), Labelling()).all()


OVAL = cv2.ellipse(np.zeros((64, 64), np.uint8), (32, 32), (14, 20), 0, 0, 360, 1, cv2.FILLED)


def drawn(inside, outside=(0, 0, 0)):
    """Return a mask in two colours."""
    return np.where(OVAL[..., None] == 1, np.uint8(inside), np.uint8(outside))


@pytest.mark.parametrize(
    ("frame", "exact", "inverted"),
    [
        (drawn((255, 255, 255)), False, False),
        (drawn((1, 1, 1)), True, False),
        (drawn((7, 7, 7)), True, False),
        (drawn((0, 0, 0), (255, 255, 255)), False, True),
        (drawn((0, 0, 0), (1, 1, 1)), True, True),
        (drawn((0, 0, 128)), True, False),
        (drawn((0, 0, 128)), False, False),
        (drawn((255, 0, 0), (0, 0, 255)), True, False),
        (drawn((200, 30, 30), (255, 255, 255)), True, False),
    ],
)
def test_a_mask_is_read_for_what_it_holds(frame, exact, inverted):
    assert mask.unreadable(frame, exact) == ""
    np.testing.assert_array_equal(mask.levels(frame, exact, inverted) > 25, OVAL == 1)


def test_grey_levels_are_taken_as_they_are():
    grey = np.repeat(np.linspace(0, 255, 4096).reshape(64, 64, 1), 3, axis=2).astype(np.uint8)
    for exact in (True, False):
        np.testing.assert_array_equal(mask.levels(grey, exact), grey[..., 0])
        np.testing.assert_array_equal(mask.levels(np.minimum(grey, 2), exact), np.minimum(grey[..., 0], 2))


def test_a_photograph_and_numbers_of_regions_are_no_mask():
    assert "many colours" in mask.unreadable(data.astronaut())
    regions = (OVAL + np.roll(OVAL, 20, axis=0) * 3)[..., None].repeat(3, axis=2)
    assert "dark (up to 4 of 255)" in mask.unreadable(regions, exact=True)
    assert mask.unreadable(regions) == "", "noise of a video's black"
