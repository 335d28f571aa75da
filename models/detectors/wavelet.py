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
from models.detectors.settings import METRICS, Preset, Settings
from models.detectors.spec import BALANCES, Augmentation, Drops, Phase, Plan, Step, augmentations, balanced
from models.nn.backbones import HRNet, Normalise, conv_bn_relu
from models.nn.filters import BANDS, BASES, StationaryWavelet
from models.nn.losses import class_loss, full_precision, pixel_bce
from pipeline.config import setting
from pipeline.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class WaveletSettings(Settings):
    """The paper's values; where it is silent, the comment says so."""

    size: int = setting(224, low=32)
    batch: int = setting(128, low=1)
    epochs: int = setting(16, low=1)  # ours; the paper's last drop is at 15
    lr: float = setting(0.01, low=0.0)
    optimiser: str = setting("sgd", choices=("sgd", "adam"))  # adam, ours: for short training from random weights
    drops: tuple[int, ...] = setting((10, 13, 15), low=1)  # epochs at which lr is divided by 10 and the best reloaded
    metric: str = setting("accuracy", choices=METRICS)  # cross-method: auc, over all methods
    backbone: str = setting("hrnet_w18", choices=("hrnet_w18", "hrnet_w32"))
    branches: int = setting(2, choices=(1, 2))  # 1: classification alone
    copy_branch1: bool = setting(
        False
    )  # ours, without ImageNet weights: branch 2 begins as a copy of a trained branch 1
    wavelet: bool = setting(True)  # off: RGB stem alone
    fusion: str = setting("bilinear", choices=("bilinear", "sum"))  # of the two branches
    stem_fuse: str = setting("attention", choices=("attention", "sum"))  # of the two stems; figure 2 says sum
    basis: str = setting("haar", choices=tuple(BASES))
    bands: int = setting(36, choices=tuple(BANDS))  # wavelet channels
    swd_norm: bool = setting(True)  # ours: wavelet bands keep the image's range
    bilinear_weight: float = setting(1.0, low=0.0)  # the paper's alpha 1
    segment_weight: float = setting(1.0, low=0.0)  # alpha 2
    score: str = setting("bilinear", choices=("bilinear", "pixels"))  # pixels: share of pixels predicted fake
    balance: str = setting("stored", choices=tuple(BALANCES))  # even: real to fake 1 to 1
    truth: str = setting("ssim", choices=("ssim", "mask"))  # mask: for data whose pairs are not at hand

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
    validation accuracy [paper]; weight decay 1e-4 [HRNet's own training], no Nesterov [ours]. The paper lists the
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
    step = Step("main", settings.lr, decay, optimiser=settings.optimiser, momentum=0.9, weight_decay=1e-4)
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
    )


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


class Branch(nn.Module):
    """An HRNet whose body starts from an RGB stem and, beside it, a stem for the wavelet bands."""

    def __init__(self, settings: WaveletSettings, pretrained: bool, channels: int, head: bool) -> None:
        super().__init__()
        self.hrnet = HRNet(settings.backbone, pretrained, head)
        if settings.wavelet:  # the same layers as HRNet's stem but for the input's width; new, so random
            self.stem = nn.Sequential(conv_bn_relu(channels, 64, stride=2), conv_bn_relu(64, 64, stride=2))
            self.fuse = StemFusion() if settings.stem_fuse == "attention" else None

    def forward(self, image: Tensor, bands: Tensor | None) -> list[Tensor]:
        """Return the four branch maps: 18, 36, 72, 144 channels at 56, 28, 14, 7 pixels for an image of 224."""
        x = self.hrnet.stem(image)  # (B, 64, 56, 56)
        if bands is not None:
            y = self.stem(bands)  # (B, 64, 56, 56)
            x = x + y if self.fuse is None else self.fuse(x, y)
        return self.hrnet.branches(x)


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
            self.join = (Bilinear if settings.fusion == "bilinear" else Sum)(width, 2048)

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
        joint = self.join(f_s, f_c, image.shape[-1] // 16)  # (B, 1)
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


C40 = "compression=c40"
PRESETS = {
    "raw": Preset("Table I, raw", ("compression=raw",), "Acc 99.74, AUC 99.78, TPR at FPR 10 % 99.32"),
    "c23": Preset("Table I, c23", ("compression=c23",), "Acc 96.95, AUC 99.60, TPR at FPR 10 % 99.03"),
    "c40": Preset("Table I, c40", (C40,), "Acc 88.96, AUC 92.97, TPR at FPR 10 % 79.03"),
    "hr18": Preset("Table III, row 1", ("branches=1", "wavelet=off", C40), "Acc 86.84, AUC 88.96"),
    "hr18-wavelet": Preset("Table III, row 2", ("branches=1", C40), "Acc 87.24, AUC 90.13"),
    "hr32-wavelet": Preset("Table III, row 3", ("branches=1", "backbone=hrnet_w32", C40), "Acc 87.55, AUC 91.02"),
    "dual-sum": Preset("Table III, row 4", ("fusion=sum", C40), "Acc 88.35, AUC 91.72"),
    "dual-bilinear": Preset("Table III, row 5: the method", (C40,), "Acc 88.96, AUC 92.97"),
    "haar": Preset("Table IV, Haar", ("basis=haar", C40), "Acc 88.96, AUC 92.97"),
    "rbio": Preset("Table IV, reverse biorthogonal", ("basis=rbio", C40), "Acc 88.89, AUC 92.85"),
    "pixels": Preset("Section IV-D, the image's score from its pixels", ("score=pixels", C40), "AUC 76.69"),
    "from-f2f": Preset(
        "Table VI, trained on Face2Face alone",
        ("methods=Face2Face", "compression=raw", "metric=auc"),
        "AUC DF 99.07, F2F 99.98, FS 62.98, NT 85.12",
    ),
}

DETECTOR = Detector(
    name="wavelet",
    paper="Jia et al., Inconsistency-Aware Wavelet Dual-Branch Network for Face Forgery Detection, IEEE TBIOM 2021",
    settings=WaveletSettings,
    plan=plan,
    build=WaveletNetwork,
    presets=PRESETS,
    renamed={"twin": "copy_branch1"},
)
