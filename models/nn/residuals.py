"""Residual inputs of a network: an image minus an estimate of its content, standardised."""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.nn.filters import guided_residual, high_pass, srm


class Constrained(nn.Module):
    """A convolution that predicts a pixel from its neighbours and subtracts it.

    Three 5x5 filters on RGB whose centres are -1 and whose other weights add up to 1, per output and input channel:
    Bayar and Stamm's constrained layer, with the constraint in the parametrisation and not restored after each step.
    """

    def __init__(self, channels: int = 3, side: int = 5) -> None:
        super().__init__()
        self.others = nn.Parameter(torch.rand(channels, channels, side * side - 1) + 0.5)
        self.side = side

    def kernels(self) -> Tensor:
        """Return the filters, (3, 3, 5, 5)."""
        others = self.others / self.others.sum(-1, keepdim=True)
        middle = others.shape[-1] // 2
        centre = -torch.ones_like(others[..., :1])
        flat = torch.cat([others[..., :middle], centre, others[..., middle:]], -1)  # (3, 3, 25)
        return flat.view(*flat.shape[:2], self.side, self.side)

    def forward(self, image: Tensor) -> Tensor:
        """Return residuals of the image's shape (B, C, H, W)."""
        border = self.side // 2
        return F.conv2d(F.pad(image, [border] * 4, mode="reflect"), self.kernels())


class Learned(nn.Module):
    """A residual from a learnt predictor, after AMTEN's description: conv(x) - x, then twice refined and added again.

    We have neither its code nor its sizes: 3x3 convolutions with three channels throughout are our reading.
    """

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.predict = nn.Conv2d(channels, channels, 3, padding=1)
        self.refine = nn.ModuleList([nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2)])

    def forward(self, image: Tensor) -> Tensor:
        """Return residuals of the image's shape (B, C, H, W)."""
        residual: Tensor = self.predict(image) - image
        for convolution in self.refine:
            residual = residual + convolution(residual).relu()
        return residual


class HighPass(nn.Module):
    """`models.nn.filters.high_pass` as a layer."""

    def forward(self, image: Tensor) -> Tensor:
        """Return residuals of the image's shape (B, C, H, W)."""
        return high_pass(image)


class RichModel(nn.Module):
    """`models.nn.filters.srm` as a layer."""

    def forward(self, image: Tensor) -> Tensor:
        """Return residuals of the image's shape (B, C, H, W)."""
        return srm(image)


RESIDUALS: Mapping[str, Callable[[], nn.Module]] = {
    "highpass": HighPass,
    "srm": RichModel,
    "constrained": Constrained,
    "amten": Learned,
}


class Residual(nn.Module):
    """A residual of an image in [0, 1], scaled to what a network expects.

    The guided residual R (kind `mte`) is tiny, 0.004 on average, so it is multiplied by `gain` and cut off at 1. Then
    each channel is brought to mean 0 and deviation 1 by batch norm without parameters, whose running averages over all
    batches are the training set's mean and deviation: ImageNet's would leave an almost constant image.
    """

    def __init__(self, kind: str, radius: int, epsilon: float, guide: str, gain: float) -> None:
        super().__init__()
        self.radius, self.epsilon, self.guide, self.gain = radius, epsilon, guide, gain
        self.extract = RESIDUALS[kind]() if kind in RESIDUALS else None
        self.standardise = nn.BatchNorm2d(3, eps=1e-8, affine=False, momentum=None)  # its variance is near 1e-3

    def forward(self, image: Tensor) -> Tensor:
        """Return a standardised residual of the image's shape (B, 3, H, W)."""
        if self.extract is None:
            residual = guided_residual(image, self.radius, self.epsilon, self.guide)
            residual = (residual * self.gain).clamp(max=1)
        else:
            residual = self.extract(image)
        result: Tensor = self.standardise(residual)
        return result
