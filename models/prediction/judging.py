"""Detectors ready for new crops: their checkpoints, their networks, and how the faces of their training were cut."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from models.data import corruptions
from models.data.collate import to_device
from models.data.corruptions import Perturbation
from models.data.loader import Loaded, Part
from models.detectors.base import Batch, Network, Outputs
from models.detectors.spec import Plan
from models.evaluation.visualise import grad_cam
from models.runtime import checkpoint, devices
from pipeline.config import Cropping, Recipe, differences
from pipeline.config import overlay as over
from pipeline.errors import CheckpointError, ConfigError, TrainingError

BATCH = 32
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Judge:
    """A detector: its checkpoint, a name for columns, its network, and how its training data was made."""

    path: Path
    name: str
    network: Network
    plan: Plan
    recipe: Recipe
    process: tuple[Perturbation, ...]


@dataclass(frozen=True)
class Panel:
    """The detectors that judge together; they look at the same faces, each cropped as its own training data."""

    judges: tuple[Judge, ...]
    fabric: Fabric
    batch: int = BATCH

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the detectors."""
        return tuple(self.paths)

    @property
    def paths(self) -> dict[str, str]:
        """Names and checkpoints of the detectors."""
        return {judge.name: str(judge.path) for judge in self.judges}

    @property
    def recipe(self) -> Recipe:
        """How faces are found: the same for all of them."""
        return self.judges[0].recipe

    @property
    def croppings(self) -> tuple[Cropping, ...]:
        """The kinds of crop that they need, each once."""
        return tuple(dict.fromkeys(judge.recipe.cropping for judge in self.judges))


@dataclass(frozen=True)
class Overlay:
    """What is laid over a face: a name for the legend, and what draws it, (B, 1, S, S) in [0, 1], or None."""

    about: str
    draw: Callable[[Judge, Batch, Outputs, int], Tensor | None]


def _map(judge: Judge, batch: Batch, outputs: Outputs, side: int) -> Tensor | None:
    return judge.network.localise(outputs, side)


def _cam(judge: Judge, batch: Batch, outputs: Outputs, side: int) -> Tensor | None:
    seen = grad_cam(judge.network, judge.plan, batch)
    return torch.nn.functional.interpolate(seen, (side, side), mode="bilinear", align_corners=False)


OVERLAYS: Mapping[str, Overlay] = {
    "map": Overlay("predicted manipulation", _map),
    "cam": Overlay("where the score comes from (Grad-CAM)", _cam),
    "none": Overlay("", lambda judge, batch, outputs, side: None),
}
AUTO = "auto"  # the map of a detector that draws one, else Grad-CAM


def load(paths: Sequence[Path], device: str = "auto", precision: str = "32", batch: int = BATCH) -> Panel:
    """Read detectors from their checkpoints.

    Raises
    ------
    CheckpointError
        One cannot be read, or does not say how its data was made.
    ConfigError
        Their training data's faces were found in different ways.
    """
    fabric = devices.start(device, precision)
    names = _names(paths)
    judges = tuple(_judge(path, name, fabric) for path, name in zip(paths, names, strict=True))
    first = judges[0]
    for judge in judges[1:]:
        told = differences(vars(first.recipe.detection), vars(judge.recipe.detection))
        told = [text for text in told if not text.startswith(("min_alignment", "registration"))]  # of pairs
        if told:
            raise ConfigError(
                f"{first.path} and {judge.path} were trained on faces found in different ways: {', '.join(told)}. "
                "Judge with one of them at a time."
            )
    return Panel(judges, fabric, batch)


def _judge(path: Path, name: str, fabric: Fabric) -> Judge:
    saved = checkpoint.load(path)
    if "recipe" not in saved.about:
        raise CheckpointError(f"{path} does not say how faces were cropped for its training.")
    plan = saved.detector.plan(saved.settings)
    network = devices.settle(fabric, saved.build()).eval()
    recipe = over(Recipe(), saved.about["recipe"], str(path))
    return Judge(path, name, network, plan, recipe, tuple(corruptions.parse(text) for text in plan.process))


def _names(paths: Sequence[Path]) -> list[str]:
    """Name checkpoints by their runs' folders; where that does not tell them apart, by their paths."""
    for names in ([path.resolve().parent.name for path in paths], [path.with_suffix("").as_posix() for path in paths]):
        if len(set(names)) == len(names):
            return names
    raise ConfigError("The same checkpoint is named twice.")


def overlay_of(judge: Judge, wanted: str) -> str:
    """Return which of OVERLAYS a detector is drawn with.

    Raises
    ------
    ConfigError
        An unknown name, or a map of a detector that draws none.
    """
    if wanted not in (AUTO, *OVERLAYS):
        raise ConfigError(f"--overlay is one of {', '.join((AUTO, *OVERLAYS))}, not {wanted}.")
    if wanted == "map" and not judge.plan.truth:
        raise ConfigError(f"{judge.path} draws no map; --overlay cam shows where its score comes from.")
    if wanted == AUTO:
        return "map" if judge.plan.truth else "cam"
    return wanted


def score(
    panel: Panel, judge: Judge, images: Pixels, overlay: str = "none", heat: BinaryIO | None = None
) -> NDArray[np.float64]:
    """Judge crops.

    Parameters
    ----------
    panel : Panel
    judge : Judge
        One of its detectors.
    images : ndarray of shape (n, S, S, 3), uint8
        Crops made as its recipe says; a memory map is read a batch at a time.
    overlay : str
        One of OVERLAYS.
    heat : binary file, optional
        Takes what is laid over each crop: (n, S, S), uint8, 0..255 for 0..1; nothing where nothing is drawn.

    Returns
    -------
    ndarray of shape (n,), float64
        Probability of fake.

    Raises
    ------
    TrainingError
        Memory ran out.
    """
    scores = []
    for low in range(0, len(images), panel.batch):
        some = np.array(images[low : low + panel.batch])
        for step in judge.process:
            some = np.stack([step(image, low + row) for row, image in enumerate(some)])
        batch = to_device(_loaded(some), judge.plan.size, panel.fabric.device)
        try:
            with torch.no_grad(), panel.fabric.autocast():
                outputs = judge.network(batch)
                scores.append(judge.network.score(outputs).float().cpu().numpy())
                drawn = OVERLAYS[overlay].draw(judge, batch, outputs, images.shape[1]) if heat else None
        except (RuntimeError, MemoryError) as error:
            if not devices.out_of_memory(error):
                raise
            raise TrainingError(f"Memory ran out with {len(some)} faces at once; lower --batch-size.") from error
        if heat and drawn is not None:
            heat.write((drawn[:, 0].float().clamp(0, 1) * 255).round().byte().cpu().numpy().tobytes())
    return np.concatenate(scores).astype(np.float64)


def _loaded(images: Pixels) -> Loaded:
    """Return crops as a batch without labels."""
    count, side = len(images), images.shape[1]
    none = torch.zeros(count, dtype=torch.int64)
    content = np.tile(np.array([0, 0, side, side], np.float32), (count, 1))
    places = np.arange(count, dtype=np.int64)
    return Loaded(places, none, none, none, [Part(places, {"image": torch.from_numpy(images)}, content)])
