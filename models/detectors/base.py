"""What every detector is, so that data loading, training and evaluation never ask for its name.

A detector is one file in `models/detectors` and one entry in its table. It consists of

* `Settings`: a frozen dataclass with every switch (`--set KEY=VALUE`), and presets for the rows of the paper's tables;
* `plan(settings)`: a `Plan` of plain values: the arrays it reads, how rows are mixed into batches, augmentations,
  phases, optimisers, schedules, validation. Known before any weight is downloaded;
* `build(settings, pretrained)`: a `Network`, an `nn.Module` that knows its losses, its score and its map.

A batch is a dict of tensors on one device, rows first, after augmentation and resizing to `plan.size`:

=========== ========================= ==========================================================================
key         shape, dtype              meaning
=========== ========================= ==========================================================================
image       (B, 3, S, S) float32      RGB in [0, 1]; networks normalise for themselves
twin        (B, 3, S, S) float32      the same face in compression `plan.twin`, same geometry; where the plan asks
label       (B,) int64                class: 0 real, 1 fake, or with more classes 1 + the number of the method
source      (B,) int64                index into `SOURCES`: where the row comes from
ssim, mask, (B, 1, S, S) float32      1 = manipulated, 0 = not, soft after resizing; all 0 where label = 0. NaN
hull,                                 where nothing is known: the whole row where the store has 255, and pixels that
boundary                              letterboxing or augmentation brought in from outside the crop
noise       (B, 1, S, S) float32      |residual| / 255, the absolute value taken before any resizing; of reals too
=========== ========================= ==========================================================================

For a score alone, `image` is enough. `forward` reads nothing else but `twin`, where it is there.

The training loop, for every batch::

    outputs = network(batch)
    for step in phase.steps:
        for _ in range(step.times):
            terms = network.loss(outputs, batch, step.name)  # weighted, each a mean over network.rows(batch)[term]
            optimisers[step.name].zero_grad(); sum(terms.values()).backward(); optimisers[step.name].step()

Micro-batches and several devices give the very same gradient when each term is multiplied by its share of the rows,
`network.rows(part)[term] / network.rows(whole)[term]`, before the sum (batch statistics apart).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from models.detectors.settings import Preset, Settings, parse, restore
from models.detectors.spec import Phase, Plan
from models.nn.losses import class_probabilities, known_rows

SOURCES = ("real", "fake", "rr", "fr")  # stored real, stored fake, (Real,Real) blend, (Fake,Real) blend
Batch = Mapping[str, Tensor]


@dataclass
class Outputs:
    """What a forward pass gives.

    Attributes
    ----------
    logits : Tensor of shape (B, 1) or (B, K)
        Of the image's class: one logit of "fake", or one per class.
    heads : dict of str to Tensor
        Logits of auxiliary classifiers, named as their loss terms.
    maps : dict of str to Tensor of shape (B, C, h, w)
        Predicted maps; each detector says which are logits.
    features : dict of str to Tensor
        Named points inside the network, for losses, tests and Grad-CAM.
    """

    logits: Tensor
    heads: dict[str, Tensor] = field(default_factory=dict)
    maps: dict[str, Tensor] = field(default_factory=dict)
    features: dict[str, Tensor] = field(default_factory=dict)


class Network(nn.Module, ABC):
    """A detector's network.

    `terms` names every loss term that can occur and the batch key whose known rows it is averaged over, `truth`
    standing for the map that the settings chose.
    """

    terms: ClassVar[Mapping[str, str]]
    truth = ""  # ssim, mask or hull; empty where no map is learnt

    @abstractmethod
    def forward(self, batch: Batch) -> Outputs:
        """Run the network on a batch; only `image` must be in it."""

    @abstractmethod
    def loss(self, outputs: Outputs, batch: Batch, step: str = "main") -> dict[str, Tensor]:
        """Return the weighted terms that an optimiser step minimises the sum of, in float32.

        Each is a mean over the rows counted by `rows`: rows without the label it needs are left out, and a batch
        without any gives a zero that still has (zero) gradients.
        """

    def rows(self, batch: Batch, step: str = "main") -> dict[str, Tensor]:
        """Return how many rows each term of a step is averaged over, known from the batch alone."""
        keys = {term: self.truth if key == "truth" else key for term, key in self.terms.items()}
        return {term: known_rows(batch[key].float()).sum() for term, key in keys.items() if key in batch}

    def probabilities(self, outputs: Outputs) -> Tensor:
        """Return class probabilities of shape (B, K), float32; real first."""
        return class_probabilities(outputs.logits)

    def score(self, outputs: Outputs) -> Tensor:
        """Return the probability of fake of shape (B,), float32: of any method where there are several classes."""
        return 1 - self.probabilities(outputs)[:, 0]

    def localise(self, outputs: Outputs, size: int) -> Tensor | None:
        """Return the probability of manipulation of every pixel, (B, 1, size, size), or None without such a map."""
        return None

    def begin(self, phase: Phase) -> None:
        """Change weights before the first step of a phase; a second time at once must change nothing more."""

    def start(self, phase: Phase) -> None:
        """Make ready for a phase of training: what it trains requires gradients, and nothing else does."""

    def parameters_of(self, step: str) -> list[nn.Parameter]:
        """Return the parameters an optimiser step moves, in the phase begun last."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def end_epoch(self, means: Mapping[str, float]) -> None:
        """Take note of an epoch's mean training terms (weighted, as `loss` returns them, over all devices)."""


@dataclass(frozen=True)
class Detector:
    """One published method.

    Attributes
    ----------
    name, paper : str
        Its name on the command line, and the paper it follows.
    settings : type of Settings
        Its settings, with the paper's values as defaults.
    plan : callable
        (settings) -> Plan.
    build : callable
        (settings, pretrained) -> Network; `pretrained` asks for ImageNet weights.
    presets : mapping of str to Preset
        Rows of the paper's tables.
    renamed : mapping of str to str
        Settings that older checkpoints hold under another name: from that name to today's.
    """

    name: str
    paper: str
    settings: type[Settings]
    plan: Callable[[Any], Plan]
    build: Callable[[Any, bool], Network]
    presets: Mapping[str, Preset] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)

    def parse(self, pairs: Sequence[str]) -> Settings:
        """Read `KEY=VALUE` texts (and `preset=NAME`) over the paper's values; raises ConfigError."""
        return parse(self.settings, pairs, self.presets)

    def restore(self, values: Mapping[str, Any]) -> Settings:
        """Read the settings that a checkpoint holds; raises ConfigError."""
        return restore(self.settings, {self.renamed.get(name, name): value for name, value in values.items()})
