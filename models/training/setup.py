"""Set-up of a training run: the job as the user asked for it, its rows and classes, its run folder."""

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
from models.training.validation_rows import validation_rows
from pipeline.config import differences, digest
from pipeline.errors import ConfigError, StoreError
from pipeline.exclusions import Exclusion

BEST, LAST, METRICS_FILE, RUN_FILE, CURVES = "best.ckpt", "last.ckpt", "metrics.csv", "run.json", "curves.png"
AREAS = ("auc", "video_auc", "method_auc")  # metrics that need both classes
PACKAGES = ("forgery-prep", "lightning-fabric", "numpy", "tensorstore", "timm", "torch", "torchvision")


@dataclass(frozen=True)
class Job:
    """One run of training, as asked for.

    Attributes
    ----------
    stores : tuple of str
        Paths or URLs.
    detector : Detector
    settings : Settings
    out : Path
        The run's folder.
    steps : int
        Stop after this many steps and leave the rest to a later `resume`; 0: train to the end.
    device, precision : str
        As `models.runtime.devices.start` takes them.
    pretrained : bool
        Begin with ImageNet weights.
    init : Path, optional
        Begin with the weights of this checkpoint of the same detector instead: fine-tuning.
    resume, overwrite : bool
        Continue, or replace, the run in `out`.
    seed : int
    micro : int
        Rows of a micro-batch, per process; 0: the whole batch, and fewer once memory runs out.
    frozen_norm : bool
        Batch norm keeps its running statistics; always so with several CPU processes.
    val_frames : int
        Frames of each video in validation, evenly spaced; 0: all.
    exclude : tuple of Exclusion
        Faces left out of training and validation.
    val_stores : tuple of str
        Stores that validate in place of `stores`: their split `val`, or all their rows where they have none.
    command : str
        Command line, recorded in `run.json`.
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
    exclude: tuple[Exclusion, ...] = ()
    val_stores: tuple[str, ...] = ()
    command: str = ""

    def identity(self) -> dict[str, Any]:
        """Return the values that a resumed run must share with the run it continues."""
        values = self.settings.to_dict()
        init = str(self.init) if self.init else None
        left_out = digest([line.key() for line in self.exclude]) if self.exclude else None
        more: dict[str, Any] = {"seed": self.seed, "precision": self.precision, "init": init, "exclude": left_out}
        if self.val_stores:
            more["val_stores"] = list(self.val_stores)
        return {"detector": self.detector.name, "settings": values, **more}


@dataclass(frozen=True)
class Data:
    """Rows of a run, and how they are read.

    Attributes
    ----------
    readers : tuple of Reader
        The stores, in the order of `Job.stores`.
    plan : Plan
        The detector's.
    methods : tuple of str
        Classes beyond real, in their order; empty where the detector tells real from fake only.
    train, val : Table
        Rows of training and of validation; blends made anew in every epoch are not among them.
    loading, val_loading : Loading
        How rows of `train` and of `val` are read.
    blenders : tuple of Blender
        One for each store, where blends are made anew in every epoch.
    """

    readers: tuple[Reader, ...]
    plan: Plan
    methods: tuple[str, ...]
    train: Table
    val: Table
    loading: Loading
    val_loading: Loading
    blenders: tuple[Blender, ...] = field(default=())

    @property
    def digests(self) -> dict[str, str]:
        """Digest of each store, by its location."""
        return {reader.location: reader.digest for reader in self.readers}


def prepare(job: Job, fabric: Fabric) -> Data:
    """Open the stores and choose the rows.

    Raises
    ------
    StoreError
        A store lacks an array, or its train or val split rows of either class.
    ConfigError
        The number of classes does not match the stores' methods, or a batch has fewer rows than there are processes.
    """
    plan = job.detector.plan(job.settings)
    readers = tuple(open_store(location) for location in job.stores)
    for reader in readers:
        require(plan, reader.arrays, reader.location, job.detector.name)
    methods = classes(plan, readers)
    wanted = Choice("train", plan.compression, plan.methods, methods, plan.twin, exclude=job.exclude)
    train = choose(readers, wanted, blends=plan.blends == "stored")
    judges = tuple(open_store(location) for location in job.val_stores) or readers
    known = {reader.digest for reader in readers}
    val = validation_rows(job.val_stores, judges, wanted, job.settings.val_methods, job.val_frames, known)
    for split, table in (("train", train), ("val", val)):
        if (lacking := missing_classes(table)) and (split == "train" or plan.metric in AREAS):
            places = job.val_stores if split == "val" and job.val_stores else job.stores
            raise StoreError(
                f"The {split} split of {', '.join(places)} has no {lacking} face among the rows chosen: "
                f"{'nothing can be learnt' if split == 'train' else f'no best can be chosen by {plan.metric}'}."
            )
    if fabric.world_size > plan.batch:
        raise ConfigError(f"--batch-size {plan.batch} leaves some of {fabric.world_size} processes without a row.")
    process = tuple(corruptions.parse(text) for text in plan.process)
    blenders = tuple(online_blends.blender(reader) for reader in readers) if plan.blends == "live" else ()
    pin = fabric.device.type == "cuda"
    loading = Loading(readers, plan.maps, bool(plan.twin), process, blenders, pin)
    val_loading = Loading(judges, plan.maps, bool(plan.twin), process, (), pin)
    return Data(readers, plan, methods, train, val, loading, val_loading, blenders)


def classes(plan: Plan, readers: Sequence[Reader]) -> tuple[str, ...]:
    """Return the methods that are classes of their own; none where the detector tells real from fake only.

    Raises
    ------
    ConfigError
        The plan asks for another number of classes than the stores have methods.
    """
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
    """Return the checkpoint that a run resumes; None for a new run.

    Raises
    ------
    ConfigError
        The folder holds a run and neither `resume` nor `overwrite` is set, or that run had other settings.
    CheckpointError
        The checkpoint cannot be read.
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
    """Return the checkpoint whose weights a new run begins with; None without `job.init`.

    Raises
    ------
    CheckpointError
        It cannot be read.
    ConfigError
        It belongs to another detector.
    """
    if job.init is None:
        return None
    found = load(job.init)
    if found.about["detector"] != job.detector.name:
        other = found.about["detector"]
        raise ConfigError(f"--init {job.init} holds {other}; {job.detector.name} cannot begin with it.")
    return found


def origin(begun: Checkpoint) -> dict[str, Any]:
    """Describe the checkpoint that a run begins with: rows that it was trained on must not be tested on either."""
    return {key: begun.about.get(key) for key in ("stores", "settings", "step")}


def about(job: Job, data: Data) -> dict[str, Any]:
    """Return the description of a run that its checkpoints and `run.json` hold."""
    first = data.readers[0]
    return {
        "detector": job.detector.name,
        "paper": job.detector.paper,
        "settings": job.settings.to_dict(),
        "identity": _plain(job.identity()),
        "methods": list(data.methods),
        "stores": data.digests,
        "datasets": list(dict.fromkeys(reader.dataset for reader in data.readers)),
        "val_stores": {reader.location: reader.digest for reader in data.val_loading.readers},
        "weights": f"{data.plan.backbone}.{job.settings.weights}" if job.pretrained and not job.init else None,
        "recipe": first.recipe.to_dict(),
        "seed": job.seed,
        "command": job.command,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a result depends on."""
    found = {"python": platform.python_version()}
    return found | {name: importlib.metadata.version(name) for name in PACKAGES}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested values with tuples as lists, as JSON gives them back."""
    return {
        key: _plain(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
    }
