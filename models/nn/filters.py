"""Fixed filters in torch, which run on the device after augmentation: wavelet, guided filter, high-pass, SRM."""

import math
from collections.abc import Sequence

import pywt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.nn.losses import full_precision
from pipeline.errors import ConfigError

BASES = {"haar": "haar", "rbio": "rbio2.2"}  # the wavelet paper's two; it does not give the order of the second
BANDS = {27: "three details of each level", 30: "details, and the last level's approximation", 36: "all four"}


class StationaryWavelet(nn.Module):
    """Stationary (undecimated) 2-D wavelet transform, equal to `pywt.swt2`: every band keeps the image's size.

    Along one axis, with the filter f of length L at level l (dilation d = 2^(l-1), the a-trous scheme; the paper's
    "dilation equals level" agrees at levels 1 and 2 and is not a wavelet transform at 3),

        y[n] = sum_k f[k] x[(n + (L/2 - k) d) mod N],

    indices wrapping around; the low-low band goes on to the next level. Written as shifts and sums, a circular shift of
    the image shifts every band by exactly as much.

    Parameters
    ----------
    basis : str
        A name that PyWavelets knows. The paper uses haar.
    levels : int
        The paper: 3.
    bands : {36, 30, 27}
        Channels for RGB at 3 levels, see `BANDS`. The paper keeps {LL, LH, HL, HH} of every level: 36.
    norm : bool
        Each 1-D filter divided by sqrt 2, so that LL keeps the image's range (gain 1 instead of 2 per level), and the
        details and the last LL together keep its energy. Our default; the paper does not say.

    References
    ----------
    Jia et al., "Inconsistency-Aware Wavelet Dual-Branch Network for Face Forgery Detection", section III-B.
    """

    def __init__(self, basis: str = "haar", levels: int = 3, bands: int = 36, norm: bool = True) -> None:
        super().__init__()
        wavelet, gain = pywt.Wavelet(basis), math.sqrt(2) if norm else 1.0
        self.low = [tap / gain for tap in wavelet.dec_lo]
        self.high = [tap / gain for tap in wavelet.dec_hi]
        self.levels, self.bands = levels, bands

    def channels(self, inputs: int = 3) -> int:
        """Return the number of bands for that many image channels."""
        return inputs * (4 * self.levels if self.bands == 36 else 3 * self.levels + (self.bands == 30))

    def forward(self, image: Tensor) -> Tensor:
        """Transform an image.

        Parameters
        ----------
        image : Tensor of shape (B, C, H, W)
            H and W multiples of 2^levels, as `pywt.swt2` demands.

        Returns
        -------
        Tensor of shape (B, bands, H, W)
            Level by level from the finest; within a level LL, LH, HL, HH (those kept), each with all C channels.
            pywt calls LH (high-pass along y) cH, HL cV and HH cD.

        Raises
        ------
        ConfigError
            A size that is no multiple of 2^levels.
        """
        height, width = image.shape[-2:]
        if height % 2**self.levels or width % 2**self.levels:
            raise ConfigError(f"{width}x{height} cannot be transformed: both must be multiples of {2**self.levels}.")
        kept = []
        with full_precision(image):
            low = image if image.dtype == torch.float64 else image.float()
            for level in range(self.levels):
                low, *details = self._split(low, 2**level)  # each (B, C, H, W)
                last = level == self.levels - 1
                kept += [low, *details] if self.bands == 36 or (self.bands == 30 and last) else details
        return torch.cat(kept, 1)  # (B, bands, H, W)

    def _split(self, image: Tensor, dilation: int) -> list[Tensor]:
        """Return LL, LH (high along y), HL (high along x: a vertical edge) and HH, each (B, C, H, W)."""
        low, high = (_correlate(image, taps, dilation, -2) for taps in (self.low, self.high))  # along y
        return [_correlate(x, taps, dilation, -1) for taps in (self.low, self.high) for x in (low, high)]


def _correlate(image: Tensor, taps: Sequence[float], dilation: int, axis: int) -> Tensor:
    """Return sum_k taps[k] x[n + (L/2 - k) dilation] along an axis, wrapping around."""
    half = len(taps) // 2
    shifted = [tap * image.roll((place - half) * dilation, axis) for place, tap in enumerate(taps) if tap]
    return sum(shifted[1:], shifted[0])


def box_mean(image: Tensor, radius: int) -> Tensor:
    """Return the mean over the (2r+1)^2 window around each pixel, cut off at the image's edge, (B, C, H, W)."""
    return F.avg_pool2d(image, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)


