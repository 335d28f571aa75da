"""Thresholds measured on pairs whose noise, and what was done to the face, are known."""

import numpy as np
import pytest

from pipeline.config import Labelling, Levels
from pipeline.labels import noise_floor
from pipeline.labels.ssim import difference_map

SIZE = 64
REGION = np.zeros((SIZE, SIZE), np.uint8)
REGION[16:48, 16:48] = 1
SETTINGS = Labelling(ssim_threshold=Levels(5.0, 13.0, 26.0))


def pairs(noise, change=60, count=3):
    """Return crops whose fake has noise everywhere and a pattern in the face."""
    rng = np.random.default_rng(1)
    for _ in range(count):
        real = rng.integers(60, 190, (SIZE, SIZE, 3)).astype(np.uint8)
        real = np.repeat(np.repeat(real[::8, ::8], 8, 0), 8, 1)
        apart = rng.normal(0, noise, real.shape) + change * REGION[..., None] * rng.choice([-1, 1], real.shape)
        yield np.clip(real + apart, 0, 255).astype(np.uint8), real, REGION


@pytest.mark.parametrize("noise", [3.0, 6.0])
def test_the_least_level_that_a_tenth_of_the_surroundings_exceed(noise):
    found = noise_floor.threshold(pairs(noise), SETTINGS, "c23")
    apart = np.concatenate([difference_map(fake, real, 5)[REGION == 0] for fake, real, _ in pairs(noise)])
    assert found > 13
    assert (apart > found).mean() <= 0.1 < (apart > found - 1).mean()


def test_never_below_the_table():
    for level, least in (("raw", 5.0), ("c23", 13.0), ("c40", 26.0)):
        assert noise_floor.threshold(pairs(0.0), SETTINGS, level) == least


def test_a_face_that_differs_no_more_than_its_surroundings_has_no_noise_floor():
    swapped = [(fake, real, 1 - region) for fake, real, region in pairs(6.0)]
    assert noise_floor.threshold(swapped, SETTINGS, "c23") == 13.0


def test_padding_and_crops_without_surroundings_take_no_part():
    padded = []
    for fake, real, region in pairs(6.0):
        fake[:, :8] = real[:, :8] = 0
        padded.append((fake, real, region))
    apart = np.concatenate([difference_map(f, r, 5)[:, 8:][REGION[:, 8:] == 0] for f, r, _ in padded])
    found = noise_floor.threshold(padded, SETTINGS, "c23")
    assert (apart > found).mean() <= 0.1 < (apart > found - 1).mean()
    whole = [(fake, real, np.ones_like(region)) for fake, real, region in pairs(6.0)]
    assert noise_floor.threshold(whole, SETTINGS, "c23") == 13.0
