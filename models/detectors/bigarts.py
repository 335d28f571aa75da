"""BiG-Arts: a ResNet-18 whose features two U-Net decoders must turn into the manipulated region and its boundary.

Chen et al., "Watching the BiG artifacts: Exposing DeepFake videos via Bi-granularity artifacts", Pattern Recognition.
There is no code of this method; sampling, blending and training rhythm are those of the same team's public code for
another challenge.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from torch import Tensor, nn

from models.detectors.base import SOURCES, Batch, Detector, Network, Outputs
from models.detectors.protocols.bigarts import PROTOCOL
from models.detectors.settings import METRICS, Settings, option
from models.detectors.spec import Augmentation, Cosine, Epoch, Phase, Plan, Step, augmentations
from models.nn.backbones import WEIGHTS, Normalise, conv_bn_relu, resnet18
from models.nn.losses import class_loss, known_rows, pixel_bce
from pipeline.errors import ConfigError

MIXES = {  # rows of a batch of 32, by the blends in use; the paper gives the first, the others keep half of it real
    frozenset(("rr", "fr")): {"real": 16, "fake": 5, "rr": 5, "fr": 6},
    frozenset(("rr",)): {"real": 16, "fake": 8, "rr": 8},
    frozenset(("fr",)): {"real": 16, "fake": 8, "fr": 8},
    frozenset(): {"real": 16, "fake": 16},
}
TRUTHS = {"in": "hull", "ex": "boundary"}


@dataclass(frozen=True, kw_only=True)
class BigartsSettings(Settings):
    """The paper's values, or what each setting says; `code` is the same team's for another challenge."""

    size: int = option(256, "side of the network's input, pixels", "paper, 4.1", low=64)
    batch: int = option(32, "rows of an optimiser step", "paper, 4.1", low=1)
    epochs: int = option(1200, "epochs of one random frame of each video", "paper, 4.1; one frame: code", low=1)
    lr: float = option(1e-3, "highest learning rate", "paper, 4.1", low=0.0)
    period: int = option(40, "T_max: epochs from the full learning rate to 0, and as many back up", "paper, 4.1", low=1)
    validate_every: int = option(
        40, "epochs between validations: where the rate is lowest, since it ends at its highest", "code", low=1
    )
    metric: str = option(
        "video_auc",
        "validation figure that the best checkpoint is chosen by",
        "ours: the paper's figure of merit",
        choices=METRICS,
    )
    weights: str = option(
        "tv_in1k", "ImageNet weights of the encoder, by timm's tag", "code: torchvision's", choices=WEIGHTS["resnet18"]
    )
    weight_decay: float = option(0.0, "of Adam", "ours: the paper gives none", low=0.0)
    branches: tuple[str, ...] = option(
        ("in", "ex"), "decoders there are", "paper, 3.2; fewer: table 6", choices=("in", "ex")
    )
    blend: tuple[str, ...] = option(
        ("rr", "fr"), "kinds of blends beside the stored fakes", "paper, 3.3; fewer: table 5", choices=("rr", "fr")
    )
    blends: str = option(
        "stored",
        "the store's, or made anew for every batch: live",
        "paper, 4.1: on the fly; stored ours, faster",
        choices=("stored", "live"),
    )
    main_input: str = option(
        "encoder",
        "what the classifier reads",
        "ours: figure 3 may show more than the text says",
        choices=("encoder", "encoder+decoders"),
    )
    in_weight: float = option(15.0, "lambda In, of the region's loss", "paper, 4.1", low=0.0)
    ex_weight: float = option(15.0, "lambda Ex, of the boundary's loss", "paper, 4.1", low=0.0)

    def check(self) -> None:
        """Raise ConfigError where two settings contradict each other."""
        if self.size % 64:
            raise ConfigError(f"size is {self.size}; the decoders and the pooled main branch take multiples of 64.")


def plan(settings: BigartsSettings) -> Plan:
    """Return what training needs.

    Adam (0.9, 0.999) from 1e-3 along a cosine that falls for 40 epochs and rises for 40. An epoch is one random frame
    of every video [the team's code]: twice as many rows as there are real training videos, half of them real. JPEG of
    quality 75 to 100 is the only augmentation [paper], for a quarter of the images [the team's code].
    """
    step = Step("main", settings.lr, Cosine(settings.period), weight_decay=settings.weight_decay)
    truths = tuple(TRUTHS[branch] for branch in settings.branches)
    blends = ("image", "kind", *truths) if settings.blend else ()
    sources = tuple(f"blend/{name}" for name in blends) if settings.blends == "stored" else _live(settings)
    return Plan(
        arrays=("image", "label", *truths, *(name for name in sources if name not in truths)),
        maps=truths,
        truth=truths[0] if truths else "",
        size=settings.size,
        batch=settings.batch,
        epoch=Epoch(frames="one", mix=MIXES[frozenset(settings.blend)], pairs=settings.pairs),
        phases=(Phase("main", settings.epochs, (step,), every_epochs=settings.validate_every),),
        metric=settings.metric,
        cam="layer4",
        augmentations=augmentations(settings.augment, Augmentation("jpeg", 0.25, 75, 100)),
        compression=settings.compression,
        methods=settings.methods,
        blends=settings.blends if settings.blend else "",
        backbone="resnet18",
    )


def _live(settings: BigartsSettings) -> tuple[str, ...]:
    """Return the arrays that blending anew reads: landmarks to match faces by, and a fake's region."""
    return ("landmarks", "real", "hull") if settings.blend else ()


class Decoder(nn.Module):
    """A U-Net decoder: five blocks with skips from the encoder, channel and spatial attention, and a 1x1 convolution.

    A block: doubled by nearest neighbour, skip appended, scSE, twice (Conv3x3, batch norm, ReLU), scSE; 256, 128, 64,
    32 and 16 channels; scSE gives x cSE(x) + x sSE(x), reduced 16-fold inside.
    """

    def __init__(self) -> None:
        super().__init__()
        encoder, decoder = (3, 64, 64, 128, 256, 512), (256, 128, 64, 32, 16)
        self.unet = UnetDecoder(encoder, decoder, n_blocks=5, attention_type="scse")
        self.unet.blocks[-1].attention1 = nn.Identity()  # made for a skip that the last block does not have
        self.draw = nn.Conv2d(16, 1, 1)

    def forward(self, image: Tensor, features: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the last block's features (B, 16, 256, 256) and logits (B, 1, 256, 256)."""
        x = self.unet([image, *features.values()])
        return x, self.draw(x)


class BigArts(Network):
    """Encoder, main branch and decoders; the decoders teach the encoder through their skips."""

    terms: ClassVar[Mapping[str, str]] = {"class": "label", "in": "hull", "ex": "boundary"}

    def __init__(self, settings: BigartsSettings, pretrained: bool) -> None:
        super().__init__()
        self.settings = settings
        self.normalise = Normalise()
        self.encoder = resnet18(settings.weights if pretrained else "")
        self.decoders = nn.ModuleDict({f"draw_{branch}": Decoder() for branch in settings.branches})
        more = 16 * len(settings.branches) if settings.main_input != "encoder" else 0
        self.main = nn.Sequential(conv_bn_relu(512 + more, 512), conv_bn_relu(512, 512), nn.MaxPool2d(2))
        self.classify = nn.Linear(512, 1)

    def forward(self, batch: Batch) -> Outputs:
        """Run on images of 256 pixels (or another multiple of 64); `maps` are logits of `in` and `ex`."""
        image = self.normalise(batch["image"])  # (B, 3, 256, 256)
        features = self.encoder(image, tuple(self.encoder.stages))  # 64x128, 64x64, 128x32, 256x16, 512x8
        x = features["layer4"]  # (B, 512, 8, 8)
        maps, drawn = {}, [x]
        for name, decoder in self.decoders.items():
            decoded, maps[name.removeprefix("draw_")] = decoder(image, features)
            drawn.append(F.adaptive_avg_pool2d(decoded, x.shape[-1]))  # (B, 16, 8, 8)
        if self.settings.main_input != "encoder":
            x = torch.cat(drawn, 1)  # (B, 544, 8, 8)
        main = self.main(x)  # (B, 512, 4, 4)
        return Outputs(self.classify(main.mean((2, 3))), maps=maps, features={**features, "main": main})

    def loss(self, outputs: Outputs, batch: Batch, step: str = "main") -> dict[str, Tensor]:
        """Return L = 15 L_in + 15 L_ex + L_cls, equation 2.

        Each is a cross-entropy; equations 3 to 5 lack its minus, and a sum over 65 536 pixels times 15 would leave
        nothing for the classifier, so we take means.
        """
        terms = {"class": class_loss(outputs.logits, batch["label"])}
        if "in" in outputs.maps:
            terms["in"] = self.settings.in_weight * pixel_bce(outputs.maps["in"], inside(batch))
        if "ex" in outputs.maps:
            terms["ex"] = self.settings.ex_weight * pixel_bce(outputs.maps["ex"], batch["boundary"])
        return terms

    def rows(self, batch: Batch, step: str = "main") -> dict[str, Tensor]:
        """Return how many rows each term is averaged over."""
        counts = super().rows(batch, step)
        return counts | {"in": known_rows(inside(batch)).sum()} if "in" in counts else counts

    def localise(self, outputs: Outputs, size: int) -> Tensor | None:
        """Return the region's probabilities, or the boundary's where that is the only branch; (B, 1, size, size)."""
        for logits in outputs.maps.values():
            return F.interpolate(logits.float(), (size, size), mode="bilinear", align_corners=False).sigmoid()
        return None


def inside(batch: Batch) -> Tensor:
    """Return the target of the intrinsic branch, (B, 1, S, S).

    Unknown (NaN) for stored fakes whose region is empty: nothing exceeded the threshold, though something was changed.
    A (Real,Real) blend's empty region is true: it has a boundary and no synthetic pixels.
    """
    hull = batch["hull"]
    empty = (batch["source"] == SOURCES.index("fake")) & (hull.nan_to_num().amax((1, 2, 3)) == 0)  # (B,)
    return hull.masked_fill(empty[:, None, None, None], torch.nan)


DETECTOR = Detector(
    name="bigarts",
    paper="Chen et al., Watching the BiG artifacts: Exposing DeepFake videos via Bi-granularity artifacts",
    settings=BigartsSettings,
    plan=plan,
    build=BigArts,
    presets=PROTOCOL.presets,
    tables=PROTOCOL.tables,
)
