"""GRnet: one ResNet-18 sees the image, another its guided residual; channel attention and weights of loss fuse them.

Guo et al., "Exposing Deepfake Face Forgeries with Guided Residuals". The authors' code could not be obtained; batch,
epochs and augmentation strengths are those of the same first author's later public code, the attention that of DANet,
on which the paper's is modelled.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models.detectors.base import Batch, Detector, Network, Outputs
from models.detectors.protocols.grnet import PROTOCOL
from models.detectors.settings import METRICS, Settings, option
from models.detectors.spec import BALANCES, Augmentation, Exponential, Phase, Plan, Step, augmentations, balanced
from models.nn.backbones import WEIGHTS, Normalise, resnet18
from models.nn.losses import class_loss, full_precision
from models.nn.residuals import RESIDUALS, Residual
from pipeline.errors import ConfigError

ELEMENTWISE: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sum": torch.add,
    "max": torch.maximum,
    "min": torch.minimum,
}


PROCESSES: Mapping[str, tuple[str, ...]] = {"none": (), "jp60": ("jpeg:60",), "me5": ("mean:5",)}


@dataclass(frozen=True, kw_only=True)
class GRnetSettings(Settings):
    """The paper's values, or what each setting says."""

    size: int = option(128, "side of the network's input, pixels; 224 on DFDC", "paper, IV-A", low=32)
    batch: int = option(64, "rows of an optimiser step", "code: the first author's later one", low=1)
    epochs: int = option(20, "epochs of training", "code: the first author's later one", low=1)
    lr: float = option(5e-4, "learning rate of the first epoch, halved after each", "paper, IV-B", low=0.0)
    metric: str = option(
        "accuracy",
        "validation figure that the best checkpoint is chosen by",
        "ours: the paper's key figure",
        choices=METRICS,
    )
    weights: str = option(
        "tv_in1k",
        "ImageNet weights of both streams, by timm's tag",
        "ours: torchvision's, those of the paper's time",
        choices=WEIGHTS["resnet18"],
    )
    classes: int = option(2, "5: FaceForensics++ with its methods told apart; 6: HFF", "paper, IV-E", low=2)
    balance: str = option(
        "even",
        "real to fake 1 to 1 and fakes even over methods, or rows as the store has them",
        "paper, IV-A",
        choices=tuple(BALANCES),
    )
    residual: str = option(
        "mte",
        "input of the second stream; rgb: MTE off",
        "paper, III-B; others: IV-D",
        choices=("mte", "rgb", *RESIDUALS),
    )
    radius: int = option(4, "of the guided filter, pixels", "ours: the paper gives none", low=0)
    epsilon: float = option(4e-4, "of the guided filter, for images in [0, 1]", "ours: the paper gives none", low=0.0)
    guide: str = option(
        "gray", "channels filtered alone, or guided by all three", "paper, equations 5 to 9", choices=("gray", "colour")
    )
    gain: float = option(16.0, "on the guided residual, cut off at 1", "ours: the paper gives none", low=0.0)
    streams: str = option("both", "which streams there are", "paper, III-A", choices=("both", "rgb", "residual"))
    fusion: str = option(
        "afm", "of the two streams; sum: AFM off", "paper, III-C; others: IV-D", choices=("afm", *ELEMENTWISE, "concat")
    )
    cam: str = option(
        "plain",
        "channel attention; danet: softmax of (maximum - E), f + gamma f'",
        "paper, equations 12, 13; danet: cited",
        choices=("plain", "danet"),
    )
    transpose: bool = option(
        False, "features times the transpose of M, as the prose says", "cited: DANet's formula; its rows add up to 1"
    )
    scale: str = option(
        "none",
        "pixels: E divided by their number, if training drifts",
        "paper, equation 12",
        choices=("none", "pixels"),
    )
    aux_weight: float = option(
        1.0,
        "of the streams' own losses; 0: their heads learn, their streams do not",
        "ours: equation 3 has no weight",
        low=0.0,
    )
    process: str = option(
        "none", "crops degraded in training and evaluation: JPEG 60, 5x5 mean", "paper, IV-C", choices=tuple(PROCESSES)
    )

    def check(self) -> None:
        """Raise ConfigError where two settings contradict each other."""
        if self.size % 32:
            raise ConfigError(f"size is {self.size}; this ResNet takes multiples of 32.")


