"""What a detector asks of the training loop, as plain values: rows and their order, optimisers, schedules."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from pipeline.errors import ConfigError, StoreError
from pipeline.labels import LABELS

# What an augmentation is called, and what its range [low, high] means; a strength is drawn uniformly from it.
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
    """One augmentation: an operation, how often it is drawn, and between which strengths (see `OPERATIONS`)."""

    operation: str
    probability: float
    low: float = 0.0
    high: float = 0.0


# Ours, for any detector: mirrored, and under other light. What sets fakes apart from their own surroundings stays.
STRONG = (
    Augmentation("flip", 0.5),
    Augmentation("brightness", 0.5, 0.7, 1.3),
    Augmentation("contrast", 0.5, 0.7, 1.3),
    Augmentation("saturation", 0.5, 0.5, 1.5),
    Augmentation("jpeg", 0.25, 75, 100),
)

# Ours, where the people in training are few: turned, nearer, tinted, softened and noisy too, so that neither a person's
# colours nor how sharp a video is tells real from fake.
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
    """Return the augmentations of a choice of `settings.AUGMENT`; `paper` are those of the detector's paper."""
    return {"paper": paper, "strong": STRONG, "heavy": HEAVY, "off": ()}[choice]


@dataclass(frozen=True)
class Epoch:
    """Which rows one epoch shows, and how they are mixed.

    Attributes
    ----------
    frames : {"every", "one"}
        `every`: each row of the training split. `one`: one random frame of each video, drawn anew in every epoch.
    mix : mapping
        Shares of the sources `real`, `fake`, `rr` and `fr` (blends) in a batch, rounded by largest remainder at any
        batch size; the epoch ends when the source that is largest for its share (with `frames = one`: `real`) has
        been shown once, the others begin again, shuffled anew. Empty: rows in one shuffled order, as the store has
        them.
    even : bool
        Fakes are drawn evenly over their methods, and within a method evenly over its videos.
    pairs : bool
        A batch's reals are those that its fakes and blends were made from, as far as they go, augmented as these are.
    """

    frames: str = "every"
    mix: Mapping[str, float] = field(default_factory=dict)
    even: bool = False
    pairs: bool = False


# What a setting `balance` chooses between: one real to one fake and fakes even over methods, or rows as they come.
BALANCES = {"even": Epoch(mix={"real": 1, "fake": 1}, even=True), "stored": Epoch()}


def balanced(balance: str, pairs: bool) -> Epoch:
    """Return the epoch of a choice of `balance`; raises ConfigError for pairs among rows that come as they are."""
    epoch = BALANCES[balance]
    if pairs and not epoch.mix:
        raise ConfigError(f"pairs=on needs --set balance=even: with balance={balance} rows come as they are.")
    return replace(epoch, pairs=pairs)


@dataclass(frozen=True)
class Constant:
    """The learning rate stays."""

    def __call__(self, epoch: int) -> float:
        """Return the factor on the learning rate in an epoch, counted from 0."""
        return 1.0


@dataclass(frozen=True)
class Drops:
    """The learning rate is multiplied by `factor` at the beginning of each epoch in `at`."""

    at: tuple[int, ...]
    factor: float = 0.1

    def __call__(self, epoch: int) -> float:
        """Return the factor on the learning rate in an epoch, counted from 0."""
        return float(self.factor ** sum(epoch >= drop for drop in self.at))


@dataclass(frozen=True)
class Exponential:
    """The learning rate is multiplied by `factor` after every epoch."""

    factor: float

    def __call__(self, epoch: int) -> float:
        """Return the factor on the learning rate in an epoch, counted from 0."""
        return float(self.factor**epoch)


@dataclass(frozen=True)
class Cosine:
    """From 1 down to 0 at epoch `half` and up again, forever: torch's CosineAnnealingLR in closed form."""

    half: int

    def __call__(self, epoch: int) -> float:
        """Return the factor on the learning rate in an epoch, counted from 0."""
        return (1 + math.cos(math.pi * epoch / self.half)) / 2


@dataclass(frozen=True)
class Step:
    """One optimiser and the parameters it moves on every batch: `Network.parameters_of(name)`.

    `times` steps are taken on the same outputs before the next optimiser's turn.
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
        """Make the optimiser."""
        if self.optimiser == "sgd":
            return torch.optim.SGD(parameters, self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
        return torch.optim.Adam(parameters, self.lr, betas=self.betas, weight_decay=self.weight_decay)


@dataclass(frozen=True)
class Phase:
    """A stretch of training from fresh optimisers, with a best checkpoint of its own.

    The next phase begins with this one's best weights; the last one's best is the detector.

    Attributes
    ----------
    name : str
        Given to `Network.start`, which decides what is trained.
    epochs : int
    steps : tuple of Step
        Taken in this order on every batch; `main` is among them and its terms are the loss that is logged.
    reload : tuple of int
        Epochs (from 0) before which the best weights and buffers so far come back; optimiser momenta are cleared.
    every_epochs, every_steps : int
        Validation after this many epochs, or after this many steps where that is not 0; always once at the end.
    patience : int
        Training ends after this many validations without improvement; 0: never early.
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
    """Everything but tensors that data loading, training and evaluation need to know of a detector.

    Attributes
    ----------
    arrays : tuple of str
        Arrays of the store read for training, `blend/...` among them where blends are mixed in.
    maps : tuple of str
        Those of `arrays` that become maps of the batch (see `models.detectors.base`).
    truth : str
        The map that `Network.localise` is judged against; empty where the detector predicts none.
    size, batch, classes : int
        Input side in pixels, rows per step, classes (2: real and fake).
    epoch : Epoch
    phases : tuple of Phase
    metric : str
        One of `models.detectors.settings.METRICS`, on the validation split.
    augmentations : tuple of Augmentation
        In the order they are applied, in training only.
    process : tuple of str
        Degradations of every crop, in training and evaluation alike, written as for `--perturb`: `jpeg:60`, `mean:5`.
    compression, methods : str, tuple of str
        Rows used: those of one compression, fakes of some methods; empty means all.
    blends : {"", "stored", "live"}
        Where the sources `rr` and `fr` come from: no blends, the store's, or made anew for every batch.
    twin : str
        Compression of the twin that comes with every training row as `batch["twin"]`; empty: none.
    cam : str
        The feature of `Outputs.features` a Grad-CAM is drawn from.
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


def require(plan: Plan, present: Collection[str], store: str, detector: str) -> None:
    """Refuse a store that lacks an array, with the command that adds it.

    Parameters
    ----------
    plan : Plan
    present : collection of str
        Names of the store's arrays, those of its blends as `blend/...`.
    store, detector : str
        Their names, for the sentence.

    Raises
    ------
    StoreError
        An array of `plan.arrays` is not there.
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