def guided_filter(image: Tensor, radius: int, epsilon: float, guide: str = "gray") -> Tensor:
    """Smooth an image guided by itself, keeping its edges.

    Parameters
    ----------
    image : Tensor of shape (B, C, H, W)
    radius : int
        Windows are (2r+1)^2, intersected with the image.
    epsilon : float
        Variance below which structure is smoothed away, in squared units of the image: for an image scaled by s, give
        s^2 epsilon.
    guide : {"gray", "colour"}
        Each channel by itself, or all channels by all (a C x C covariance).

    Returns
    -------
    Tensor of shape (B, C, H, W)

    References
    ----------
    He, Sun, Tang, "Guided Image Filtering", TPAMI 2013, equations 5, 6 and 8; 14 and 15 for the colour guide.
    """
    mean = box_mean(image, radius)
    if guide == "gray":
        variance = (box_mean(image * image, radius) - mean * mean).clamp(min=0)
        slope = variance / (variance + epsilon)
        return box_mean(slope, radius) * image + box_mean(mean * (1 - slope), radius)
    batch, channels, height, width = image.shape
    pairs = (image[:, :, None] * image[:, None]).flatten(1, 2)  # (B, C*C, H, W)
    moments = box_mean(pairs, radius).view(batch, channels, channels, height, width)
    covariance = (moments - mean[:, :, None] * mean[:, None]).movedim((1, 2), (-2, -1))  # (B, H, W, C, C)
    damped = covariance + epsilon * torch.eye(channels, dtype=image.dtype, device=image.device)
    slopes = torch.linalg.solve(damped, covariance).movedim((-2, -1), (1, 2))  # (B, guide, output, H, W)
    offset = mean - (slopes * mean[:, :, None]).sum(1)  # (B, C, H, W)
    slopes = box_mean(slopes.flatten(1, 2), radius).view(batch, channels, channels, height, width)
    return (slopes * image[:, :, None]).sum(1) + box_mean(offset, radius)


def guided_residual(image: Tensor, radius: int = 4, epsilon: float = 4e-4, guide: str = "gray") -> Tensor:
    """Return the guided residual R = |p - q| of an image p and its filtered version q, which keeps the content.

    Parameters
    ----------
    image : Tensor of shape (B, C, H, W)
        In [0, 1].
    radius, epsilon : int, float
        The paper gives neither. 4 and 0.02^2: most of the noise of 2 grey levels passes, edges do not.
    guide : {"gray", "colour"}
        The paper's equations are scalar, one channel at a time.

    Returns
    -------
    Tensor of shape (B, C, H, W)
        At least 0; half of the pixels of a photograph are below 1/255.

    References
    ----------
    Guo et al., "Exposing Deepfake Face Forgeries with Guided Residuals", equations 5 to 11.
    """
    with full_precision(image):
        exact = image if image.dtype == torch.float64 else image.float()
        return (exact - guided_filter(exact, radius, epsilon, guide)).abs()


def high_pass(image: Tensor) -> Tensor:
    """Return each pixel minus the mean of its 3x3 neighbourhood, of the image's shape (B, C, H, W)."""
    return image - box_mean(image, 1)


def srm(image: Tensor) -> Tensor:
    """Return three residuals (B, 3, H, W) of an image (B, C, H, W) by the spatial rich model, summed over channels.

    Second order along x, 3x3 "SQUARE" and 5x5 "SQUARE" predictors, with their usual divisors 2, 4 and 12.

    References
    ----------
    Fridrich, Kodovsky, "Rich Models for Steganalysis of Digital Images", TIFS 2012.
    """
    line = torch.zeros(5, 5)
    line[2, 1:4] = torch.tensor([1.0, -2.0, 1.0]) / 2
    small = torch.zeros(5, 5)
    small[1:4, 1:4] = torch.tensor([[-1.0, 2.0, -1.0], [2.0, -4.0, 2.0], [-1.0, 2.0, -1.0]]) / 4
    corner = torch.tensor([[-1.0, 2.0, -2.0], [2.0, -6.0, 8.0], [-2.0, 8.0, -12.0]]) / 12  # symmetric on both axes
    large = torch.cat([corner, corner[:2].flip(0)])
    large = torch.cat([large, large[:, :2].flip(1)], 1)
    kernels = torch.stack([line, small, large])[:, None].expand(3, image.shape[1], 5, 5)
    padded = F.pad(image, (2, 2, 2, 2), mode="reflect")
    return F.conv2d(padded, kernels.to(image)) / math.sqrt(image.shape[1])