def plan(settings: GRnetSettings) -> Plan:
    """Return what training needs.

    Adam (0.9, 0.999), lr 5e-4 halved after each epoch ["exponential learning rate, gamma = 0.5": paper; per epoch: the
    author's later code], best by validation accuracy. Flip, rotation and perspective [paper], by torchvision's default
    strengths and 10 degrees [later code].
    """
    paper = (
        Augmentation("flip", 0.5),
        Augmentation("rotate", 1.0, -10, 10),
        Augmentation("perspective", 0.5, 0.5, 0.5),
    )
    return Plan(
        arrays=("image", "label"),
        maps=(),
        truth="",
        size=settings.size,
        batch=settings.batch,
        classes=settings.classes,
        epoch=balanced(settings.balance, settings.pairs),
        phases=(Phase("main", settings.epochs, (Step("main", settings.lr, Exponential(0.5)),)),),
        metric=settings.metric,
        cam="residual" if settings.streams == "residual" else "rgb",
        augmentations=augmentations(settings.augment, *paper),
        process=PROCESSES[settings.process],
        compression=settings.compression,
        methods=settings.methods,
        backbone="resnet18",
    )


class ChannelAttention(nn.Module):
    """Let every channel of a feature map look at all others, equations 12 and 13.

    With F of shape (C, hw): E = F F^T; M = softmax of E's rows, so M_ji is channel i's influence on channel j and
    every row adds up to 1; f' = M F. The paper's prose multiplies by the transpose, whose rows do not add up to 1:
    `transpose`. DANet has softmax(row maximum - E) and f + gamma f', gamma starting at 0: `danet`.
    """

    def __init__(self, form: str, transpose: bool, scale: str) -> None:
        super().__init__()
        self.transpose, self.scale = transpose, scale
        self.gamma = nn.Parameter(torch.zeros(1)) if form == "danet" else None

    def weights(self, flat: Tensor) -> Tensor:
        """Return M of shape (B, C, C) for flattened features (B, C, hw)."""
        energy = flat @ flat.mT  # (B, C, C)
        if self.scale == "pixels":
            energy = energy / flat.shape[-1]
        if self.gamma is not None:
            energy = energy.amax(-1, keepdim=True) - energy
        return energy.softmax(-1)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape (B, C, h, w), float32."""
        with full_precision(features):
            exact = features if features.dtype == torch.float64 else features.float()
            flat = exact.flatten(2)  # (B, C, hw)
            weights = self.weights(flat)
            seen = ((weights.mT if self.transpose else weights) @ flat).view_as(features)
            return seen if self.gamma is None else exact + self.gamma * seen


def stream_weights(losses: Tensor) -> Tensor:
    """Return alpha_i = (1 - softmax(L)_i) / (n - 1) for the losses of n streams, equation 14.

    The stream that errs less weighs more. The paper's weights add up to n - 1, which for its two streams is 1.
    """
    return (1 - losses.softmax(0)) / (len(losses) - 1)


class AttentionFusion(nn.Module):
    """AFM: channel attention on each stream, then their sum weighted by how well each did in the last epoch.

    It acts on feature maps, before global pooling: of pooled vectors the attention would have rank 1. The weights are
    buffers: 1/2 each in the first epoch, then held for an epoch, and frozen after training.
    """

    alpha: Tensor

    def __init__(self, settings: GRnetSettings) -> None:
        super().__init__()
        form = (settings.cam, settings.transpose, settings.scale)
        self.attend = nn.ModuleList([ChannelAttention(*form), ChannelAttention(*form)])
        self.register_buffer("alpha", torch.full((2,), 0.5))

    def forward(self, streams: list[Tensor]) -> Tensor:
        """Fuse two streams' features of shape (B, 512, h, w), equation 15."""
        first, second = (attend(x) for attend, x in zip(self.attend, streams, strict=True))
        result: Tensor = self.alpha[0] * first + self.alpha[1] * second
        return result


