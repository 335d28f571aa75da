"""What a training run is asked to do, and everything it needs before its first step: rows, classes, a run folder."""

import dataclasses
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from models.data import corruptions, online_blends
from models.data.loader import Loading
from models.data.online_blends import Blender
from models.data.row_table import Choice, Table, choose, methods_of, missing_classes
from models.data.store_reader import Reader, open_store
from models.detectors.base import Detector
from models.detectors.settings import Settings
from models.detectors.spec import Plan, require
from models.runtime.checkpoint import Checkpoint, load
from pipeline.config import differences
from pipeline.errors import ConfigError, StoreError

BEST, LAST, METRICS_FILE, RUN_FILE, CURVES = "best.ckpt", "last.ckpt", "metrics.csv", "run.json", "curves.png"
PACKAGES = ("forgery-prep", "lightning-fabric", "numpy", "tensorstore", "timm", "torch", "torchvision")


@dataclass(frozen=True)
class Job:
    """One run of training.

    Attributes
    ----------
    stores : tuple of str
        Paths or URLs.
    detector : Detector
    settings : Settings
    out : Path
        The run's folder.
    steps : int
        Stop after so many steps of this run, whatever is left for the next `resume`; 0: go on to the end.
    device, precision : str
        As `models.runtime.devices.start` takes them.
    pretrained : bool
        Begin with ImageNet weights.
    init : Path, optional
        Begin with the weights of this checkpoint of the same detector instead: fine-tuning.
    resume, overwrite : bool
        Go on with, or replace, what is in `out`.
    seed : int
    micro : int
        Rows in memory at once, per process; 0: the whole batch, and less as soon as memory runs out.
    frozen_norm : bool
        Batch norm keeps its running statistics: what several CPU processes do in any case.
    val_frames : int
        Frames of each video in validation, evenly spaced; 0: all.
    command : str
        For the record.
    """

    stores: tuple[str, ...]
    detector: Detector
    settings: Settings
    out: Path
    steps: int = 0
    device: str = "auto"
    precision: str = "32"
    pretrained: bool = True
    init: Path | None = None
    resume: bool = False
    overwrite: bool = False
    seed: int = 0
    micro: int = 0
    frozen_norm: bool = False
    val_frames: int = 0
    command: str = ""

    def identity(self) -> dict[str, Any]:
        """Return what a resumed run must share with the one it goes on with."""
        values = self.settings.to_dict()
        init = str(self.init) if self.init else None
        more = {"seed": self.seed, "precision": self.precision, "init": init}
        return {"detector": self.detector.name, "settings": values, **more}


@dataclass(frozen=True)
class Prepared:
    """A run's rows and how they are read."""

    readers: tuple[Reader, ...]
    plan: Plan
    methods: tuple[str, ...]  # classes beyond real, where there are several
    train: Table
    val: Table
    loading: Loading  # of training
    val_loading: Loading
    blenders: tuple[Blender, ...] = field(default=())

    @property
    def digests(self) -> dict[str, str]:
        """Digest of each store, by its location."""
        return {reader.location: reader.digest for reader in self.readers}


