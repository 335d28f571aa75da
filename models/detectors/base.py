"""Interface of a detector: data loading, training and evaluation use it alone and never a detector's name.

A detector is one file in `models/detectors` and one entry in `DETECTORS`. It consists of

* `Settings`: a frozen dataclass with every switch (`--set KEY=VALUE`), and presets for the rows of the paper's tables;
* `plan(settings)`: a `Plan` of plain values: the arrays it reads, how rows are mixed into batches, augmentations,
  phases, optimisers, schedules, validation. No weights are needed to compute it;
* `build(settings, pretrained)`: a `Network`, an `nn.Module` with methods for its losses, its score and its map.

A batch is a dict of tensors on one device, rows first, after augmentation and resizing to `plan.size`:

=========== ========================= ==========================================================================
key         shape, dtype              meaning
=========== ========================= ==========================================================================
image       (B, 3, S, S) float32      RGB in [0, 1]; networks normalise for themselves
twin        (B, 3, S, S) float32      the same face in compression `plan.twin`, same geometry; if the plan has one
label       (B,) int64                class: 0 real, 1 fake, or with more classes 1 + the number of the method
source      (B,) int64                index into `SOURCES`: the origin of the row
ssim, mask, (B, 1, S, S) float32      1 = manipulated, 0 = not, between them after resizing; all 0 where label = 0.
hull,                                 NaN = unknown: every pixel where the store has 255, and pixels from outside the
boundary                              crop (letterboxing, augmentation)
noise       (B, 1, S, S) float32      |residual| / 255, at least 0; of reals too. The absolute value is taken before
                                      resizing. NaN = unknown
=========== ========================= ==========================================================================

`forward` reads `image` and, where present, `twin`; `image` alone is enough for a score.

The training loop, for every batch::

    outputs = network(batch)
    for step in phase.steps:
        for _ in range(step.times):
            terms = network.loss(outputs, batch, step.name)  # weighted, each a mean over network.rows(batch)[term]
            optimisers[step.name].zero_grad(); sum(terms.values()).backward(); optimisers[step.name].step()

Micro-batches and several devices give the same gradient if each term is multiplied by its share of the rows,
`network.rows(part)[term] / network.rows(whole)[term]`, before the sum (except for batch statistics).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from models.detectors.protocol import Line, Preset
from models.detectors.settings import Settings, parse, restore
from models.detectors.spec import Phase, Plan
from models.nn.losses import class_probabilities, known_rows

SOURCES = ("real", "fake", "rr", "fr")  # stored real, stored fake, (Real,Real) blend, (Fake,Real) blend
Batch = Mapping[str, Tensor]


@dataclass
class Outputs:
    """Result of a forward pass.

    Attributes
    ----------
    logits : Tensor of shape (B, 1) or (B, K)
        Logits of the image's class: one logit of "fake", or one per class.
    heads : dict of str to Tensor
        Logits of auxiliary classifiers, named after their loss terms.
    maps : dict of str to Tensor of shape (B, C, h, w)
        Predicted maps; each detector documents which of them are logits.
    features : dict of str to Tensor
        Inner activations by name, for losses, tests and Grad-CAM.
    """

    logits: Tensor
    heads: dict[str, Tensor] = field(default_factory=dict)
    maps: dict[str, Tensor] = field(default_factory=dict)
    features: dict[str, Tensor] = field(default_factory=dict)


class Network(nn.Module, ABC):
    """Network of a detector, with its losses, its score and its map.

    Attributes
    ----------
    terms : mapping of str to str
        Every loss term that can occur, and the batch key whose known rows it is averaged over; the key `truth` stands
        for the attribute of that name.
    truth : str
        The map that is learnt: `ssim`, `mask` or `hull`; empty for none.
    """

    terms: ClassVar[Mapping[str, str]]
    truth = ""

    @abstractmethod
    def forward(self, batch: Batch) -> Outputs:
        """Run the network on a batch, of which only `image` is required."""

    @abstractmethod
    def loss(self, outputs: Outputs, batch: Batch, step: str = "main") -> dict[str, Tensor]:
        """Return the weighted loss terms of an optimiser step, which minimises their sum.

        Each is a scalar tensor of shape (), float32: a mean over the rows counted by `rows`. Rows without the label
        that a term needs are left out; a batch without any such row gives a zero whose gradients are zero.
        """

    def rows(self, batch: Batch, step: str = "main") -> dict[str, Tensor]:
        """Return how many rows each term of a step is averaged over, shape (), computed from the batch alone."""
        keys = {term: self.truth if key == "truth" else key for term, key in self.terms.items()}
        return {term: known_rows(batch[key].float()).sum() for term, key in keys.items() if key in batch}

    def probabilities(self, outputs: Outputs) -> Tensor:
        """Return class probabilities of shape (B, K), float32 in [0, 1]; real first."""
        return class_probabilities(outputs.logits)

    def score(self, outputs: Outputs) -> Tensor:
        """Return the probability of "fake", by whichever method, of shape (B,), float32 in [0, 1]."""
        return 1 - self.probabilities(outputs)[:, 0]

    def localise(self, outputs: Outputs, size: int) -> Tensor | None:
        """Return each pixel's probability of manipulation, (B, 1, size, size) in [0, 1]; None without such a map."""
        return None

    def measure(self, images: Iterable[Tensor]) -> dict[str, Any]:
        """Take from training images what the network stores of them, such as a standardisation.

        Called before a run's first step, also of one that begins with another's weights; not when a run resumes.

        Parameters
        ----------
        images : iterable of Tensor of shape (B, 3, S, S)
            Not augmented, as evaluation sees them; read only as far as it is iterated over.

        Returns
        -------
        dict
            What was measured, in plain values, for the run's description; empty where there is nothing to measure.
        """
        return {}

    def begin(self, phase: Phase) -> None:
        """Initialise weights before the first step of a phase.

        A run interrupted before that step calls it again when it resumes: calling it twice must equal calling it once.
        """

    def start(self, phase: Phase) -> None:
        """Prepare for a phase of training: the parameters that it trains require gradients, all others do not."""

    def parameters_of(self, step: str) -> list[nn.Parameter]:
        """Return the parameters that an optimiser step updates, in the phase started last."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def end_epoch(self, means: Mapping[str, float]) -> None:
        """Receive an epoch's mean loss terms, weighted as `loss` returns them, over all devices."""


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
    tables: tuple[Line, ...] = ()  # every row of the paper's tables, and what reproduces it

    def parse(self, pairs: Sequence[str]) -> Settings:
        """Return the paper's values changed by `KEY=VALUE` texts and `preset=NAME`; raises ConfigError."""
        return parse(self.settings, pairs, self.presets)

    def restore(self, values: Mapping[str, Any]) -> Settings:
        """Return the settings that a checkpoint holds; raises ConfigError."""
        return restore(self.settings, {self.renamed.get(name, name): value for name, value in values.items()})