class GRnet(Network):
    """The whole network; without `fusion=afm` plain fusions, with one stream none."""

    terms: ClassVar[Mapping[str, str]] = {"class": "label", "rgb": "label", "residual": "label"}

    def __init__(self, settings: GRnetSettings, pretrained: bool) -> None:
        super().__init__()
        self.settings = settings
        self.names = ("rgb", "residual") if settings.streams == "both" else (settings.streams,)
        self.inputs = nn.ModuleDict()
        for name in self.names:
            kind = settings.residual if name == "residual" else "rgb"
            guided = (settings.radius, settings.epsilon, settings.guide, settings.gain)
            self.inputs[name] = Normalise() if kind == "rgb" else Residual(kind, *guided)
        self.streams = nn.ModuleDict({name: resnet18(settings.weights if pretrained else "") for name in self.names})
        joint = len(self.names) > 1
        self.fuse = AttentionFusion(settings) if joint and settings.fusion == "afm" else None
        heads = self.names if self.fuse is not None else ()
        self.heads = nn.ModuleDict({name: nn.Linear(512, settings.classes) for name in heads})
        self.classify = nn.Linear(1024 if joint and settings.fusion == "concat" else 512, settings.classes)

    def forward(self, batch: Batch) -> Outputs:
        """Run on images of 128 pixels (or another multiple of 32); `heads` are the streams' own classifiers."""
        streams = {
            name: self.streams[name](self.inputs[name](batch["image"]))["layer4"]  # (B, 512, 4, 4)
            for name in self.names
        }
        fused = self._join(list(streams.values()))  # (B, 512, 4, 4)
        heads = {}
        for name, head in self.heads.items():
            x = streams[name] if self.settings.aux_weight else streams[name].detach()
            heads[name] = head(x.mean((2, 3)))  # (B, K)
        logits = self.classify(fused.mean((2, 3)))  # (B, K)
        return Outputs(logits, heads, features={**streams, "fused": fused})

    def measure(self, images: Iterable[Tensor]) -> dict[str, Any]:
        """Take the standardisation of the residual from the training images."""
        return {name: one.measure(images) for name, one in self.inputs.items() if isinstance(one, Residual)}

    def _join(self, streams: list[Tensor]) -> Tensor:
        if len(streams) == 1:
            return streams[0]
        if self.fuse is not None:
            fused: Tensor = self.fuse(streams)
            return fused
        first, second = streams
        if self.settings.fusion == "concat":
            return torch.cat(streams, 1)  # (B, 1024, 4, 4)
        return ELEMENTWISE[self.settings.fusion](first, second)

    def loss(self, outputs: Outputs, batch: Batch, step: str = "main") -> dict[str, Tensor]:
        """Return L = CE(D(F)) + w (L_1 + L_2).

        Equation 3 has CE(D(F)) alone, and says nothing of how the streams' losses L_1 and L_2, which weigh the
        fusion, are learnt: we minimise them, with w = 1. With w = 0 their heads learn on detached features, which is
        equation 3 to the letter.
        """
        terms = {"class": class_loss(outputs.logits, batch["label"])}
        for name, logits in outputs.heads.items():
            terms[name] = self._aux_weight * class_loss(logits, batch["label"])
        return terms

    @property
    def _aux_weight(self) -> float:
        return self.settings.aux_weight or 1.0  # heads on detached features learn at full rate

    @torch.no_grad()
    def end_epoch(self, means: Mapping[str, float]) -> None:
        """Set the fusion's weights for the next epoch from this one's mean stream losses."""
        if self.fuse is not None:
            losses = torch.tensor([means[name] / self._aux_weight for name in self.names], dtype=torch.float64)
            self.fuse.alpha.copy_(stream_weights(losses))


DETECTOR = Detector(
    name="grnet",
    paper="Guo et al., Exposing Deepfake Face Forgeries with Guided Residuals",
    settings=GRnetSettings,
    plan=plan,
    build=GRnet,
    presets=PROTOCOL.presets,
    tables=PROTOCOL.tables,
)
