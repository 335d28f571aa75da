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
from models.detectors.settings import METRICS, Preset, Settings
from models.detectors.spec import Augmentation, Epoch, Phase, Plan, Step, augmentations
from models.nn.backbones import HALF, Normalise, xception
from models.nn.losses import EPSILON, class_loss, full_precision, mean_known, pixel_l1, shrink
from pipeline.config import setting
from pipeline.errors import ConfigError

TERMS = ("cls", "at", "dis", "gan")


@dataclass(frozen=True, kw_only=True)
class AnticompressionSettings(Settings):
    """The paper's values; where it is silent, the comment says so."""

    size: int = setting(299, low=64)  # Xception's own
    batch: int = setting(32, low=1)  # pairs
    epochs: int = setting(20, low=1)  # at most; ours
    lr: float = setting(1e-4, low=0.0)
    metric: str = setting("loss", choices=METRICS)
    patience: int = setting(3, low=0)  # "stopped when the loss doesn't reduce": validations without a better one; ours
    compression: str = setting("c40")  # of the low-quality image
    high: str = setting("c23")  # compression of its twin
    train_quality: str = setting("c23+c40", choices=("c23+c40", "c40"))  # c40: one branch, low quality alone
    losses: tuple[str, ...] = setting(TERMS, choices=TERMS)  # without at there is no attention layer
    gan_weight: float = setting(1e-3, low=0.0)  # lambda 1
    at_weight: float = setting(1.0, low=0.0)  # lambda 2
    dis_weight: float = setting(0.1, low=0.0)  # lambda 3
    inner: float = setting(5.0, low=0.0)  # r-: codes of reals within
    outer: float = setting(75.0, low=0.0)  # r+: codes of fakes beyond
    attention: str = setting("conv", choices=("conv", "separable"))  # separable: as in the work cited
    attention_loss: str = setting("transfer", choices=("transfer", "common_gt"))  # common_gt: both from the truth
    teacher: str = setting("detached", choices=("detached", "joint"))  # ours: the transfer moves the low branch alone
    critic_steps: int = setting(1, low=1, high=5)  # for each batch; ours, WGAN-GP has 5
    critic_lr: float = setting(1e-4, low=0.0)  # WGAN-GP
    penalty: float = setting(10.0, low=0.0)  # on the critic's gradient; WGAN-GP
    truth: str = setting("mask", choices=("mask", "ssim"))  # ssim: for data without mask videos

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
    main = Step("main", settings.lr)
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
    )


class Branch(nn.Module):
    """An Xception with an attention map between its blocks 7 and 8."""

    def __init__(self, settings: AnticompressionSettings, pretrained: bool) -> None:
        super().__init__()
        self.entry, self.leave = xception(pretrained).cut("block7")
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


DF = "methods=Deepfakes"
PRESETS = {
    "full": Preset("Table 1", (), "LQ ACC 87.69, AUC 0.915"),
    "cls": Preset("Table 2, row 1", (DF, "losses=cls", "train_quality=c40"), "ACC 94.92, AUC 98.87"),
    "cls-at": Preset("Table 2, row 2", (DF, "losses=cls,at"), "ACC 95.33, AUC 99.26"),
    "cls-at-dis": Preset("Table 2, row 3", (DF, "losses=cls,at,dis"), "ACC 95.46, AUC 99.37"),
    "cls-at-dis-gan": Preset("Table 2, row 4", (DF,), "ACC 95.71, AUC 99.20"),
    "common-gt": Preset(
        "Section 4.4, one ground-truth map for both", (DF, "losses=cls,at", "attention_loss=common_gt")
    ),
}

DETECTOR = Detector(
    name="anticompression",
    paper="Cao et al., Metric Learning for Anti-Compression Facial Forgery Detection",
    settings=AnticompressionSettings,
    plan=plan,
    build=Anticompression,
    presets=PRESETS,
)
