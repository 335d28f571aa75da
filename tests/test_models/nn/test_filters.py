"""Stationary wavelets against PyWavelets, the guided filter against its formulas and identities."""

import numpy as np
import pytest
import pywt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from models.nn.filters import BASES, StationaryWavelet, box_mean, guided_filter, guided_residual, high_pass, srm
from pipeline.errors import ConfigError


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def noise(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))  # float64


def levels(bands, channels=3):
    """Split 36 channels into [level][band] tensors of shape (B, C, H, W)."""
    parts = bands.split(channels, 1)
    return [parts[place : place + 4] for place in range(0, len(parts), 4)]


@pytest.mark.parametrize("basis", [*BASES.values(), "db2", "db4", "bior1.3"])
@pytest.mark.parametrize("shape", [(2, 3, 32, 40), (1, 1, 8, 16)])
def test_equals_pywt(basis, shape):
    x = noise(*shape)
    found = levels(StationaryWavelet(basis, norm=False)(x), shape[1])
    wanted = pywt.swt2(x.numpy(), basis, level=3, axes=(-2, -1))[::-1]  # pywt begins with the coarsest
    for level, (approximation, details) in zip(found, wanted, strict=True):
        for band, reference in zip(level, (approximation, *details), strict=True):
            np.testing.assert_allclose(band.numpy(), reference, rtol=0, atol=1e-12)


def test_inverse_and_first_level_sum():
    x = noise(1, 3, 32, 32)
    first = levels(StationaryWavelet("haar", norm=False)(x))[0]
    np.testing.assert_allclose(sum(first).numpy() / 2, x.numpy(), atol=1e-14)
    coefficients = [
        (ll.numpy(), tuple(d.numpy() for d in details))
        for ll, *details in levels(StationaryWavelet("haar", norm=False)(x))[::-1]
    ]
    np.testing.assert_allclose(pywt.iswt2(coefficients, "haar", axes=(-2, -1)), x.numpy(), atol=1e-13)


@pytest.mark.parametrize(("norm", "gains"), [(False, (2, 4, 8)), (True, (1, 1, 1))])
def test_constant_image(norm, gains):
    x = torch.full((1, 3, 16, 16), 0.7, dtype=torch.float64)
    for (low, *details), gain in zip(levels(StationaryWavelet(norm=norm)(x)), gains, strict=True):
        np.testing.assert_allclose(low.numpy(), 0.7 * gain, atol=1e-14)
        assert all(float(detail.abs().max()) < 1e-14 for detail in details)


def test_energy_is_kept_under_norm():
    x = noise(1, 3, 64, 64)
    kept = StationaryWavelet(bands=30)(x)
    assert float((kept**2).sum() / (x**2).sum()) == pytest.approx(1, abs=1e-12)
    everything = StationaryWavelet()(x)  # LL of levels 1 and 2 counted again: 1 + 1/4 + 1/16 on white noise
    assert float((everything**2).sum() / (x**2).sum()) == pytest.approx(1.3125, abs=0.05)


def test_shift_equivariance_is_exact():
    swd, x = StationaryWavelet(), noise(1, 3, 32, 32)
    assert torch.equal(swd(x.roll((5, 3), (2, 3))), swd(x).roll((5, 3), (2, 3)))


def test_vertical_edge_shows_in_hl_alone():
    x = torch.zeros(1, 3, 32, 32)
    x[..., 16:] = 1
    for _, lh, hl, hh in levels(StationaryWavelet()(x)):
        assert float(hl.abs().max()) > 0.4
        assert float(lh.abs().max()) == float(hh.abs().max()) == 0


