"""Backbones: encoders from timm, divided into named stages, which the detectors share."""

from collections.abc import Sequence
from typing import Any

import timm
import torch
from torch import Tensor, nn

from pipeline.errors import ConfigError, WeightsError, first_line

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean, standard deviation of RGB in [0, 1]
# ImageNet weights by timm's tag, for every backbone the papers' choice first: torchvision's own for ResNet-18, one
# recipe for both widths of HRNet (its authors'), Xception's only ones.
WEIGHTS = {
    "resnet18": ("tv_in1k", "a1_in1k", "a2_in1k", "a3_in1k", "gluon_in1k"),
    "hrnet_w18": ("ms_in1k", "ms_aug_in1k"),
    "hrnet_w32": ("ms_in1k",),
    "legacy_xception": ("tf_in1k",),
}
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # Xception's: [0, 1] becomes [-1, 1]


class Normalise(nn.Module):
    """Subtract a mean and divide by a standard deviation, channel by channel; neither is in the checkpoint."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, statistics: tuple[Sequence[float], Sequence[float]] = IMAGENET) -> None:
        super().__init__()
        mean, deviation = (torch.tensor(values).view(1, -1, 1, 1) for values in statistics)
        self.register_buffer("mean", mean, persistent=False)  # (1, C, 1, 1)
        self.register_buffer("deviation", deviation, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Normalise an image of shape (B, C, H, W) in [0, 1]."""
        return (image - self.mean) / self.deviation


class Stages(nn.Module):
    """Named stages, run one after the other; the output of any stage can be returned (`taps`)."""

    def __init__(self, stages: dict[str, nn.Module]) -> None:
        super().__init__()
        self.stages = nn.ModuleDict(stages)

    def forward(self, x: Tensor, taps: Sequence[str] = ()) -> dict[str, Tensor]:
        """Run every stage on x of shape (B, C, H, W); return the outputs of those in `taps` and of the last."""
        kept = {}
        for name, stage in self.stages.items():
            x = stage(x)
            if name in taps:
                kept[name] = x
        return kept | {name: x}

    def cut(self, after: str) -> "tuple[Stages, Stages]":
        """Return the stages up to and including `after`, and the stages that follow it."""
        items = list(self.stages.items())
        place = list(self.stages).index(after) + 1
        return Stages(dict(items[:place])), Stages(dict(items[place:]))


class HRNet(nn.Module):
    """Parts of HRNet: stem, the four parallel branches of its body, and optionally its classification head.

    Parameters
    ----------
    name : {"hrnet_w18", "hrnet_w32"}
    weights : str
        One of the backbone's `WEIGHTS`; empty: random.
    head : bool
        Keep the classification head (9.7 of 19.3 million parameters of hrnet_w18).

    Attributes
    ----------
    widths : tuple of int
        Channels of the four branches: (18, 36, 72, 144) or (32, 64, 128, 256).
    """

    def __init__(self, name: str, weights: str, head: bool) -> None:
        super().__init__()
        self.body = create(name, weights)
        # the global pooling has no parameters and num_classes = 0 no classifier
        if not head:
            self.body.incre_modules = self.body.downsamp_modules = self.body.final_layer = None
        self.widths: tuple[int, ...] = tuple(self.body.stage4_cfg["num_channels"])

    def stem(self, image: Tensor) -> Tensor:
        """Return the stem's features, (B, 64, H/4, W/4), of a normalised image."""
        body = self.body
        x = body.act1(body.bn1(body.conv1(image)))  # (B, 64, H/2, W/2)
        result: Tensor = body.act2(body.bn2(body.conv2(x)))
        return result

    def branches(self, x: Tensor) -> list[Tensor]:
        """Return the four branches (B, widths[i], H / 4 / 2^i, W / 4 / 2^i), given a stem's features (B, 64, H/4, W/4).

        timm's own `features_only` returns them after the head's first layers; these are the branches before it.
        """
        maps: list[Tensor] = self.body.stages(x)
        return maps

    def aggregate(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the classification head's features (B, 2048, H/32, W/32), after its ReLU, given the four branches."""
        body = self.body
        y = body.incre_modules[0](maps[0])  # (B, 128, H/4, W/4)
        for widen, halve, x in zip(body.incre_modules[1:], body.downsamp_modules, maps[1:], strict=True):
            y = widen(x) + halve(y)  # 256, 512, 1024 channels
        result: Tensor = body.final_layer(y)
        return result


def xception(weights: str) -> Stages:
    """Return Xception in stages `conv2`, `block1` ... `block12`, `conv4`.

    At 299 pixels: conv2 (after its ReLU) 64x147x147, block2 256x37x37, block3 to block11 728x19x19, conv4 (after its
    ReLU) 2048x10x10.
    """
    net = create("legacy_xception", weights)
    blocks = {f"block{number}": getattr(net, f"block{number}") for number in range(1, 13)}
    entry = nn.Sequential(net.conv1, net.bn1, net.act1, net.conv2, net.bn2, net.act2)
    leave = nn.Sequential(net.conv3, net.bn3, net.act3, net.conv4, net.bn4, net.act4)
    return Stages({"conv2": entry, **blocks, "conv4": leave})


def resnet18(weights: str) -> Stages:
    """Return ResNet-18 in stages `conv1`, `layer1` ... `layer4`.

    At 256 pixels: 64x128x128, 64x64x64, 128x32x32, 256x16x16, 512x8x8.
    """
    net = create("resnet18", weights)
    stem = nn.Sequential(net.conv1, net.bn1, net.act1)
    first = nn.Sequential(net.maxpool, net.layer1)
    return Stages({"conv1": stem, "layer1": first, "layer2": net.layer2, "layer3": net.layer3, "layer4": net.layer4})


def create(name: str, weights: str) -> Any:
    """Return a timm model without its classifier.

    Parameters
    ----------
    name : str
        One of `WEIGHTS`.
    weights : str
        One of its tags there; empty: random.

    Raises
    ------
    ConfigError
        The backbone has no such weights.
    WeightsError
        Its pretrained weights can neither be downloaded nor found in the cache.
    """
    if weights and weights not in WEIGHTS[name]:
        raise ConfigError(f"weights is {weights}; {name} has {', '.join(WEIGHTS[name])}.")
    try:
        return timm.create_model(f"{name}.{weights}" if weights else name, pretrained=bool(weights), num_classes=0)
    except (OSError, RuntimeError) as error:  # no network or no such file; a broken or incomplete file
        if not weights:
            raise
        raise WeightsError(
            f"The ImageNet weights {name}.{weights} could not be fetched ({first_line(error)}). Connect once so that "
            "they are cached, or train from random weights with --no-pretrained."
        ) from error


def conv_bn_relu(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, bias: bool = False) -> nn.Sequential:
    """Return a same-padded convolution, batch norm and ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
