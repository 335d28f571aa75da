"""Label `noise`: the residual that Mihcak's wavelet filter leaves of an image."""

import dataclasses
from typing import Any

import cv2
import numpy as np
import pywt
from numpy.typing import NDArray

from pipeline.config import Labelling
from pipeline.labels._kind import LabelKind, at

WAVELET = "db4"  # Daubechies with 8 taps
DEPTH = 4
MODE = "symmetric"  # pywt's name for half-sample reflection
WINDOWS = (3, 5, 7, 9)  # sides, in coefficients, over which the local variance is estimated
LUMA = (0.29893602, 0.58704307, 0.11402090)
STEP = 0.125  # grey levels of one stored unit
UNWRITTEN_NOISE = -32768  # -4096 grey levels, which no residual reaches


def noise_residual(image: NDArray[np.uint8], sigma: float) -> NDArray[np.float32]:
    """Compute the noise that the Mihcak filter removes from an image, in grey.

    Each channel is taken apart by the wavelet transform and every detail coefficient c becomes
    c sigma^2 / (v + sigma^2), where v is the smallest of its local variances, max(0, mean(c^2) - sigma^2), over the
    four windows (zeros outside). The approximation is dropped; what the inverse transform gives is F - f(F).
    The channels' weighted sum is taken before the inverse transform, which is linear and so runs once, not three
    times.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB, 0 to 255; sides of any parity.
    sigma : float
        Standard deviation of the noise in grey levels; 0 gives a residual of 0.

    Returns
    -------
    ndarray of shape (H, W), float32
        Signed residual in grey levels.

    References
    ----------
    Kong et al., Detect and Locate, eqs. 4 and 5; Mihcak, Kozintsev, Ramchandran, Spatially adaptive statistical
    modeling of wavelet image coefficients and its application to denoising, ICASSP 1999,
    doi:10.1109/ICASSP.1999.757535.
    """
    if sigma == 0:  # 0 / 0 where a coefficient is 0
        return np.zeros(image.shape[:2], np.float32)
    weights = np.array(LUMA, np.float32)
    approximation = image.astype(np.float32)
    details: list[tuple[NDArray[np.float32], ...]] = []
    for _ in range(DEPTH):  # level by level: pywt's own loop warns about every crop under 112 pixels
        approximation, bands = pywt.dwt2(approximation, WAVELET, MODE, axes=(0, 1))
        details.append(tuple(_noise_part(band, sigma) @ weights for band in bands))
    residual = np.zeros(approximation.shape[:2], np.float32)
    for bands in reversed(details):
        height, width = bands[0].shape  # the inverse of an odd side is one pixel too long
        residual = pywt.idwt2((residual[:height, :width], bands), WAVELET, MODE)
    height, width = image.shape[:2]
    return residual[:height, :width]


def compute(image: NDArray[np.uint8], settings: Labelling, level: str = "raw") -> NDArray[np.int16]:
    """Compute the noise residual of a crop in units of `STEP` grey levels.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB, 0 to 255.
    settings : Labelling
        `noise_sigma`.
    level : str
        Compression of the crop: `raw`, `c23` or `c40`; decides sigma.

    Returns
    -------
    ndarray of shape (H, W), int16
        Signed residual, eighths of a grey level.
    """
    residual = noise_residual(image, at(settings.noise_sigma, level))
    stored: NDArray[np.int16] = np.rint(residual / np.float32(STEP)).astype(np.int16)
    return stored


def parameters(settings: Labelling) -> dict[str, Any]:
    """Return everything that decides the values of this label."""
    return {
        "sigma": dataclasses.asdict(settings.noise_sigma),
        "wavelet": WAVELET,
        "levels": DEPTH,
        "mode": MODE,
        "windows": list(WINDOWS),
        "window_border": "zeros",
        "approximation": "set to zero",
        "gray": list(LUMA),
    }


def _noise_part(band: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    power = band * band
    smallest = _local_mean(power, WINDOWS[0])
    for window in WINDOWS[1:]:
        np.minimum(smallest, _local_mean(power, window), out=smallest)
    # s2 / (max(0, m - s2) + s2) = s2 / max(m, s2)
    variance = np.float32(sigma * sigma)
    np.maximum(smallest, variance, out=smallest)
    np.divide(variance, smallest, out=smallest)
    smallest *= band
    return smallest


def _local_mean(values: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    result: NDArray[np.float32] = cv2.boxFilter(values, -1, (window, window), borderType=cv2.BORDER_CONSTANT)
    return result


KIND = LabelKind(
    name="noise",
    dtype="int16",
    fill=UNWRITTEN_NOISE,
    source="image",
    description="Signed noise residual of the crop by the Mihcak wavelet filter, grey; multiply by scale_factor for "
    "grey levels. Take the absolute value before any resizing.",
    units="grey level",
    reference="Kong et al., Detect and Locate, eqs. 4 and 5; filter: Mihcak, Kozintsev, Ramchandran, ICASSP 1999.",
    scale=STEP,
    gain=32,
    parameters=parameters,
    compute=compute,
)
