"""A critic that tells two orders of a pair of feature maps apart, and its losses, as in WGAN-GP."""

import torch
from torch import Tensor, nn

from models.nn.losses import EPSILON


class Critic(nn.Module):
    """Tells (V_H, V_L) from (V_L, V_H).

    The paper gives the first layer, a 1x1 convolution over both; the rest is ours. No batch norm: the gradient penalty
    is a row's own.
    """

    def __init__(self, channels: int = 1456) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, 512, 1), nn.LeakyReLU(0.2)),  # (B, 512, 19, 19)
            *(nn.Conv2d(512, 256, 3, 2, 1), nn.LeakyReLU(0.2)),  # 10
            *(nn.Conv2d(256, 128, 3, 2, 1), nn.LeakyReLU(0.2)),  # 5
            *(nn.Conv2d(128, 128, 3, 2, 1), nn.LeakyReLU(0.2)),  # 3
        )
        self.judge = nn.Linear(128, 1)

    def forward(self, pair: Tensor) -> Tensor:
        """Return one number a row, (B, 1), for features of shape (B, 1456, h, w)."""
        verdict: Tensor = self.judge(self.layers(pair).mean((2, 3)))
        return verdict


def both_orders(high: Tensor, low: Tensor) -> tuple[Tensor, Tensor]:
    """Return cat(V_H, V_L) and cat(V_L, V_H), (B, 1456, h, w), float32."""
    return torch.cat([high, low], 1).float(), torch.cat([low, high], 1).float()


def distance(critic: nn.Module, first: Tensor, second: Tensor) -> Tensor:
    """Return W = E[D(first)] - E[D(second)], the critic's estimate of how far apart the two orders are."""
    result: Tensor = critic(first).mean() - critic(second).mean()
    return result


def gradient_penalty(critic: nn.Module, first: Tensor, second: Tensor) -> Tensor:
    """Return E[(||grad D(x)|| - 1)^2] at a random point x between the two orders of each row.

    References
    ----------
    Gulrajani et al., "Improved Training of Wasserstein GANs", equation 3.
    """
    share = torch.rand(len(first), 1, 1, 1, device=first.device)
    between = (share * first + (1 - share) * second).detach().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return ((slope.flatten(1).square().sum(1) + EPSILON).sqrt() - 1).square().mean()
