"""A detector of a few hundred weights with every feature a plan may ask for: it trains in milliseconds."""

from dataclasses import dataclass

import torch
from torch import nn

from models.detectors.base import Detector, Network, Outputs
from models.detectors.settings import METRICS, Settings
from models.detectors.spec import Augmentation, Drops, Epoch, Phase, Plan, Step, augmentations
from models.nn.losses import class_loss, pixel_bce
from pipeline.config import setting


@dataclass(frozen=True, kw_only=True)
class ToySettings(Settings):
    size: int = setting(32, low=8)
    batch: int = setting(8, low=1)
    epochs: int = setting(4, low=1)
    lr: float = setting(0.01, low=0.0)
    metric: str = setting("auc", choices=METRICS)
    drops: tuple[int, ...] = setting((2,))
    every_steps: int = setting(0, low=0)
    patience: int = setting(0, low=0)
    fits: int = setting(0, low=0)  # rows that memory holds; 0: any number
    broken: int = setting(0, low=0)  # forward pass in training whose loss is NaN
    classes: int = setting(2, low=2)


def plan(settings):
    steps = (Step("critic", 0.01, times=2), Step("main", settings.lr, Drops(settings.drops)))
    more = {"every_steps": settings.every_steps, "patience": settings.patience}
    flip, rotate = Augmentation("flip", 0.5), Augmentation("rotate", 0.5, -10, 10)
    return Plan(
        arrays=("image", "label", "ssim"),
        maps=("ssim",),
        truth="ssim",
        size=settings.size,
        batch=settings.batch,
        classes=settings.classes,
        epoch=Epoch(mix={"real": 1, "fake": 1}, pairs=settings.pairs),
        phases=(
            Phase("first", settings.epochs, steps, reload=settings.drops, **more),
            Phase("second", 1, steps[1:], **more),
        ),
        metric=settings.metric,
        cam="features",
        augmentations=augmentations(settings.augment, flip, rotate, Augmentation("noise", 0.5, 0.01, 0.02)),
        compression=settings.compression,
        methods=settings.methods,
    )


class Toy(Network):
    terms = {"class": "label", "map": "ssim", "critic": "label"}  # noqa: RUF012
    truth = "ssim"

    def __init__(self, settings, pretrained):
        super().__init__()
        self.settings, self.passes = settings, 0
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU())
        self.draw = nn.Conv2d(6, 1, 1)
        self.classify = nn.Linear(6, 1 if settings.classes == 2 else settings.classes)
        self.critic = nn.Linear(6, 1)
        self.register_buffer("seen", torch.zeros(1))
        self.register_buffer("level", torch.zeros(1))

    def parameters_of(self, step):
        return [p for name, p in self.named_parameters() if name.startswith("critic") == (step == "critic")]

    def forward(self, batch):
        if self.settings.fits and len(batch["image"]) > self.settings.fits:
            raise torch.OutOfMemoryError("out of memory")
        x = self.body(batch["image"])
        logits = self.classify(x.mean((2, 3)))
        self.passes += self.training
        if self.training and self.passes == self.settings.broken:
            logits = logits * torch.nan
        drawn = nn.functional.interpolate(self.draw(x), batch["image"].shape[-2:], mode="bilinear")
        return Outputs(logits, maps={"map": drawn}, features={"features": x})

    def loss(self, outputs, batch, step="main"):
        if step == "critic":
            judged = self.critic(outputs.features["features"].detach().mean((2, 3)))
            return {"critic": class_loss(judged, batch["label"]) + 0 * torch.rand(())}
        return {
            "class": class_loss(outputs.logits, batch["label"]),
            "map": pixel_bce(outputs.maps["map"], batch["ssim"]),
        }

    def localise(self, outputs, size):
        return nn.functional.interpolate(outputs.maps["map"], (size, size), mode="bilinear").sigmoid()

    def measure(self, images):
        self.level.fill_(torch.cat(list(images)).double().mean())
        return {"image": {"mean": self.level.tolist()}}

    def end_epoch(self, means):
        self.seen.fill_(means["class"])


TOY = Detector("toy", "nobody, nowhere", ToySettings, plan, Toy)
