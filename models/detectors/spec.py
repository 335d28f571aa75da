"""Plan of a detector in plain values: rows and their order, augmentations, optimisers, schedules, validation."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from pipeline.errors import ConfigError, StoreError
from pipeline.labels import LABELS

# Operations of augmentation, and the meaning of the range [low, high] from which a strength is drawn uniformly.
OPERATIONS: Mapping[str, str] = {
    "flip": "mirrored left to right; no range",
    "rotate": "rotation about the centre, degrees",
    "perspective": "distortion scale of a random perspective, share of half the side",
    "crop": "side of a random square kept, share of the side; resized back",
    "noise": "standard deviation of added Gaussian noise, for an image in [0, 1]",
    "blur": "side of a Gaussian kernel, odd pixels",
    "brightness": "factor on the image",
    "contrast": "factor on the distance to the mean grey level",
    "saturation": "factor on the distance to the pixel's grey level",
    "tint": "largest change of a colour channel's factor from 1, drawn for each channel",
    "jpeg": "JPEG quality",
}
GEOMETRIC = ("flip", "rotate", "perspective", "crop")  # act on image, twin and every map with the same draw


@dataclass(frozen=True)
class Augmentation:
    """One augmentation: an operation, its probability for each row, and its range of strengths (see `OPERATIONS`)."""

    operation: str
    probability: float
    low: float = 0.0
    high: float = 0.0


# Ours, for any detector: mirroring, lighting and JPEG, which keep the differences between a fake and its surroundings.
STRONG = (
    Augmentation("flip", 0.5),
    Augmentation("brightness", 0.5, 0.7, 1.3),
    Augmentation("contrast", 0.5, 0.7, 1.3),
    Augmentation("saturation", 0.5, 0.5, 1.5),
    Augmentation("jpeg", 0.25, 75, 100),
)

# Ours, for training on few people: rotation, cropping, tint, blur and noise too, so that neither a person's colours nor
# the sharpness of a video separates real from fake.
HEAVY = (
    Augmentation("flip", 0.5),
    Augmentation("rotate", 0.5, -15, 15),
    Augmentation("crop", 0.5, 0.75, 1.0),
    Augmentation("brightness", 0.5, 0.6, 1.4),
    Augmentation("contrast", 0.5, 0.6, 1.4),
    Augmentation("saturation", 0.5, 0.0, 2.0),
    Augmentation("tint", 0.5, 0.0, 0.2),
    Augmentation("blur", 0.2, 3, 5),
    Augmentation("noise", 0.2, 0.0, 8 / 255),
    Augmentation("jpeg", 0.25, 50, 100),
)


def augmentations(choice: str, *paper: Augmentation) -> tuple[Augmentation, ...]:
    """Return the augmentations that a choice of `settings.AUGMENT` stands for; `paper` are those of the paper."""
    return {"paper": paper, "strong": STRONG, "heavy": HEAVY, "off": ()}[choice]


@dataclass(frozen=True)
class Epoch:
    """Rows of one epoch, and how they are mixed into batches.

    Attributes
    ----------
    frames : {"every", "one"}
        `every`: each row of the training split. `one`: one random frame of each video, drawn again in every epoch.
    mix : mapping
        Shares of the sources `real`, `fake`, `rr` and `fr` (blends) in a batch, rounded by largest remainder at any
        batch size. The epoch ends when the source with the most rows for its share (with `frames = one`: `real`) has
        been shown once; a source that runs out before is shuffled and shown again. Empty: all rows in one shuffled
        order, in the store's own proportions.
    even : bool
        Fakes are drawn evenly over their methods, and within a method evenly over its videos.
    pairs : bool
        A batch's reals are those that its fakes and blends were made from, augmented as these are; if there are fewer
        of them than the mix asks for, other reals make up the number.
    """

    frames: str = "every"
    mix: Mapping[str, float] = field(default_factory=dict)
    even: bool = False
    pairs: bool = False


# Choices of a setting `balance`: one real to one fake with fakes even over methods, or the store's own proportions.
BALANCES = {"even": Epoch(mix={"real": 1, "fake": 1}, even=True), "stored": Epoch()}


def balanced(balance: str, pairs: bool) -> Epoch:
    """Return the epoch that a choice of `balance` stands for; raises ConfigError for pairs without a mix."""
    epoch = BALANCES[balance]
    if pairs and not epoch.mix:
        raise ConfigError(f"pairs=on needs --set balance=even: with balance={balance} rows come as they are.")
    return replace(epoch, pairs=pairs)


@dataclass(frozen=True)
class Constant:
    """Constant learning rate."""

    def __call__(self, epoch: int) -> float:
        """Return the factor on the learning rate in an epoch, counted from 0."""
        return 1.0


@dataclass(frozen=True)
class Drops:
    """Learning rate multiplied by `factor` at the beginning of each epoch in `at`."""

    at: tuple[int, ...]
    factor: float = 0.1

    def __call__(self, epoch: int) -> float:
        """Return the factor on the learning rate in an epoch, counted from 0."""
        return float(self.factor ** sum(epoch >= drop for drop in self.at))


@dataclass(frozen=True)
class Exponential:
    """Learning rate multiplied by `factor` after every epoch."""

    factor: float

    def __call__(self, epoch: int) -> float:
        """Return the factor on the learning rate in an epoch, counted from 0."""
        return float(self.factor**epoch)


@dataclass(frozen=True)
class Cosine:
    """Cosine of period 2 `half` epochs, 1 at epoch 0 and 0 at `half`: torch's CosineAnnealingLR in closed form."""

    half: int

    def __call__(self, epoch: int) -> float:
        """Return the factor on the learning rate in an epoch, counted from 0."""
        return (1 + math.cos(math.pi * epoch / self.half)) / 2


