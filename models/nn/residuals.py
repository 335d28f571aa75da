"""Residual inputs of a network: an image minus an estimate of its content, standardised."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.nn.filters import guided_residual, high_pass, srm

LEAST = 1e-4  # smallest deviation that is divided by, for images in [0, 1]


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


class Standardise(nn.Module):
    """Bring every channel to mean 0 and deviation 1 by numbers measured once, which the checkpoint stores.

    Unmeasured, it leaves its input as it is.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))

    @torch.no_grad()
    def measure(self, values: Iterable[Tensor]) -> dict[str, list[float]]:
        """Take mean and standard deviation of each channel over all pixels of batches of shape (B, C, H, W)."""
        count = 0
        sums = torch.zeros(2, len(self.mean), dtype=torch.float64, device=self.mean.device)
        for batch in values:
            exact = batch.double()
            sums += torch.stack([exact.sum((0, 2, 3)), exact.square().sum((0, 2, 3))])
            count += batch[:, 0].numel()
        mean, square = sums / max(count, 1)
        self.mean.copy_(mean)
        self.deviation.copy_((square - mean.square()).clamp(min=LEAST**2).sqrt())
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    def forward(self, values: Tensor) -> Tensor:
        """Return standardised values of the same shape (B, C, H, W)."""
        shape = (1, -1, 1, 1)
        return (values - self.mean.view(shape)) / self.deviation.view(shape)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Read checkpoints of before, whose batch norm held running averages in place of measured numbers."""
        if (variance := state_dict.pop(f"{prefix}running_var", None)) is not None:
            state_dict[f"{prefix}deviation"] = variance.clamp(min=LEAST**2).sqrt()
            state_dict[f"{prefix}mean"] = state_dict.pop(f"{prefix}running_mean")
            state_dict.pop(f"{prefix}num_batches_tracked", None)
        super()._load_from_state_dict(state_dict, prefix, *rest)


class Residual(nn.Module):
    """A residual of an image in [0, 1], scaled to what a network expects.

    The guided residual R (kind `mte`) is tiny, 0.004 on average, so it is multiplied by `gain` and cut off at 1. Then
    each channel is standardised by the training images' mean and deviation (`measure`): ImageNet's would leave an
    almost constant image.
    """

    def __init__(self, kind: str, radius: int, epsilon: float, guide: str, gain: float) -> None:
        super().__init__()
        self.radius, self.epsilon, self.guide, self.gain = radius, epsilon, guide, gain
        self.extract = RESIDUALS[kind]() if kind in RESIDUALS else None
        self.standardise = Standardise()

    def measure(self, images: Iterable[Tensor]) -> dict[str, list[float]]:
        """Take the standardisation from batches of images, (B, 3, H, W) in [0, 1]; return it."""
        return self.standardise.measure(self.extracted(image) for image in images)

    def forward(self, image: Tensor) -> Tensor:
        """Return a standardised residual of the image's shape (B, 3, H, W)."""
        result: Tensor = self.standardise(self.extracted(image))
        return result

    def extracted(self, image: Tensor) -> Tensor:
        """Return the residual before it is standardised, (B, 3, H, W); the guided one times `gain`."""
        if self.extract is not None:
            found: Tensor = self.extract(image)
            return found
        residual = guided_residual(image, self.radius, self.epsilon, self.guide)
        return (residual * self.gain).clamp(max=1)
