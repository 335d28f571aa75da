"""Detect and Locate: Xception with segmentation and noise maps drawn at three depths, which steer the classifier.

Kong et al., "Detect and Locate: A Face Anti-Manipulation Approach with Semantic and Noise-level Supervision". Layers,
loss weights and sizes are those of the authors' code, which differs from the paper in places: `separable`,
`attention`, `lr_second=code`. The code has no first step; its classifier is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from timm.models.xception import Block
from torch import Tensor, nn

from models.detectors.base import Batch, Detector, Network, Outputs
from models.detectors.protocols.locate import PROTOCOL
from models.detectors.settings import METRICS, Settings, option
from models.detectors.spec import Augmentation, Epoch, Phase, Plan, Step, augmentations
from models.nn.backbones import HALF, WEIGHTS, Normalise, xception
from models.nn.losses import class_loss, pixel_bce, pixel_l1, shrink
from pipeline.errors import ConfigError

TAPS = {"f1": "conv2", "f2": "block2", "f3": "block11"}  # stages of Xception
GRID = 19  # side of f3 for an image of 299: what the classifier's unpadded convolutions are made for


@dataclass(frozen=True, kw_only=True)
class LocateSettings(Settings):
    """The paper's values, or what each setting says; `code` is the authors' own."""

    size: int = option(299, "side of the network's input, pixels", "paper, IV-D; code", low=64)
    batch: int = option(32, "rows of an optimiser step", "paper, IV-B", low=1)
    epochs: int = option(10, "epochs of each step of training", "code", low=1)
    lr: float = option(2e-4, "learning rate of the first step, or the only one", "paper, IV-B", low=0.0)
    lr_second: float = option(
        2e-4,
        "learning rate of the second step",
        "paper, IV-B: one rate; the code's default is another",
        low=0.0,
        named={"paper": 2e-4, "code": 2e-5},
    )
    weight_decay: float = option(1e-5, "of Adam", "paper, IV-B", low=0.0)
    metric: str = option(
        "task", "what chooses the best; task: auc, of several classes accuracy", "code: auc", choices=("task", *METRICS)
    )
    validate_every: int = option(3000, "steps between validations", "code", low=1)
    weights: str = option(
        "tf_in1k", "ImageNet weights, by timm's tag", "paper, IV-B: ImageNet", choices=WEIGHTS["legacy_xception"]
    )
    classes: int = option(2, "5: the four methods of FaceForensics++ told apart", "paper, IV-C", low=2)
    seg: bool = option(True, "semantic maps are drawn", "paper, III-B; off: IV-E")
    noise: bool = option(True, "noise maps are drawn", "paper, III-C; off: IV-E")
    two_steps: bool = option(True, "first without the noise branch, then, where both are on, all", "paper, IV-B")
    taps: tuple[str, ...] = option(
        ("f3", "f2", "f1"), "depths that maps are drawn at", "paper, III-A; fewer: IV-E", choices=tuple(TAPS)
    )
    gammas: tuple[float, ...] = option(
        (0.1, 0.2, 0.7), "weights of the maps of f1, f2, f3; sum 1", "paper, equation 8, IV-D", low=0.0, high=1.0
    )
    noise_weight: float = option(0.1, "lambda 1, of the noise maps' loss", "code: the paper gives none", low=0.0)
    seg_weight: float = option(1.0, "lambda 2, of the semantic maps' loss", "code: the paper gives none", low=0.0)
    noise_scale: float = option(1.0, "on the noise target |W| / 255, whose mean is near 0.01", "code: none", low=0.0)
    separable: bool = option(
        False, "depthwise separable 3x3 convolutions, as the paper says (III-B)", "code: full convolutions"
    )
    attention: str = option(
        "logit", "the map's logit or its probability weighs the features", "code: logit", choices=("logit", "sigmoid")
    )
    truth: str = option("mask", "map drawn; ssim: without mask videos", "paper, IV-A", choices=("mask", "ssim"))

    def check(self) -> None:
        """Raise ConfigError where two settings contradict each other."""
        if len(self.gammas) != 3 or abs(sum(self.gammas) - 1) > 1e-6 or not self.gammas[2]:
            raise ConfigError("gammas must be three weights that add up to 1, for f1, f2 and f3, the last not 0.")
        if (self.seg or self.noise) and "f3" not in self.taps:
            raise ConfigError("taps must hold f3: the classifier reads its features.")

    @property
    def selection(self) -> str:
        """Metric by which the best checkpoint is chosen."""
        by_task = "auc" if self.classes == 2 else "accuracy"  # AUC is that of real against fake: blind to the classes
        return by_task if self.metric == "task" else self.metric

    @property
    def staged(self) -> bool:
        """Whether training has a first step without noise."""
        return self.seg and self.noise and self.two_steps


def plan(settings: LocateSettings) -> Plan:
    """Return what training needs.

    Adam (0.9, 0.999), best by validation AUC every 3000 steps; each step of training starts from
    the best of the one before. As many reals as fakes: the paper samples four times the frames of a real video.
    """
    first = Step("main", settings.lr, weight_decay=settings.weight_decay)
    second = Step("main", settings.lr_second, weight_decay=settings.weight_decay)
    steps = {"first": first, "second": second} if settings.staged else {"only": first}
    truth = (settings.truth,) if settings.seg else ()
    noise = ("noise",) if settings.noise else ()
    return Plan(
        arrays=("image", "label", *truth, *noise),
        maps=(*truth, *noise),
        truth=settings.truth if truth else "",
        size=settings.size,
        batch=settings.batch,
        classes=settings.classes,
        epoch=Epoch(mix={"real": 1, "fake": 1}, pairs=settings.pairs),
        phases=tuple(
            Phase(name, settings.epochs, (step,), every_steps=settings.validate_every) for name, step in steps.items()
        ),
        metric=settings.selection,
        cam="f3",
        augmentations=augmentations(settings.augment, Augmentation("flip", 0.5)),
        compression=settings.compression,
        methods=settings.methods,
        backbone="legacy_xception",
    )


def conv3(inputs: int, outputs: int, separable: bool, padding: int = 1) -> nn.Module:
    """Return a 3x3 convolution, or its depthwise separable form (without a pointwise part where widths agree)."""
    if not separable:
        return nn.Conv2d(inputs, outputs, 3, padding=padding)
    depthwise = nn.Conv2d(inputs, inputs, 3, padding=padding, groups=inputs)
    return depthwise if inputs == outputs else nn.Sequential(depthwise, nn.Conv2d(inputs, outputs, 1))


class Maps(nn.Module):
    """Map predictors on the tapped features: segmentation (2 channels) or noise (1 channel).

    No activations and no batch norm between the layers, as in the authors' code. Sizes for an image of 299.
    """

    def __init__(self, taps: tuple[str, ...], channels: int, separable: bool) -> None:
        super().__init__()
        self.heads = nn.ModuleDict()
        if "f1" in taps:  # (B, 64, 147, 147) -> (B, c, 147, 147)
            self.heads["f1"] = nn.Sequential(
                *(conv3(64, 64, separable), nn.Conv2d(64, 128, 1), nn.MaxPool2d(2)),  # 73
                *(conv3(128, 128, separable), nn.Conv2d(128, 256, 1), nn.MaxPool2d(2)),  # 36
                nn.ConvTranspose2d(256, 64, 5, stride=2, padding=1),  # 73
                nn.ConvTranspose2d(64, channels, 5, stride=2, padding=1),  # 147
            )
        if "f2" in taps:  # (B, 256, 37, 37) -> (B, c, 37, 37)
            self.heads["f2"] = nn.Sequential(
                *(conv3(256, 256, separable), nn.Conv2d(256, 512, 1), nn.MaxPool2d(2)),  # 18
                nn.ConvTranspose2d(512, channels, 5, stride=2, padding=1),  # 37
            )
        # (B, 728, 19, 19) -> the feature the classifier reads (B, 64, 19, 19) -> (B, c, 19, 19)
        self.feature = nn.Sequential(conv3(728, 256, separable), nn.Conv2d(256, 64, 1))
        self.heads["f3"] = nn.Sequential(
            nn.ConvTranspose2d(64, 16, 3, padding=1),
            nn.ConvTranspose2d(16, channels, 3, padding=1),
        )

    def forward(self, tapped: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the feature at f3, and the maps by tap."""
        feature = self.feature(tapped["f3"])
        return feature, {tap: head(feature if tap == "f3" else tapped[tap]) for tap, head in self.heads.items()}