@pytest.mark.parametrize(("bands", "channels"), [(36, 36), (30, 30), (27, 27)])
def test_bands(bands, channels):
    swd, x = StationaryWavelet(bands=bands), noise(1, 3, 16, 16)
    assert swd.channels() == swd(x).shape[1] == channels
    everything = levels(StationaryWavelet()(x))
    kept = [band for level in everything for band in level[1:]]
    if bands == 30:
        kept.insert(6, everything[2][0])
    if bands < 36:
        assert torch.equal(swd(x), torch.cat(kept, 1))


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ConfigError, match="299x299"):
        StationaryWavelet()(torch.zeros(1, 3, 299, 299))
    with pytest.raises(ValueError, match="must be even"):  # as the reference does
        pywt.swt2(np.zeros((299, 299)), "haar", level=3)


def test_box_mean_divides_by_the_true_count():
    x = noise(1, 1, 12, 9)
    ones = ndimage.uniform_filter(np.ones((12, 9)), 5, mode="constant")
    reference = ndimage.uniform_filter(x[0, 0].numpy(), 5, mode="constant") / ones
    np.testing.assert_allclose(box_mean(x, 2)[0, 0].numpy(), reference, atol=1e-12)


@given(seed=st.integers(0, 99), shift=st.floats(-1, 1), scale=st.floats(0.1, 10), radius=st.integers(0, 4))
@settings(max_examples=20, deadline=None)
def test_guided_residual_identities(seed, shift, scale, radius):
    p = noise(1, 3, 16, 20, seed=seed).abs() / 3
    r = guided_residual(p, radius, 1e-2)
    np.testing.assert_allclose(guided_residual(p + shift, radius, 1e-2), r, atol=1e-10)
    np.testing.assert_allclose(guided_residual(p * scale, radius, 1e-2 * scale**2), r * scale, atol=1e-10)
    assert radius or float(r.max()) < 1e-12  # a window of one pixel has no variance


def test_guided_residual_limits():
    p = noise(1, 3, 24, 24)
    assert float(guided_residual(torch.full_like(p, 0.4)).max()) < 1e-15
    np.testing.assert_allclose(guided_residual(p, 2, 1e12), (p - box_mean(box_mean(p, 2), 2)).abs(), atol=1e-9)
    assert float(guided_residual(p, 2, 1e-12).max()) < 1e-9


def test_guided_filter_follows_the_paper_pixel_by_pixel():
    p, radius, epsilon = noise(1, 1, 9, 9), 1, 0.05
    image = p[0, 0].numpy()
    slope, offset = np.empty_like(image), np.empty_like(image)
    windows = {
        (y, x): (slice(max(0, y - radius), y + radius + 1), slice(max(0, x - radius), x + radius + 1))
        for y, x in np.ndindex(*image.shape)
    }
    for place, window in windows.items():
        patch = image[window]
        slope[place] = patch.var() / (patch.var() + epsilon)
        offset[place] = (1 - slope[place]) * patch.mean()
    wanted = np.array([slope[w].mean() * image[place] + offset[w].mean() for place, w in windows.items()])
    np.testing.assert_allclose(guided_filter(p, radius, epsilon)[0, 0].numpy().ravel(), wanted, atol=1e-12)


def test_colour_guide():
    gray = noise(1, 1, 16, 16)
    alone = guided_filter(gray, 2, 0.1, "colour")
    np.testing.assert_allclose(alone, guided_filter(gray, 2, 0.1), atol=1e-12)  # one channel: the same formula
    p = noise(1, 3, 16, 16)
    assert float(guided_residual(torch.full_like(p, 0.4), guide="colour").max()) < 1e-14
    assert float((guided_filter(p, 2, 0.1, "colour") - guided_filter(p, 2, 0.1)).abs().max()) > 1e-3


@pytest.mark.parametrize("residual", [high_pass, srm])
def test_fixed_residuals_suppress_flat_images(residual):
    assert float(residual(torch.full((1, 3, 12, 12), 0.6)).abs().max()) < 1e-6
    assert residual(noise(2, 3, 12, 14).float()).shape == (2, 3, 12, 14)


def test_srm_ignores_ramps():
    ramp = torch.arange(16.0).repeat(1, 3, 16, 1)
    assert float(srm(ramp)[..., 2:-2, 2:-2].abs().max()) < 1e-4
