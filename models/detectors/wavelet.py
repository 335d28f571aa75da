"""Inconsistency-aware wavelet dual-branch network: two HRNets with wavelet stems, joined by bilinear pooling.

Jia et al., "Inconsistency-Aware Wavelet Dual-Branch Network for Face Forgery Detection", IEEE TBIOM 2021. There is no
code by the authors; HRNet's heads are those of its own repositories. Branch 1 draws the manipulated pixels, branch 2
classifies the image, and the score comes from the pooled outer product of their features.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.detectors.base import Batch, Detector, Network, Outputs
from models.detectors.protocols.wavelet import PROTOCOL
from models.detectors.settings import METRICS, Settings, option
from models.detectors.spec import BALANCES, Augmentation, Drops, Phase, Plan, Step, augmentations, balanced
from models.nn.backbones import WEIGHTS, HRNet, Normalise, conv_bn_relu
from models.nn.filters import BANDS, BASES, StationaryWavelet
from models.nn.fusion import Bilinear, StemFusion, Sum
from models.nn.losses import class_loss, pixel_bce
from pipeline.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class WaveletSettings(Settings):
    """The paper's values, or what each setting says."""

    size: int = option(224, "side of the network's input, pixels", "paper, IV-A", low=32)
    batch: int = option(128, "rows of an optimiser step", "paper, IV-A", low=1)
    epochs: int = option(16, "epochs of training", "ours: the last drop is at 15", low=1)
    lr: float = option(0.01, "learning rate before any drop", "paper, IV-A", low=0.0)
    optimiser: str = option(
        "sgd", "adam: for short training from random weights", "paper, IV-A", choices=("sgd", "adam")
    )
    momentum: float = option(0.9, "of SGD", "paper, IV-A", low=0.0, high=1.0)
    weight_decay: float = option(1e-4, "of either optimiser", "cited: HRNet's training; the paper gives none", low=0.0)
    drops: tuple[int, ...] = option(
        (10, 13, 15), "epochs at which lr is divided by 10 and the best so far reloaded", "paper, IV-A", low=1
    )
    metric: str = option(
        "accuracy", "validation figure that the best checkpoint is chosen by", "paper, IV-A", choices=METRICS
    )
    weights: str = option(
        "ms_in1k",
        "ImageNet weights, by timm's tag; hrnet_w32 has no other",
        "cited: HRNet's release",
        choices=WEIGHTS["hrnet_w18"],
    )
    backbone: str = option(
        "hrnet_w18", "HRNet of both branches", "paper, IV-A; w32: IV-C", choices=("hrnet_w18", "hrnet_w32")
    )
    branches: int = option(2, "1: classification alone", "paper, III-B; 1: IV-C", choices=(1, 2))
    copy_branch1: bool = option(
        False, "in place of ImageNet weights, branch 2 begins as a copy of a trained branch 1", "ours, off"
    )
    wavelet: bool = option(True, "off: RGB stem alone", "paper, III-A; off: IV-C")
    fusion: str = option("bilinear", "of the two branches", "paper, III-B; sum: IV-C", choices=("bilinear", "sum"))
    sum_width: int = option(
        512, "channels that fusion=sum brings both branches to", "ours: the paper gives none", low=1
    )
    grid: int = option(
        16,
        "pixels of the image under a cell of the grid for bilinear pooling: 14x14 cells of an image of 224",
        "ours: the paper gives no size (III-B)",
        low=4,
        high=56,
    )
    stem_fuse: str = option(
        "attention", "of the two stems", "paper, III-A; figure 2's caption says sum", choices=("attention", "sum")
    )
    squeeze: int = option(
        16, "channels that the stems' attention is computed in", "ours: the paper gives no form", low=1
    )
    basis: str = option("haar", "of the wavelets", "paper, III-C; rbio: IV-C", choices=tuple(BASES))
    bands: int = option(
        36,
        "wavelet channels: with every LL, with the last or with none",
        "paper, III-A: 3 levels of 4 bands of 3 colours",
        choices=tuple(BANDS),
    )
    swd_norm: bool = option(True, "wavelet bands keep the image's range", "ours: the paper does not say")
    bilinear_weight: float = option(1.0, "alpha 1, of the pooled branches' loss", "paper, equation 6", low=0.0)
    segment_weight: float = option(1.0, "alpha 2, of the pixels' loss", "paper, equation 6", low=0.0)
    score: str = option(
        "bilinear",
        "the image's score; pixels: share of pixels predicted fake",
        "paper, III-B; pixels: IV-D",
        choices=("bilinear", "pixels"),
    )
    balance: str = option(
        "stored",
        "rows as the store has them, or real to fake 1 to 1",
        "paper, IV-A: balanced by frames of a video",
        choices=tuple(BALANCES),
    )
    truth: str = option(
        "ssim",
        "map that branch 1 draws; mask: for data whose pairs are not at hand",
        "paper, IV-A",
        choices=("ssim", "mask"),
    )

    def check(self) -> None:
        """Raise ConfigError where two settings contradict each other."""
        if self.size % 32:
            raise ConfigError(f"size is {self.size}; HRNet takes multiples of 32.")
        if self.branches == 1 and self.score == "pixels":
            raise ConfigError("score=pixels needs branches=2: one branch alone draws no pixels.")
        if self.branches == 1 and self.copy_branch1:
            raise ConfigError("copy_branch1=on needs branches=2: there is no branch 1 to copy.")


