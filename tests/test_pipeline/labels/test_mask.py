"""The label made from the dataset's own masks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.config import Labelling
from pipeline.labels.mask import compute, fill_contours


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_enclosed_pixels_are_filled_as_by_scipy(height: int, width: int, density: float, seed: int) -> None:
    mask = (np.random.default_rng(seed).random((height, width)) < density).astype(np.uint8)
    np.testing.assert_array_equal(fill_contours(mask), ndimage.binary_fill_holes(mask))


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
