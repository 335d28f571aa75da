"""Anti-compression metric learning: an Xception for low quality learns from its twin that sees the same face in high.

Cao et al., "Metric Learning for Anti-Compression Facial Forgery Detection". There is no code by the authors; the
attention is the direct regression map of the work they cite, the critic that of WGAN-GP. Only the branch for low
quality is used for detection.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from models.detectors.base import Batch, Detector, Network, Outputs
from models.detectors.protocols.anticompression import PROTOCOL
from models.detectors.settings import METRICS, Settings, option
from models.detectors.spec import Augmentation, Epoch, Phase, Plan, Step, augmentations
from models.nn.backbones import HALF, WEIGHTS, Normalise, xception
from models.nn.critic import Critic, both_orders, distance, gradient_penalty
from models.nn.losses import EPSILON, class_loss, full_precision, mean_known, pixel_l1, shrink
from pipeline.errors import ConfigError

TERMS = ("cls", "at", "dis", "gan")


@dataclass(frozen=True, kw_only=True)
class AnticompressionSettings(Settings):
    """The paper's values, or what each setting says."""

    size: int = option(299, "side of the network's input, pixels", "cited: Xception's own", low=64)
    batch: int = option(32, "pairs of an optimiser step", "paper, 4.2", low=1)
    epochs: int = option(20, "epochs at most", "ours: the paper gives none", low=1)
    lr: float = option(1e-4, "learning rate", "paper, 4.2", low=0.0)
    metric: str = option(
        "loss", "validation figure that the best checkpoint is chosen by", "paper, 4.2", choices=METRICS
    )
    patience: int = option(
        3, "validations without a better one that end training", "ours: the paper gives no number (4.2)", low=0
    )
    weights: str = option(
        "tf_in1k",
        "ImageNet weights of both branches, by timm's tag",
        "paper, 4.2: ImageNet",
        choices=WEIGHTS["legacy_xception"],
    )
    compression: str = option("c40", "compression of the low-quality image", "paper, table 2")
    high: str = option("c23", "compression of its twin", "paper, table 2")
    train_quality: str = option(
        "c23+c40", "c40: one branch, low quality alone", "paper, table 2", choices=("c23+c40", "c40")
    )
    losses: tuple[str, ...] = option(
        TERMS, "terms of the loss; without at there is no attention layer", "paper, 3.2; fewer: table 2", choices=TERMS
    )
    gan_weight: float = option(1e-3, "lambda 1, of the encoders' adversarial loss", "paper, 4.2", low=0.0)
    at_weight: float = option(1.0, "lambda 2, of the attention transfer", "paper, 4.2", low=0.0)
    dis_weight: float = option(0.1, "lambda 3, of the metric loss", "paper, 4.2", low=0.0)
    inner: float = option(5.0, "r-: codes of reals lie within", "paper, 4.2", low=0.0)
    outer: float = option(75.0, "r+: codes of fakes lie beyond", "paper, 4.2", low=0.0)
    attention: str = option(
        "conv", "layer that draws the map; separable: as in the work cited", "paper, 3.4", choices=("conv", "separable")
    )
    attention_loss: str = option(
        "transfer",
        "common_gt: both maps from the truth",
        "paper, equation 5; common_gt: 4.4",
        choices=("transfer", "common_gt"),
    )
    teacher: str = option(
        "detached",
        "whether the transfer moves the low branch alone",
        "ours: the paper does not say",
        choices=("detached", "joint"),
    )
    critic_steps: int = option(1, "critic's steps for each batch", "ours: WGAN-GP has 5", low=1, high=5)
    critic_lr: float = option(1e-4, "critic's learning rate", "cited: WGAN-GP", low=0.0)
    penalty: float = option(10.0, "on the critic's gradient", "cited: WGAN-GP", low=0.0)
    weight_decay: float = option(0.0, "of the encoders' Adam", "ours: the paper gives none", low=0.0)
    truth: str = option(
        "mask", "map that attention learns; ssim: for data without mask videos", "paper, 4.2", choices=("mask", "ssim")
    )

    def check(self) -> None:
        """Raise ConfigError where two settings contradict each other."""
        if "cls" not in self.losses:
            raise ConfigError("losses must hold cls: nothing else trains the classifier.")
        if "gan" in self.losses and not self.paired:
            raise ConfigError("losses=...,gan compares two qualities: it needs train_quality=c23+c40.")

    @property
    def paired(self) -> bool:
        """Whether training sees every face in both qualities."""
        return self.train_quality == "c23+c40"


