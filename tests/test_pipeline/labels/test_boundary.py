"""The ring against scikit-image, and its invariants."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.morphology import dilation, erosion

from pipeline.config import Labelling
from pipeline.labels import NO_LABEL
from pipeline.labels.boundary import compute, ring


def rectangle() -> np.ndarray:
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 20:50] = 1
    return mask


@given(
    st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.sampled_from([3, 5, 7, 11]), st.integers(0, 2**32 - 1)
)
@settings(max_examples=100, deadline=None)
def test_ring_is_that_of_scikit_image(height: int, width: int, density: float, kernel: int, seed: int) -> None:
    mask = (np.random.default_rng(seed).random((height, width)) < density).astype(np.uint8)
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (kernel, kernel))
    # mode "ignore": pixels beyond the edge take no part
    expected = dilation(mask, ellipse, mode="ignore") - erosion(mask, ellipse, mode="ignore")
    np.testing.assert_array_equal(ring(mask, kernel), expected)


def test_ring_is_disjoint_from_the_core_and_within_the_dilation() -> None:
    mask = rectangle()
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    boundary = ring(mask, 7)
    assert set(np.unique(boundary)) == {0, 1}
    assert not (boundary & cv2.erode(mask, ellipse)).any()
    assert (boundary <= cv2.dilate(mask, ellipse)).all()
    assert (boundary | cv2.erode(mask, ellipse)).sum() == cv2.dilate(mask, ellipse).sum()


def test_ring_lies_on_both_sides_of_the_edge() -> None:
    boundary = ring(rectangle(), 7)
    np.testing.assert_array_equal(np.flatnonzero(boundary[:, 35]), [13, 14, 15, 16, 17, 18, 45, 46, 47, 48, 49, 50])


@pytest.mark.parametrize("value", [0, 1])
def test_ring_of_nothing_and_of_everything_is_empty(value: int) -> None:
    assert not ring(np.full((30, 30), value, np.uint8), 7).any()


def test_the_edge_of_the_image_is_no_boundary() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[:, :20] = 1
    boundary = ring(mask, 7)
    np.testing.assert_array_equal(np.flatnonzero(boundary[20]), [17, 18, 19, 20, 21, 22])
    np.testing.assert_array_equal(np.flatnonzero(boundary[:, 19]), np.arange(40))


def test_ring_takes_the_share_of_the_image_that_the_design_measured() -> None:
    face = np.zeros((256, 256), np.uint8)
    cv2.ellipse(face, (128, 128), (70, 95), 0, 0, 360, 1, -1)
    shares = [ring(face, kernel).mean() for kernel in (5, 7, 11)]
    assert shares == sorted(shares)
    assert shares[1] == pytest.approx(0.048, abs=0.006)


def test_label_is_the_ring_of_the_hull() -> None:
    np.testing.assert_array_equal(compute(rectangle(), Labelling()), ring(rectangle(), 7))
    np.testing.assert_array_equal(compute(rectangle(), Labelling(boundary_kernel=11)), ring(rectangle(), 11))


def test_what_has_no_hull_has_no_boundary() -> None:
    hull = np.full((30, 30), NO_LABEL, np.uint8)
    assert (compute(hull, Labelling()) == NO_LABEL).all()