class Classifier(nn.Module):
    """From map features of `width` channels on a 19x19 grid to the class.

    Images of another size than 299 have another grid; it is resized to 19x19, since nothing smaller passes the two
    unpadded convolutions.
    """

    def __init__(self, width: int, outputs: int, separable: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Block(width, width, 2, 2),  # (B, width, 10, 10)
            *(conv3(width, width, separable, 0), nn.Conv2d(width, 256, 1), nn.BatchNorm2d(256), nn.ReLU()),  # 8
            nn.MaxPool2d(2),  # 4
            *(conv3(256, 256, separable, 0), nn.Conv2d(256, 728, 1), nn.BatchNorm2d(728), nn.ReLU()),  # 2
            nn.Flatten(),  # (B, 2912)
            nn.Linear(2912, 100),
            nn.Linear(100, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, outputs)."""
        if x.shape[-2:] != (GRID, GRID):
            x = F.interpolate(x, (GRID, GRID), mode="bilinear", align_corners=False)
        logits: Tensor = self.layers(x)
        return logits


class Locate(Network):
    """The whole network; with neither `seg` nor `noise`, plain Xception.

    In the first of two training steps the class comes from the segmentation features alone, through a classifier of
    its own that later steps no longer need; a checkpoint remembers which step it belongs to.
    """

    terms: ClassVar[Mapping[str, str]] = {"class": "label", "seg": "truth", "noise": "noise"}

    def __init__(self, settings: LocateSettings, pretrained: bool) -> None:
        super().__init__()
        self.settings, self.truth, self.early = settings, settings.truth, False
        self.normalise = Normalise(HALF)
        self.body, leave = xception(settings.weights if pretrained else "").cut("block11")
        outputs = 1 if settings.classes == 2 else settings.classes
        self.seg = Maps(settings.taps, 2, settings.separable) if settings.seg else None
        self.noise = Maps(settings.taps, 1, settings.separable) if settings.noise else None
        width = 64 * (settings.seg + settings.noise)
        if width:
            self.classify: nn.Module = Classifier(width, outputs, settings.separable)
            self.first = Classifier(64, outputs, settings.separable) if settings.staged else None
        else:
            self.leave, self.first = leave, None
            self.classify = nn.Linear(2048, outputs)

    def start(self, phase: Phase) -> None:
        """Train backbone, segmentation and the early classifier first, then all but that classifier."""
        self.early = phase.name == "first"
        if self.first is not None and self.noise is not None:
            self.first.requires_grad_(self.early)
            self.noise.requires_grad_(not self.early)
            self.classify.requires_grad_(not self.early)

    def get_extra_state(self) -> Tensor:
        """Return what a checkpoint holds beside the weights: 1 in the first step of training."""
        return torch.tensor(int(self.early))

    def set_extra_state(self, state: Tensor) -> None:
        """Take a checkpoint's step of training."""
        self.early = bool(state.item())

    def forward(self, batch: Batch) -> Outputs:
        """Run on images of 299 pixels; `maps` holds seg_f1, noise_f1 and so on, the former two logits a pixel."""
        stages = self.body(self.normalise(batch["image"]), tuple(TAPS.values()))  # from (B, 3, 299, 299)
        tapped = {tap: stages[stage] for tap, stage in TAPS.items()}  # 64x147x147, 256x37x37, 728x19x19
        maps: dict[str, Tensor] = {}
        features: list[Tensor] = []
        if self.seg is not None:
            feature, drawn = self.seg(tapped)
            features.append(feature)  # (B, 64, 19, 19)
            maps |= {f"seg_{tap}": drawn[tap] for tap in drawn}
        if self.noise is not None and not self.early:
            feature, drawn = self.noise(tapped)
            features.append(feature)  # (B, 64, 19, 19)
            maps |= {f"noise_{tap}": drawn[tap] for tap in drawn}
        if not features:
            x = self.leave(tapped["f3"])["conv4"]  # (B, 2048, 10, 10)
            return Outputs(self.classify(x.mean((2, 3))), features=tapped)
        fused = torch.cat(features, 1)  # (B, 128, 19, 19)
        if "seg_f3" in maps:
            attention = maps["seg_f3"][:, :1]  # (B, 1, 19, 19), the logit of "manipulated"
            fused = fused * (attention if self.settings.attention == "logit" else attention.sigmoid())
        classify = self.first if self.early and self.first is not None else self.classify
        return Outputs(classify(fused), maps=maps, features={**tapped, "fused": fused})

    def loss(self, outputs: Outputs, batch: Batch, step: str = "main") -> dict[str, Tensor]:
        """Return L = L_c + lambda_1 L_n + lambda_2 L_b, equation 1.

        L_b (equation 3) sums over depths the cross-entropy of both channels with (m, 1 - m); L_n (equation 6) the mean
        absolute error of the noise: the code's, where the equation has sums.
        """
        terms = {"class": class_loss(outputs.logits, batch["label"])}
        seg = [drawn for name, drawn in outputs.maps.items() if name.startswith("seg")]
        noise = [drawn for name, drawn in outputs.maps.items() if name.startswith("noise")]
        if seg:
            truth = batch[self.truth]
            losses = [pixel_bce(drawn, torch.cat([m := shrink(truth, drawn.shape[-2:]), 1 - m], 1)) for drawn in seg]
            terms["seg"] = self.settings.seg_weight * sum(losses[1:], losses[0])
        if noise:
            wanted = batch["noise"] * self.settings.noise_scale
            losses = [pixel_l1(drawn, shrink(wanted, drawn.shape[-2:])) for drawn in noise]
            terms["noise"] = self.settings.noise_weight * sum(losses[1:], losses[0])
        return terms

    def localise(self, outputs: Outputs, size: int) -> Tensor | None:
        """Return the weighted sum of the three maps' probabilities, (B, 1, size, size), equation 8.

        The weights are those of the taps there are, scaled to add up to 1.
        """
        if self.seg is None:
            return None
        weights = dict(zip(TAPS, self.settings.gammas, strict=True))
        drawn = {tap: outputs.maps[f"seg_{tap}"][:, :1].float().sigmoid() for tap in self.seg.heads}
        large = {tap: F.interpolate(m, (size, size), mode="bilinear", align_corners=False) for tap, m in drawn.items()}
        total = sum(weights[tap] for tap in large)
        return torch.stack([weights[tap] / total * m for tap, m in large.items()]).sum(0)


DETECTOR = Detector(
    name="locate",
    paper="Kong et al., Detect and Locate: A Face Anti-Manipulation Approach with Semantic and Noise-level Supervision",
    settings=LocateSettings,
    plan=plan,
    build=Locate,
    presets=PROTOCOL.presets,
    tables=PROTOCOL.tables,
)