@dataclass(frozen=True)
class Step:
    """One optimiser, which updates the parameters `Network.parameters_of(name)` on every batch.

    It takes `times` steps on the same outputs before the next optimiser's turn.
    """

    name: str
    lr: float
    decay: Callable[[int], float] = Constant()
    optimiser: str = "adam"
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.0
    weight_decay: float = 0.0
    times: int = 1

    def create(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimiser of these parameters."""
        if self.optimiser == "sgd":
            return torch.optim.SGD(parameters, self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
        return torch.optim.Adam(parameters, self.lr, betas=self.betas, weight_decay=self.weight_decay)


@dataclass(frozen=True)
class Phase:
    """Part of training with new optimisers and a best checkpoint of its own.

    The next phase begins with the best weights of this one; those of the last phase are the trained detector.

    Attributes
    ----------
    name : str
        Passed to `Network.start`, which selects the parameters that are trained.
    epochs : int
    steps : tuple of Step
        In the order they are taken on every batch. One is called `main`; the sum of its terms is logged as the loss.
    reload : tuple of int
        Epochs (from 0) before which the best weights and buffers so far are loaded and optimiser states cleared.
    every_epochs, every_steps : int
        Epochs between validations or, where not 0, steps between them. The end of the phase is always validated.
    patience : int
        The phase ends after this many validations without improvement; 0: never early.
    """

    name: str
    epochs: int
    steps: tuple[Step, ...]
    reload: tuple[int, ...] = ()
    every_epochs: int = 1
    every_steps: int = 0
    patience: int = 0


@dataclass(frozen=True)
class Plan:
    """All that data loading, training and evaluation need of a detector besides its network.

    Attributes
    ----------
    arrays : tuple of str
        Arrays of the store that training reads, including `blend/...` where stored blends are mixed in.
    maps : tuple of str
        Those of `arrays` that are maps of the batch (see `models.detectors.base`).
    truth : str
        The map that `Network.localise` is compared with; empty where the detector predicts none.
    size, batch, classes : int
        Side of the input in pixels, rows per step, number of classes (2: real and fake).
    epoch : Epoch
    phases : tuple of Phase
    metric : str
        One of `models.detectors.settings.METRICS`; its value on the validation split chooses the best checkpoint.
    augmentations : tuple of Augmentation
        In the order they are applied; in training only.
    process : tuple of str
        Degradations of every crop in training and evaluation, written as for `--perturb`: `jpeg:60`, `mean:5`.
    compression, methods : str, tuple of str
        Rows are restricted to this compression, and fakes to these methods; empty: all.
    blends : {"", "stored", "live"}
        Origin of the sources `rr` and `fr`: no blends, the store's, or blends made anew in every epoch.
    twin : str
        Compression of the twin in `batch["twin"]`, for every training row; empty: none.
    backbone : str
        What `weights` are of: one of `models.nn.backbones.WEIGHTS`.
    cam : str
        The one of `Outputs.features` that Grad-CAM uses.
    """

    arrays: tuple[str, ...]
    maps: tuple[str, ...]
    truth: str
    size: int
    batch: int
    epoch: Epoch
    phases: tuple[Phase, ...]
    metric: str
    cam: str
    classes: int = 2
    augmentations: tuple[Augmentation, ...] = ()
    process: tuple[str, ...] = ()
    compression: str = ""
    methods: tuple[str, ...] = ()
    blends: str = ""
    twin: str = ""
    backbone: str = ""


def require(plan: Plan, present: Collection[str], store: str, detector: str) -> None:
    """Raise an error for a store that lacks an array, naming the command that adds it.

    Parameters
    ----------
    plan : Plan
    present : collection of str
        Names of the store's arrays, those of its blends as `blend/...`.
    store, detector : str
        Names for the message.

    Raises
    ------
    StoreError
        An array of `plan.arrays` is missing.
    """
    missing = [name for name in plan.arrays if name not in present]
    if not missing:
        return
    kinds = [name for name in missing if name in LABELS]
    commands = []
    if kinds:
        commands.append(f"forgery-prep labels {' '.join(f'--kind {kind}' for kind in kinds)} --store {store}")
    if any(name.startswith("blend/") for name in missing):
        commands.append(f"forgery-prep blend --store {store}")
    if len(kinds) + sum(name.startswith("blend/") for name in missing) < len(missing):
        commands = [f"forgery-prep run --store {store}"]
    fix = "`, then `".join(commands)
    raise StoreError(f"{store} has no {', '.join(missing)}, which {detector} learns from; add it with `{fix}`.")