def prepare(job: Job, fabric: Fabric) -> Prepared:
    """Open the stores and choose the rows.

    Raises
    ------
    StoreError
        A store lacks an array, or its train or val split rows of either class.
    ConfigError
        The number of classes does not fit the stores' methods.
    """
    plan = job.detector.plan(job.settings)
    readers = tuple(open_store(location) for location in job.stores)
    for reader in readers:
        require(plan, reader.arrays, reader.location, job.detector.name)
    methods = classes(plan, readers)
    wanted = Choice("train", plan.compression, plan.methods, methods, plan.twin)
    train = choose(readers, wanted, blends=plan.blends == "stored")
    val = choose(readers, dataclasses.replace(wanted, split="val", frames=job.val_frames))
    for split, table in (("train", train), ("val", val)):
        if (lacking := missing_classes(table)) and (split == "train" or plan.metric in ("auc", "video_auc")):
            raise StoreError(
                f"The {split} split of {', '.join(job.stores)} has no {lacking} face among the rows chosen: "
                f"{'nothing can be learnt' if split == 'train' else f'no best can be chosen by {plan.metric}'}."
            )
    if fabric.world_size > plan.batch:
        raise ConfigError(f"--batch-size {plan.batch} leaves some of {fabric.world_size} processes without a row.")
    process = tuple(corruptions.parse(text) for text in plan.process)
    blenders = tuple(online_blends.blender(reader) for reader in readers) if plan.blends == "live" else ()
    pin = fabric.device.type == "cuda"
    loading = Loading(readers, plan.maps, bool(plan.twin), process, blenders, pin)
    val_loading = Loading(readers, plan.maps, bool(plan.twin), process, (), pin)
    return Prepared(readers, plan, methods, train, val, loading, val_loading, blenders)


def classes(plan: Plan, readers: Sequence[Reader]) -> tuple[str, ...]:
    """Return the methods that are classes of their own; none where real and fake alone are told apart."""
    if plan.classes == 2:
        return ()
    methods = [name for name in methods_of(readers) if not plan.methods or name in plan.methods]
    if len(methods) != plan.classes - 1:
        raise ConfigError(
            f"classes={plan.classes} tells real from {plan.classes - 1} methods, but the stores have {len(methods)}: "
            f"{', '.join(methods)}; set classes={len(methods) + 1}, or name the methods by --set methods=A,B."
        )
    return tuple(methods)


def previous(job: Job) -> Checkpoint | None:
    """Return what a run goes on with; None for a fresh one.

    Raises
    ------
    ConfigError
        The folder holds a run and neither `resume` nor `overwrite` is asked for, or that run had other settings.
    """
    last = job.out / LAST
    if job.resume:
        if not last.exists():
            return None  # nothing was saved yet: the same command with --resume is always safe
        found = load(last)
        changed = differences(_plain(found.about.get("identity", {})), _plain(job.identity()))
        if changed:
            raise ConfigError(f"{last} belongs to a run with other settings: {'; '.join(changed)}.")
        return found
    if (last.exists() or (job.out / BEST).exists()) and not job.overwrite:
        raise ConfigError(
            f"{job.out} holds a run: --resume goes on with it, --overwrite replaces it, another --out leaves it alone."
        )
    return None


def initial(job: Job) -> Checkpoint | None:
    """Return the checkpoint that a fresh run begins with, if it was asked for.

    Raises
    ------
    CheckpointError
        It cannot be read.
    ConfigError
        It is another detector's.
    """
    if job.init is None:
        return None
    found = load(job.init)
    if found.about["detector"] != job.detector.name:
        other = found.about["detector"]
        raise ConfigError(f"--init {job.init} holds {other}; {job.detector.name} cannot begin with it.")
    return found


def origin(begun: Checkpoint) -> dict[str, Any]:
    """Describe the checkpoint that a run begins with: a test split must be new to it as well."""
    return {key: begun.about.get(key) for key in ("stores", "settings", "step")}


def about(job: Job, prepared: Prepared) -> dict[str, Any]:
    """Describe a run: what its checkpoints and `run.json` say of it."""
    first = prepared.readers[0]
    return {
        "detector": job.detector.name,
        "paper": job.detector.paper,
        "settings": job.settings.to_dict(),
        "identity": _plain(job.identity()),
        "methods": list(prepared.methods),
        "stores": prepared.digests,
        "recipe": first.recipe.to_dict(),
        "seed": job.seed,
        "command": job.command,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions that decide a run."""
    found = {"python": platform.python_version()}
    return found | {name: importlib.metadata.version(name) for name in PACKAGES}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as they come back from JSON: tuples as lists."""
    return {
        key: _plain(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
    }
