"""Fusions of feature maps: two stems by channel attention, two branches by bilinear pooling or a plain sum."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.nn.losses import full_precision


class StemFusion(nn.Module):
    """Weigh the two stems' channels by attention, and add them.

    The paper asks for channel attention over both stems without giving its form; this is the selective-kernel one:
    z = mean over pixels of (rgb + wavelet) -> 16 -> two routes of 64, softmax over the routes for each channel.
    """

    def __init__(self, width: int = 64, squeezed: int = 16) -> None:
        super().__init__()
        self.squeeze = nn.Linear(width, squeezed)
        self.routes = nn.ModuleList([nn.Linear(squeezed, width) for _ in range(2)])

    def weights(self, rgb: Tensor, bands: Tensor) -> Tensor:
        """Return the two routes' weights, (B, 2, 64); they add up to 1 for each channel."""
        z = self.squeeze((rgb + bands).mean((2, 3))).relu()  # (B, 16)
        return torch.stack([route(z) for route in self.routes], 1).softmax(1)

    def forward(self, rgb: Tensor, bands: Tensor) -> Tensor:
        """Fuse two stems' features of shape (B, 64, h, w)."""
        weights = self.weights(rgb, bands)[..., None, None]  # (B, 2, 64, 1, 1)
        return weights[:, 0] * rgb + weights[:, 1] * bands


class Bilinear(nn.Module):
    """Bilinear pooling of two feature maps and a linear classifier, equations 1 to 5 of the paper.

    B = f_s f_c^T summed over the positions of a common grid, flattened, signed square root, unit length, FC. The grid
    (the paper gives no size) is half of f_s's and twice f_c's wherever possible: 14x14 for an image of 224.
    """

    def __init__(self, first: int, second: int, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = epsilon  # without it the gradient of the root at zero is infinite
        self.classify = nn.Linear(first * second, 1)  # 552 960 for 270 x 2048

    def pool(self, f_s: Tensor, f_c: Tensor, grid: int) -> Tensor:
        """Return unit vectors of shape (B, C_s C_c), float32."""
        f_s = F.adaptive_avg_pool2d(f_s, grid)  # (B, 270, 14, 14)
        f_c = F.interpolate(f_c, (grid, grid), mode="bilinear", align_corners=False)  # (B, 2048, 14, 14)
        with full_precision(f_s):
            f_s, f_c = (f if f.dtype == torch.float64 else f.float() for f in (f_s, f_c))
            b = torch.einsum("bshw,bchw->bsc", f_s, f_c / grid**2).flatten(1)  # (B, 552960), mean: within half's range
            return F.normalize(b.sign() * (b.abs() + self.epsilon).sqrt(), dim=1)

    def forward(self, f_s: Tensor, f_c: Tensor, grid: int) -> Tensor:
        """Return logits of shape (B, 1)."""
        logits: Tensor = self.classify(self.pool(f_s, f_c, grid))
        return logits


class Sum(nn.Module):
    """The ablation's fusion: 1x1 convolutions to one width (ours: 512), global pooling, sum, FC."""

    def __init__(self, first: int, second: int, width: int = 512) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(first, width, 1), nn.Conv2d(second, width, 1)
        self.classify = nn.Linear(width, 1)

    def forward(self, f_s: Tensor, f_c: Tensor, grid: int) -> Tensor:
        """Return logits of shape (B, 1)."""
        logits: Tensor = self.classify(self.first(f_s).mean((2, 3)) + self.second(f_c).mean((2, 3)))
        return logits
