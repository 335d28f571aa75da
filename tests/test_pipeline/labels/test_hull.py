"""The convex hull against scikit-image, and the difference it is drawn around."""

import warnings

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from skimage import data
from skimage.morphology import convex_hull_image

from pipeline.config import Labelling
from pipeline.labels.hull import compute, convex_hull, difference_mask

FACE = data.astronaut()[0:256, 96:352]


def reference(mask: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():  # scikit-image warns about an empty mask
        warnings.filterwarnings("ignore", message="Input image is entirely zero")
        return convex_hull_image(mask).astype(np.uint8)


def mask_of(height: int, width: int, count: int, seed: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    rng = np.random.default_rng(seed)
    mask[rng.integers(0, height, count), rng.integers(0, width, count)] = 1
    return mask


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 60), st.integers(0, 2**32 - 1))
@example(1, 1, 0, 0)
@example(1, 1, 1, 0)
@example(1, 50, 2, 0)  # one row
@example(50, 1, 2, 0)  # one column
@settings(max_examples=300, deadline=None)
def test_hull_is_that_of_scikit_image_on_any_points(height: int, width: int, count: int, seed: int) -> None:
    mask = mask_of(height, width, count, seed)
    np.testing.assert_array_equal(convex_hull(mask), reference(mask))


@given(st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=6))
@settings(max_examples=300, deadline=None)
def test_hull_is_that_of_scikit_image_on_few_points(points: list[tuple[int, int]]) -> None:
    mask = np.zeros((40, 40), np.uint8)
    for row, column in points:
        mask[row, column] = 1
    np.testing.assert_array_equal(convex_hull(mask), reference(mask))


@pytest.mark.parametrize("seed", range(4))
def test_hull_is_that_of_scikit_image_on_whole_crops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    disc = np.zeros((256, 300), np.uint8)
    cv2.ellipse(disc, (140, 120), (70, 95), int(rng.integers(180)), 0, 360, 1, -1)
    for mask in (disc, disc & (rng.random(disc.shape) < 0.3), (rng.random(disc.shape) < 1e-4).astype(np.uint8)):
        np.testing.assert_array_equal(convex_hull(mask), reference(mask))


@pytest.mark.parametrize("shape", [(1, 1), (7, 30), (64, 64)])
def test_hulls_of_nothing_and_of_everything(shape: tuple[int, int]) -> None:
    assert not convex_hull(np.zeros(shape, np.uint8)).any()
    assert convex_hull(np.ones(shape, np.uint8)).all()


def test_hull_of_a_pixel_and_of_straight_lines_is_themselves() -> None:
    for rows, columns in [((5, 6), (8, 9)), ((5, 6), (2, 30)), ((2, 30), (9, 10))]:
        mask = np.zeros((40, 40), np.uint8)
        mask[slice(*rows), slice(*columns)] = 1
        np.testing.assert_array_equal(convex_hull(mask), mask)


@given(st.integers(2, 50), st.integers(2, 50), st.integers(1, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_hull_contains_its_mask_and_turns_with_it(height: int, width: int, count: int, seed: int) -> None:
    mask = mask_of(height, width, count, seed)
    hull = convex_hull(mask)
    assert (hull >= mask).all()
    np.testing.assert_array_equal(convex_hull(np.ascontiguousarray(np.rot90(mask))), np.rot90(hull))
    np.testing.assert_array_equal(convex_hull(np.ascontiguousarray(mask[:, ::-1])), hull[:, ::-1])


def test_hull_of_a_rectangle_is_the_rectangle() -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[10:40, 20:70] = 1
    np.testing.assert_array_equal(convex_hull(mask), mask)
    mask[20:30, 30:50] = 0  # a hole, and a notch, are within the hull
    mask[35:40, 60:65] = 0
    np.testing.assert_array_equal(convex_hull(mask), convex_hull(convex_hull(mask)))
    assert convex_hull(mask).sum() == 30 * 50


def changed(rectangles: list[tuple[int, int, int, int, int]]) -> np.ndarray:
    fake = np.clip(FACE, 0, 200).astype(np.uint8)
    for top, bottom, left, right, step in rectangles:
        fake[top:bottom, left:right, 1] += np.uint8(step)
    return fake


REAL = np.clip(FACE, 0, 200).astype(np.uint8)


@pytest.mark.parametrize(("step", "found"), [(5, False), (6, True), (40, True)])
def test_the_largest_difference_over_the_channels_must_exceed_gamma(step: int, found: bool) -> None:
    expected = np.zeros((256, 256), np.uint8)
    if found:
        expected[100:150, 60:160] = 1
    fake = changed([(100, 150, 60, 160, step)])
    np.testing.assert_array_equal(difference_mask(fake, REAL, Labelling()), expected)
    np.testing.assert_array_equal(difference_mask(REAL, fake, Labelling()), expected)
    np.testing.assert_array_equal(compute(fake, REAL, Labelling()), expected)


def test_gamma_follows_the_level() -> None:
    fake = changed([(100, 150, 60, 160, 8)])
    assert difference_mask(fake, REAL, Labelling(), "c23").any()
    assert not difference_mask(fake, REAL, Labelling(), "c40").any()


def test_outliers_go_and_only_the_largest_part_stays() -> None:
    face = (60, 180, 70, 190, 30)
    fake = changed([face, (2, 3, 2, 3, 30), (250, 252, 5, 200, 30), (10, 30, 10, 30, 30)])
    only = changed([face])
    np.testing.assert_array_equal(compute(fake, REAL, Labelling()), compute(only, REAL, Labelling()))
    assert compute(fake, REAL, Labelling()).sum() == 120 * 120


def test_parts_close_to_each_other_are_one_face() -> None:
    near = changed([(60, 120, 70, 190, 30), (126, 180, 70, 190, 30)])
    far = changed([(60, 120, 70, 190, 30), (128, 180, 70, 190, 30)])
    assert compute(near, REAL, Labelling()).sum() == 120 * 120
    assert compute(far, REAL, Labelling()).sum() == 60 * 120


def test_no_difference_gives_an_empty_hull() -> None:
    assert not compute(FACE, FACE, Labelling()).any()


def test_hull_of_a_noisy_change_is_nearly_that_of_the_change() -> None:
    rng = np.random.default_rng(4)
    ellipse = np.zeros((256, 256), np.uint8)
    cv2.ellipse(ellipse, (130, 128), (60, 85), 0, 0, 360, 1, -1)
    swapped = np.where(ellipse[..., None] == 1, cv2.GaussianBlur(FACE, (0, 0), 4) + 12.0, FACE)
    fake = np.clip(swapped + rng.integers(-3, 4, FACE.shape), 0, 255).astype(np.uint8)
    hull = compute(fake, FACE, Labelling())
    assert (hull & ellipse).sum() / (hull | ellipse).sum() >= 0.95
