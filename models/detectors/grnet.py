"""GRnet: one ResNet-18 sees the image, another its guided residual; channel attention and weights of loss fuse them.

Guo et al., "Exposing Deepfake Face Forgeries with Guided Residuals". The authors' code could not be obtained; batch,
epochs and augmentation strengths are those of the same first author's later public code, the attention that of DANet,
on which the paper's is modelled.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from models.detectors.base import Batch, Detector, Network, Outputs
from models.detectors.settings import METRICS, Preset, Settings
from models.detectors.spec import BALANCES, Augmentation, Exponential, Phase, Plan, Step, augmentations, balanced
from models.nn.backbones import Normalise, resnet18
from models.nn.losses import class_loss, full_precision
from models.nn.residuals import RESIDUALS, Residual
from pipeline.config import setting
from pipeline.errors import ConfigError

ELEMENTWISE: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sum": torch.add,
    "max": torch.maximum,
    "min": torch.minimum,
}


@dataclass(frozen=True, kw_only=True)
class GRnetSettings(Settings):
    """The paper's values; where it is silent, the comment says so."""

    size: int = setting(128, low=32)  # 224 on DFDC
    batch: int = setting(64, low=1)  # the author's later code
    epochs: int = setting(20, low=1)  # the author's later code
    lr: float = setting(5e-4, low=0.0)
    metric: str = setting("accuracy", choices=METRICS)
    classes: int = setting(2, low=2)  # 5 on FaceForensics++ with its methods told apart, 6 on HFF
    balance: str = setting("even", choices=tuple(BALANCES))  # even: real to fake 1 to 1, fakes even over methods
    residual: str = setting("mte", choices=("mte", "rgb", *RESIDUALS))  # of the second stream; rgb: MTE off
    radius: int = setting(4, low=0)  # of the guided filter, pixels; the paper gives none
    epsilon: float = setting(4e-4, low=0.0)  # for images in [0, 1]; the paper gives none
    guide: str = setting("gray", choices=("gray", "colour"))
    gain: float = setting(16.0, low=0.0)  # on the guided residual, cut off at 1; ours
    streams: str = setting("both", choices=("both", "rgb", "residual"))
    fusion: str = setting("afm", choices=("afm", *ELEMENTWISE, "concat"))  # sum: AFM off
    cam: str = setting("plain", choices=("plain", "danet"))  # danet: softmax of (maximum - E), f + gamma f'
    transpose: bool = setting(False)  # the paper's prose: features times the transpose of M
    scale: str = setting("none", choices=("none", "pixels"))  # pixels: E divided by their number, if training drifts
    aux_weight: float = setting(1.0, low=0.0)  # of the streams' own losses; 0: their heads learn, their streams do not
    process: str = setting("none", choices=("none", "jp60", "me5"))  # crops degraded in training and evaluation

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
        process={"none": (), "jp60": ("jpeg:60",), "me5": ("mean:5",)}[settings.process],
        compression=settings.compression,
        methods=settings.methods,
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
        self.streams = nn.ModuleDict({name: resnet18(pretrained) for name in self.names})
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


MTE_OFF, AFM_OFF, HFF = "residual=rgb", "fusion=sum", ("classes=6", "balance=stored")
TABLE_1 = {  # name: (settings, accuracy on Raw, JP60, ME5)
    "plain": ((MTE_OFF, AFM_OFF), (99.21, 94.41, 98.11)),
    "mte": ((AFM_OFF,), (99.98, 94.85, 98.89)),
    "afm": ((MTE_OFF,), (99.65, 94.97, 98.96)),
    "full": ((), (99.96, 96.48, 99.15)),
}
TABLE_2 = {"highpass": 97.50, "srm": 97.49, "constrained": 95.24, "amten": 98.52, "mte": 99.04}
TABLE_3 = {"max": 94.61, "concat": 95.32, "min": 95.72, "sum": 94.85, "afm": 96.48}
PRESETS = {
    **{
        f"{name}-{process}": Preset(
            f"Table I, {name}, {process}",
            (*values, *HFF, f"process={'none' if process == 'raw' else process}"),
            f"ACC {reported:.2f}",
        )
        for name, (values, accuracies) in TABLE_1.items()
        for process, reported in zip(("raw", "jp60", "me5"), accuracies, strict=True)
    },
    **{
        f"residual-{kind}": Preset(
            f"Table II, {kind} (there on AMTEN's backbone)",
            ("streams=residual", f"residual={kind}", *HFF),
            f"ACC {reported:.2f}",
        )
        for kind, reported in TABLE_2.items()
    },
    **{
        f"fusion-{kind}": Preset(f"Table III, {kind}", (f"fusion={kind}", *HFF, "process=jp60"), f"ACC {reported:.2f}")
        for kind, reported in TABLE_3.items()
    },
    "ffpp-c23": Preset("FF++ HQ, binary", ("compression=c23",), "ACC 97.47"),
    "ffpp-c40": Preset("FF++ LQ, binary", ("compression=c40",), "ACC 96.68"),
    "ffpp5-c23": Preset("FF++ HQ, five classes", ("classes=5", "compression=c23"), "ACC 97.79"),
    "ffpp5-c40": Preset("FF++ LQ, five classes", ("classes=5", "compression=c40"), "ACC 96.58"),
    "dfdc": Preset("DFDC", ("size=224", "balance=stored"), "ACC 99.09, AUC 99.74"),
}

DETECTOR = Detector(
    name="grnet",
    paper="Guo et al., Exposing Deepfake Face Forgeries with Guided Residuals",
    settings=GRnetSettings,
    plan=plan,
    build=GRnet,
    presets=PRESETS,
)