def plan(settings: WaveletSettings) -> Plan:
    """Return what training needs.

    SGD with momentum 0.9, lr 0.01 divided by 10 at epochs 10, 13 and 15, each time going on from the best checkpoint by
    validation accuracy [paper]; no Nesterov [ours]. The paper lists the
    augmentations; their strengths and probabilities are ours. Rows come as the store has them: the paper balances by
    how many frames are sampled from a video.
    """
    paper = (
        Augmentation("flip", 0.5),
        Augmentation("rotate", 0.5, -10, 10),
        Augmentation("crop", 0.5, 0.9, 1.0),
        Augmentation("brightness", 0.5, 0.8, 1.2),
        Augmentation("contrast", 0.5, 0.8, 1.2),
        Augmentation("saturation", 0.5, 0.8, 1.2),
        Augmentation("blur", 0.2, 3, 7),
        Augmentation("noise", 0.2, 0.0, 10 / 255),
    )
    decay = Drops(settings.drops, 0.1)
    step = Step(
        "main",
        settings.lr,
        decay,
        optimiser=settings.optimiser,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    truth = (settings.truth,) if settings.branches == 2 else ()
    return Plan(
        arrays=("image", "label", *truth),
        maps=truth,
        truth=settings.truth if truth else "",
        size=settings.size,
        batch=settings.batch,
        epoch=balanced(settings.balance, settings.pairs),
        phases=(Phase("main", settings.epochs, (step,), reload=settings.drops),),
        metric=settings.metric,
        cam="classify",
        augmentations=augmentations(settings.augment, *paper),
        compression=settings.compression,
        methods=settings.methods,
        backbone=settings.backbone,
    )


class Branch(nn.Module):
    """An HRNet whose body starts from an RGB stem and, beside it, a stem for the wavelet bands."""

    def __init__(self, settings: WaveletSettings, pretrained: bool, channels: int, head: bool) -> None:
        super().__init__()
        self.hrnet = HRNet(settings.backbone, settings.weights if pretrained else "", head)
        if settings.wavelet:  # the same layers as HRNet's stem but for the input's width; new, so random
            self.stem = nn.Sequential(conv_bn_relu(channels, 64, stride=2), conv_bn_relu(64, 64, stride=2))
            self.fuse = StemFusion(squeezed=settings.squeeze) if settings.stem_fuse == "attention" else None

    def forward(self, image: Tensor, bands: Tensor | None) -> list[Tensor]:
        """Return the four branch maps: 18, 36, 72, 144 channels at 56, 28, 14, 7 pixels for an image of 224."""
        x = self.hrnet.stem(image)  # (B, 64, 56, 56)
        if bands is not None:
            y = self.stem(bands)  # (B, 64, 56, 56)
            x = x + y if self.fuse is None else self.fuse(x, y)
        return self.hrnet.branches(x)


class WaveletNetwork(Network):
    """The whole network; with `branches=1` its classification branch alone, whose logit then is the score."""

    terms: ClassVar[Mapping[str, str]] = {"class": "label", "bilinear": "label", "segment": "truth"}

    def __init__(self, settings: WaveletSettings, pretrained: bool) -> None:
        super().__init__()
        self.settings, self.truth = settings, settings.truth
        self.normalise = Normalise()
        self.swd = StationaryWavelet(BASES[settings.basis], bands=settings.bands, norm=settings.swd_norm)
        self.classifier = Branch(settings, pretrained, self.swd.channels(), head=True)
        self.classify = nn.Linear(2048, 1)
        if settings.branches == 2:
            self.segmenter = Branch(settings, pretrained, self.swd.channels(), head=False)
            width = sum(self.segmenter.hrnet.widths)  # 270
            self.merge = conv_bn_relu(width, width, kernel=1, bias=True)
            self.segment = nn.Conv2d(width, 1, 1)
            bilinear = settings.fusion == "bilinear"
            self.join: nn.Module = Bilinear(width, 2048) if bilinear else Sum(width, 2048, settings.sum_width)

    def begin(self, phase: Phase) -> None:
        """With `copy_branch1`, copy branch 1 into branch 2, except the classification head that branch 1 lacks."""
        if self.settings.copy_branch1:
            self.classifier.load_state_dict(self.segmenter.state_dict(), strict=False)

    def forward(self, batch: Batch) -> Outputs:
        """Run on images of 224 pixels (or another multiple of 32: every grid scales with it).

        `logits` come from the join of both branches; `heads["class"]` from branch 2; `maps["segment"]` are branch 1's
        logits at the input's size.
        """
        image = self.normalise(batch["image"])  # (B, 3, 224, 224)
        bands = self.swd(image) if self.settings.wavelet else None  # (B, 36, 224, 224)
        f_c = self.classifier.hrnet.aggregate(self.classifier(image, bands))  # (B, 2048, 7, 7)
        logits = self.classify(f_c.mean((2, 3)))  # (B, 1)
        if self.settings.branches == 1:
            return Outputs(logits, features={"classify": f_c})
        maps = self.segmenter(image, bands)
        size = maps[0].shape[-2:]  # 56, 56
        f_s = torch.cat([_resize(x, size) for x in maps], 1)  # (B, 270, 56, 56)
        f_s = self.merge(f_s)  # (B, 270, 56, 56)
        forged = _resize(self.segment(f_s), image.shape[-2:])  # (B, 1, 224, 224)
        joint = self.join(f_s, f_c, image.shape[-1] // self.settings.grid)  # (B, 1)
        return Outputs(joint, {"class": logits}, {"segment": forged}, {"segment": f_s, "classify": f_c})

    def loss(self, outputs: Outputs, batch: Batch, step: str = "main") -> dict[str, Tensor]:
        """Return L = BCE(branch 2) + alpha_1 BCE(join) + alpha_2 BCE(pixels of branch 1), equation 6."""
        if self.settings.branches == 1:
            return {"class": class_loss(outputs.logits, batch["label"])}
        return {
            "class": class_loss(outputs.heads["class"], batch["label"]),
            "bilinear": self.settings.bilinear_weight * class_loss(outputs.logits, batch["label"]),
            "segment": self.settings.segment_weight * pixel_bce(outputs.maps["segment"], batch[self.truth]),
        }

    def probabilities(self, outputs: Outputs) -> Tensor:
        """Return (B, 2); with `score=pixels` the share of pixels whose probability exceeds 1/2 counts as fake's."""
        if self.settings.score == "bilinear":
            return super().probabilities(outputs)
        share = (outputs.maps["segment"] > 0).float().mean((1, 2, 3))  # (B,)
        return torch.stack([1 - share, share], 1)

    def localise(self, outputs: Outputs, size: int) -> Tensor | None:
        """Return branch 1's probabilities, (B, 1, size, size)."""
        if "segment" not in outputs.maps:
            return None
        return _resize(outputs.maps["segment"].float(), (size, size)).sigmoid()


def _resize(x: Tensor, size: tuple[int, ...]) -> Tensor:
    return x if x.shape[-2:] == size else F.interpolate(x, size, mode="bilinear", align_corners=False)


DETECTOR = Detector(
    name="wavelet",
    paper="Jia et al., Inconsistency-Aware Wavelet Dual-Branch Network for Face Forgery Detection, IEEE TBIOM 2021",
    settings=WaveletSettings,
    plan=plan,
    build=WaveletNetwork,
    renamed={"twin": "copy_branch1"},
    presets=PROTOCOL.presets,
    tables=PROTOCOL.tables,
)
