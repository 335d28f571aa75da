"""SSIM map against scikit-image, and the label made from it."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import REAL_DATA, needs_real_data
from scipy import ndimage
from skimage import data
from skimage.metrics import structural_similarity

from pipeline.config import Labelling, Levels
from pipeline.labels.ssim import compute, fill_holes, gray, ssim_map

FFPP = REAL_DATA / "pairs" / "ffpp_readme"
FACE = data.astronaut()[0:256, 96:352]


def noisy(image: np.ndarray, spread: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(image + rng.integers(-spread, spread + 1, image.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("spread", [0, 2, 40, 255])
@pytest.mark.parametrize("window", [3, 5, 7, 11])
def test_map_is_that_of_scikit_image_in_every_channel(window: int, spread: int) -> None:
    x, y = FACE, noisy(FACE, spread, 1)
    expected = structural_similarity(x, y, win_size=window, data_range=255, channel_axis=2, full=True)[1]
    np.testing.assert_allclose(ssim_map(x, y, window), expected, rtol=0, atol=1e-9)


@given(st.integers(5, 40), st.integers(5, 40), st.sampled_from(["noise", "flat", "steps"]), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_map_is_that_of_scikit_image_at_any_size(height: int, width: int, content: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    low, high = {"noise": (0, 256), "flat": (250, 256), "steps": (0, 2)}[content]
    x, y = (rng.integers(low, high, (2, height, width)) * (255 if content == "steps" else 1)).astype(np.uint8)
    expected = structural_similarity(x, y, win_size=5, data_range=255, full=True)[1]
    np.testing.assert_allclose(ssim_map(x, y), expected, rtol=0, atol=1e-9)


def test_sums_fit_their_integers_at_the_widest_window_and_the_brightest_image() -> None:
    x = np.full((16, 16), 255, np.uint8)
    y = x.copy()
    y[::2] = 0
    expected = structural_similarity(x, y, win_size=11, data_range=255, full=True)[1]
    np.testing.assert_allclose(ssim_map(x, y, 11), expected, rtol=0, atol=1e-9)


def test_map_of_equal_images_is_one_and_it_is_symmetric() -> None:
    other = noisy(FACE, 30, 3)
    assert (ssim_map(FACE, FACE) == 1).all()
    np.testing.assert_array_equal(ssim_map(FACE, other), ssim_map(other, FACE))


@pytest.mark.parametrize("window", [4, 1, 13])
def test_a_window_that_does_not_fit_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match=f"window of {window} pixels"):
        ssim_map(FACE, FACE, window)


def test_images_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        ssim_map(FACE, FACE[1:])
    with pytest.raises(ValueError, match="8-bit"):
        ssim_map(FACE.astype(np.float32), FACE.astype(np.float32))


@pytest.mark.parametrize("level", ["raw", "c23", "c40"])
def test_an_image_does_not_differ_from_itself(level: str) -> None:
    assert not compute(FACE, FACE, Labelling(), level).any()


@pytest.mark.parametrize("tone", [30, 128, 220])
def test_one_inverted_pixel_marks_its_whole_window(tone: int) -> None:
    real = np.full((64, 64, 3), tone, np.uint8)
    fake = real.copy()
    fake[20, 40] = 255 - tone if tone != 128 else 0
    expected = np.zeros((64, 64), np.uint8)
    expected[18:23, 38:43] = 1
    np.testing.assert_array_equal(compute(fake, real, Labelling()), expected)


def test_negative_ssim_is_a_difference_and_not_wrapped_around() -> None:
    real = np.indices((64, 64)).sum(axis=0) % 2 * np.uint8(255)
    real = np.repeat(real[..., None], 3, axis=2).astype(np.uint8)
    assert ssim_map(gray(255 - real), gray(real)).max() < -0.9
    assert compute(255 - real, real, Labelling()).all()


def test_threshold_of_the_level_decides() -> None:
    fake = noisy(FACE, 3, 5)
    settings = Labelling(ssim_threshold=Levels(1, 20, 120), ssim_close=1, ssim_hole=0)
    counts = [int(compute(fake, FACE, settings, level).sum()) for level in ("raw", "c23", "c40")]
    assert counts[0] > counts[1] > counts[2]
    difference = np.clip((1 - ssim_map(gray(fake), gray(FACE))) * 255, 0, 255).astype(np.uint8)
    assert counts == [int((difference > threshold).sum()) for threshold in (1, 20, 120)]


@given(st.integers(1, 30), st.integers(1, 30), st.floats(0.01, 1), st.integers(0, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=80, deadline=None)
def test_holes_below_the_area_are_filled_and_nothing_else(
    height: int, width: int, density: float, area: int, seed: int
) -> None:
    mask = (np.random.default_rng(seed).random((height, width)) < density).astype(np.uint8)
    expected = mask.copy()
    regions, count = ndimage.label(mask == 0)  # 4-connected
    for region in range(1, count + 1):
        if (regions == region).sum() < area:
            expected[regions == region] = 1
    np.testing.assert_array_equal(fill_holes(mask, area), expected if mask.any() else mask)


def test_holes_of_exactly_the_area_stay() -> None:
    mask = np.ones((40, 40), np.uint8)
    mask[5:13, 5:13] = 0  # 64 pixels
    mask[20:29, 20:27] = 0  # 63
    filled = fill_holes(mask, 64)
    assert not filled[5:13, 5:13].any()
    assert filled[20:29, 20:27].all()


@needs_real_data
@pytest.mark.parametrize("size", [None, 256])
def test_label_lies_in_the_official_mask_of_a_real_deepfake(size: int | None) -> None:
    left, top, side = 257, 37, 172  # 1.3 times the face as MTCNN finds it
    fake, real, mask = (
        cv2.cvtColor(cv2.imread(str(FFPP / f"{name}.png")), cv2.COLOR_BGR2RGB)[top : top + side, left : left + side]
        for name in ("ex_deepfakes", "ex_original", "ex_deepfakes_mask")
    )
    if size:
        fake, real, mask = (
            cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR) for image in (fake, real, mask)
        )
    label = compute(fake, real, Labelling())
    official = cv2.dilate((mask.max(axis=2) > 25).astype(np.uint8), np.ones((7, 7), np.uint8))
    assert label.sum() > 0.2 * official.sum()
    assert official[label == 1].mean() >= 0.9  # 1.0 when written
