"""The Mihcak residual against a plain transcription of its formula, and its invariants."""

import warnings

import numpy as np
import pytest
import pywt
from scipy import ndimage
from skimage import data

from pipeline.config import Labelling, Levels
from pipeline.labels.noise import STEP, UNWRITTEN_NOISE, compute, noise_residual

FACE = data.astronaut()[0:256, 96:352]
GRAY = (0.29893602, 0.58704307, 0.11402090)


def detail_coefficients(channel: np.ndarray) -> list:
    with warnings.catch_warnings():  # small images are all boundary at level 4: meant
        warnings.filterwarnings("ignore", message="Level value of 4 is too high")
        return pywt.wavedec2(channel.astype(np.float64), "db4", mode="symmetric", level=4)


def transcription(image: np.ndarray, sigma: float) -> np.ndarray:
    """Compute the residual from the formula, in float64 and channel by channel, with nothing rearranged."""
    result = np.zeros(image.shape[:2])
    for channel, weight in enumerate(GRAY):
        approximation, *levels = detail_coefficients(image[..., channel])
        filtered: list = [np.zeros_like(approximation)]
        for bands in levels:
            noise = []
            for band in bands:
                estimates = [
                    np.maximum(0, ndimage.uniform_filter(band**2, window, mode="constant") - sigma**2)
                    for window in (3, 5, 7, 9)
                ]
                noise.append(band * sigma**2 / (np.min(estimates, axis=0) + sigma**2))
            filtered.append(tuple(noise))
        residual = pywt.waverec2(filtered, "db4", mode="symmetric")
        result += weight * residual[: image.shape[0], : image.shape[1]]
    return result


def crop(height: int, width: int) -> np.ndarray:
    return data.astronaut()[20 : 20 + height, 130 : 130 + width]


@pytest.mark.parametrize("sigma", [1.0, 5.0, 10.0])
@pytest.mark.parametrize("shape", [(256, 256), (224, 224), (299, 299), (255, 256), (131, 77), (33, 32), (300, 45)])
def test_residual_is_that_of_the_formula(shape: tuple[int, int], sigma: float) -> None:
    image = crop(*shape)
    np.testing.assert_allclose(noise_residual(image, sigma), transcription(image, sigma), rtol=0, atol=1e-4)


@pytest.mark.parametrize("content", ["noise", "checkerboard", "step"])
def test_residual_is_that_of_the_formula_on_extreme_images(content: str) -> None:
    rows, columns = np.indices((96, 101))
    image = {
        "noise": np.random.default_rng(0).integers(0, 256, (96, 101, 3)).astype(np.uint8),
        "checkerboard": np.repeat(((rows + columns) % 2 * 255)[..., None], 3, axis=2).astype(np.uint8),
        "step": np.repeat(((columns > 50) * 255)[..., None], 3, axis=2).astype(np.uint8),
    }[content]
    np.testing.assert_allclose(noise_residual(image, 5.0), transcription(image, 5.0), rtol=0, atol=1e-4)


@pytest.mark.parametrize("tone", [0, 17, 255])
def test_a_constant_image_has_no_noise(tone: int) -> None:
    image = np.full((128, 128, 3), tone, np.uint8)
    assert np.abs(noise_residual(image, 5.0)).max() < 2e-4
    assert not compute(image, Labelling()).any()


def test_sigma_zero_leaves_nothing() -> None:
    assert not noise_residual(FACE, 0.0).any()
    assert np.abs(noise_residual(FACE, 1e-3)).max() < 1e-3


def test_infinite_sigma_leaves_everything_but_the_approximation() -> None:
    weighted = FACE @ np.array(GRAY)
    approximation, *levels = detail_coefficients(weighted)
    smooth = pywt.waverec2([approximation] + [tuple(np.zeros_like(b) for b in bands) for bands in levels], "db4")
    np.testing.assert_allclose(noise_residual(FACE, 1e6), weighted - smooth[:256, :256], rtol=0, atol=5e-4)


@pytest.mark.parametrize(("sigma", "expected"), [(5.0, 4.86), (10.0, 5.01)])
def test_white_noise_comes_out_nearly_whole(sigma: float, expected: float) -> None:
    noise = np.random.default_rng(1).normal(0, 5, (512, 512))
    image = np.clip(np.rint(128 + noise), 0, 255).astype(np.uint8)
    residual = noise_residual(np.repeat(image[..., None], 3, axis=2), sigma)
    assert residual.std() == pytest.approx(expected, abs=0.06)


def test_more_sigma_leaves_more() -> None:
    spreads = [noise_residual(FACE, sigma).std() for sigma in (1.0, 5.0, 10.0, 50.0)]
    assert spreads == sorted(spreads)


def test_a_brighter_image_has_the_same_noise() -> None:
    image = np.clip(FACE, 0, 200)
    np.testing.assert_allclose(noise_residual(image + 40, 5.0), noise_residual(image, 5.0), rtol=0, atol=5e-4)


@pytest.mark.parametrize(("level", "sigma"), [("raw", 5.0), ("c23", 5.0), ("c40", 10.0)])
def test_stored_values_are_eighths_rounded_and_signed(level: str, sigma: float) -> None:
    stored = compute(FACE, Labelling(), level)
    assert stored.dtype == np.int16
    residual = noise_residual(FACE, sigma)
    assert np.abs(stored * STEP - residual).max() <= STEP / 2
    assert stored.min() < 0 < stored.max()
    assert stored.mean() == pytest.approx(0, abs=1)


def test_level_chooses_sigma() -> None:
    settings = Labelling(noise_sigma=Levels(1, 5, 25))
    spreads = [compute(FACE, settings, level).std() for level in ("raw", "c23", "c40")]
    assert spreads[0] < spreads[1] < spreads[2]


def test_the_fill_value_is_out_of_reach() -> None:
    columns = np.indices((64, 64))[1]
    for period in (1, 2, 4, 8, 16):
        image = np.repeat((columns // period % 2 * 255)[..., None], 3, axis=2).astype(np.uint8)
        assert np.abs(noise_residual(image, 1e6)).max() < -UNWRITTEN_NOISE * STEP / 4