def plan(settings: AnticompressionSettings) -> Plan:
    """Return what training needs.

    Adam at 1e-4; the critic's own Adam as in WGAN-GP, before the encoders' step on the same features. The best is the
    one of lowest validation loss. Reals are repeated until they are as many as the fakes. Flip only [ours].
    """
    main = Step("main", settings.lr, weight_decay=settings.weight_decay)
    critic = Step("critic", settings.critic_lr, betas=(0.5, 0.9), times=settings.critic_steps)
    steps = (critic, main) if "gan" in settings.losses else (main,)
    truth = (settings.truth,) if "at" in settings.losses else ()
    return Plan(
        arrays=("image", "label", *truth),
        maps=truth,
        truth=settings.truth if truth else "",
        size=settings.size,
        batch=settings.batch,
        epoch=Epoch(mix={"real": 1, "fake": 1}, pairs=settings.pairs),
        phases=(Phase("main", settings.epochs, steps, patience=settings.patience),),
        metric=settings.metric,
        cam="conv4",
        augmentations=augmentations(settings.augment, Augmentation("flip", 0.5)),
        compression=settings.compression,
        methods=settings.methods,
        twin=settings.high if settings.paired else "",
        backbone="legacy_xception",
    )


class Branch(nn.Module):
    """An Xception with an attention map between its blocks 7 and 8."""

    def __init__(self, settings: AnticompressionSettings, pretrained: bool) -> None:
        super().__init__()
        self.entry, self.leave = xception(settings.weights if pretrained else "").cut("block7")
        self.attend: nn.Module | None = None
        if "at" in settings.losses:
            convolution: nn.Module = nn.Conv2d(728, 1, 3, padding=1)
            if settings.attention == "separable":
                depthwise = nn.Conv2d(728, 728, 3, padding=1, groups=728, bias=False)
                convolution = nn.Sequential(depthwise, nn.Conv2d(728, 1, 1, bias=False))
            self.attend = nn.Sequential(convolution, nn.Sigmoid())
        self.classify = nn.Linear(2048, 2)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return block7 (B, 728, 19, 19), map (B, 1, 19, 19), conv4, code (B, 2048) and logits for 299 pixels."""
        v = self.entry(image)["block7"]  # (B, 728, 19, 19)
        found = {"block7": v}
        if self.attend is not None:
            found["map"] = self.attend(v)  # (B, 1, 19, 19)
            v = v * found["map"]  # equations 3 and 4
        conv4 = self.leave(v)["conv4"]  # (B, 2048, 10, 10)
        code = conv4.mean((2, 3))  # (B, 2048)
        return found | {"conv4": conv4, "code": code, "logits": self.classify(code)}


def length(vectors: Tensor) -> Tensor:
    """Return Euclidean lengths (B,) of (B, d), float32, with a finite gradient at zero."""
    return (vectors.float().square().sum(1) + EPSILON).sqrt()


def spread(codes: list[Tensor], label: Tensor, inner: float, outer: float) -> Tensor:
    """Return the metric loss: codes of reals near the origin, of fakes far from it, of twins near each other.

    Parameters
    ----------
    codes : list of Tensor of shape (B, 2048)
        C_l, and C_h where there are twins.
    label : Tensor of shape (B,)
    inner, outer : float
        r- and r+.

    Returns
    -------
    Tensor of shape ()
        Equation 6, its sums over a batch as means: sums would let its weight depend on the batch's size.
    """
    lengths = torch.stack([length(code) for code in codes])  # (1 or 2, B)
    hinges = torch.where(label == 0, (lengths - inner).relu(), (outer - lengths).relu()).sum(0)  # (B,)
    apart = length(codes[0] - codes[1]) if len(codes) == 2 else torch.zeros_like(hinges)
    return (hinges + apart).mean()


class Anticompression(Network):
    """Both branches and the critic; `high` is there for training alone."""

    terms: ClassVar[Mapping[str, str]] = {
        **{term: "label" for term in ("cls", "transfer", "dis", "gan", "critic")},
        "truth": "truth",
    }

    def __init__(self, settings: AnticompressionSettings, pretrained: bool) -> None:
        super().__init__()
        self.settings, self.truth = settings, settings.truth
        self.normalise = Normalise(HALF)
        self.low = Branch(settings, pretrained)
        self.high = Branch(settings, pretrained) if settings.paired else None
        self.critic = Critic() if "gan" in settings.losses else None

    def parameters_of(self, step: str) -> list[nn.Parameter]:
        """Return the critic's parameters, or for `main` all others."""
        return [p for name, p in self.named_parameters() if name.startswith("critic.") == (step == "critic")]

    def forward(self, batch: Batch) -> Outputs:
        """Run the low branch on `image` and, where there is one, the high branch on `twin`.

        `maps` are probabilities; `features` of the high branch begin with `high_`.
        """
        low = self.low(self.normalise(batch["image"]))  # from (B, 3, 299, 299)
        outputs = Outputs(low.pop("logits"), maps={"low": low["map"]} if "map" in low else {}, features=low)
        if self.high is not None and "twin" in batch:
            high = self.high(self.normalise(batch["twin"]))
            outputs.heads["high"] = high.pop("logits")
            if "map" in high:
                outputs.maps["high"] = high["map"]
            outputs.features |= {f"high_{name}": value for name, value in high.items()}
        return outputs

    def loss(self, outputs: Outputs, batch: Batch, step: str = "main") -> dict[str, Tensor]:
        """Return L = L_cls + 0.001 L_gan + L_at + 0.1 L_dis, or for the step `critic` -W + 10 (gradient penalty).

        L_at comes in two terms, since only one needs the truth: `transfer` between the maps, `truth` from the mask.
        """
        if step == "critic":
            return {"critic": self._critic_loss(outputs)}
        wanted, label, features = self.settings.losses, batch["label"], outputs.features
        heads = [outputs.logits, *outputs.heads.values()]
        terms = {"cls": torch.stack([class_loss(logits, (label > 0).long()) for logits in heads]).sum()}
        if "at" in wanted:
            terms |= {name: self.settings.at_weight * term for name, term in self._attention(outputs, batch).items()}
        if "dis" in wanted:
            codes = [features[name] for name in ("code", "high_code") if name in features]
            terms["dis"] = self.settings.dis_weight * spread(codes, label, self.settings.inner, self.settings.outer)
        if self.critic is not None and "high_block7" in features:
            orders = both_orders(features["high_block7"], features["block7"])
            self.critic.requires_grad_(False)  # this step moves the encoders alone
            with full_precision(orders[0]):
                terms["gan"] = self.settings.gan_weight * distance(self.critic, *orders)
            self.critic.requires_grad_(True)
        return terms

    def _critic_loss(self, outputs: Outputs) -> Tensor:
        if self.critic is None:
            raise ConfigError("There is no critic without gan among the losses.")
        orders = both_orders(outputs.features["high_block7"].detach(), outputs.features["block7"].detach())
        with full_precision(orders[0]):
            penalty = self.settings.penalty * gradient_penalty(self.critic, *orders)
            return penalty - distance(self.critic, *orders)

    def _attention(self, outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of equation 5, as means over pixels."""
        low, high = outputs.maps["low"], outputs.maps.get("high")
        truth = shrink(batch[self.truth], low.shape[-2:], "area")  # (B, 1, 19, 19)
        if high is None:
            return {"truth": pixel_l1(low, truth)}
        if self.settings.attention_loss == "common_gt":
            return {"truth": pixel_l1(high, truth) + pixel_l1(low, truth)}
        teacher = high.detach() if self.settings.teacher == "detached" else high
        gap = (teacher.float() - low.float()).abs()
        return {"transfer": mean_known(gap, torch.ones_like(gap, dtype=torch.bool)), "truth": pixel_l1(high, truth)}

    def localise(self, outputs: Outputs, size: int) -> Tensor | None:
        """Return the low branch's attention map, (B, 1, size, size)."""
        if "low" not in outputs.maps:
            return None
        return nn.functional.interpolate(outputs.maps["low"].float(), (size, size), mode="bilinear")


DETECTOR = Detector(
    name="anticompression",
    paper="Cao et al., Metric Learning for Anti-Compression Facial Forgery Detection",
    settings=AnticompressionSettings,
    plan=plan,
    build=Anticompression,
    presets=PROTOCOL.presets,
    tables=PROTOCOL.tables,
)
