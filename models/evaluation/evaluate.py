"""Evaluation of a checkpoint on stores: frames, videos and maps, by store, split, compression and method."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray

from models.data import corruptions
from models.data.loader import Loading
from models.data.row_table import NO_CLASS, Choice, Table, choose
from models.data.store_reader import Reader, open_store
from models.detectors.base import Network
from models.detectors.settings import change
from models.detectors.spec import Plan
from models.evaluation import inference, metrics, tasks
from models.evaluation.inference import Predictions
from models.evaluation.robustness import CLEAN, Condition, conditions
from models.runtime import checkpoint, devices
from models.runtime.checkpoint import Checkpoint
from pipeline.errors import CheckpointError, ScoreError, StoreError
from pipeline.progress import Advance, Progress, Silent

REAL, FAKE = "real", "fake"
EVERY = "all"
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Request:
    """Selection of what is evaluated.

    Attributes
    ----------
    stores : tuple of str
    checkpoint : Path
    split : str
        `all` takes every split, and tells them apart.
    compression : str
        Rows of this one alone; empty: all, told apart.
    frames : int
        At most so many of each video, evenly spaced; 0: all.
    perturb, partial : tuple of str
        As `models.evaluation.robustness.conditions` takes them.
    device, precision : str
    batch : int
    rounds : int
        Of the bootstrap; 0: no intervals.
    settings : tuple of str
        `KEY=VALUE` texts over the checkpoint's settings, such as another source of the score.
    splits : mapping of str to str
        The split of a dataset's stores, for those where it is not `split`.
    """

    stores: tuple[str, ...]
    checkpoint: Path
    split: str = "test"
    compression: str = ""
    frames: int = 0
    perturb: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    device: str = "auto"
    precision: str = "32"
    batch: int = inference.BATCH
    rounds: int = 1000
    settings: tuple[str, ...] = ()
    splits: Mapping[str, str] = field(default_factory=dict)

    def split_of(self, dataset: str) -> str:
        """Return the split that is judged of a dataset's stores."""
        return self.splits.get(dataset, self.split)


@dataclass(frozen=True)
class Judged:
    """One condition's rows and what the detector said of them."""

    condition: Condition
    found: Predictions

    def answers(self, rows: Bools) -> tasks.Answers:
        """Return what is true and what was said of some of the rows, a mask."""
        every = inference.answers(self.found, self.condition.table)
        return tasks.Answers(**{about.name: getattr(every, about.name)[rows] for about in dataclasses.fields(every)})


@dataclass(frozen=True)
class Evaluation:
    """Everything a report is made from.

    Attributes
    ----------
    result : dict
        Plain values: what `metrics.json` holds.
    judged : list of Judged
        The stored rows first.
    readers, network, plan, loading
        For pictures of single rows.
    """

    result: dict[str, Any]
    judged: list[Judged]
    readers: tuple[Reader, ...] = field(repr=False)
    network: Network = field(repr=False)
    plan: Plan = field(repr=False)
    loading: Loading = field(repr=False)


def evaluate(request: Request, progress: Progress | None = None) -> Evaluation:
    """Judge a checkpoint.

    Raises
    ------
    CheckpointError, StoreError, ConfigError, DamageError
        Something asked for is not there or cannot be read.
    """
    show = progress or Silent()
    fabric = devices.start(request.device, request.precision)
    saved = _changed(checkpoint.load(request.checkpoint), request.settings)
    plan = saved.detector.plan(saved.settings)
    readers = tuple(open_store(location) for location in request.stores)
    taught = _taught(saved, plan)
    table = _rows(request, readers, taught)
    network = devices.settle(fabric, saved.build()).eval()
    process = tuple(corruptions.parse(text) for text in plan.process)
    maps = (plan.truth,) if plan.truth else ()
    loading = Loading(readers, maps, process=process, pin=fabric.device.type == "cuda")
    judged = []
    for each in conditions(readers, table, request.perturb, request.partial):
        how = dataclasses.replace(
            loading, process=each.steps + process, image=each.image, maps=maps if each.labelled else ()
        )
        with show.stage(each.name, len(each.table)) as advance:
            found = _predict(request, network, plan, how, each, fabric, advance)
        judged.append(Judged(each, _without_foreign_truth(found, each.table, readers, plan)))
    result = _result(request, saved, readers, judged, plan, taught)
    return Evaluation(result, judged, readers, network, plan, loading)


def _rows(request: Request, readers: Sequence[Reader], taught: tuple[str, ...]) -> Table:
    """Return the rows to judge, of each store those of its split."""
    wanted = [request.split_of(reader.dataset) for reader in readers]
    split = wanted[0] if len(set(wanted)) == 1 and wanted[0] != EVERY else ""
    table = choose(readers, Choice(split, request.compression, taught=taught, frames=request.frames))
    of_row = np.array(wanted, dtype=object)[table.store]
    table = table.take((of_row == EVERY) | (table.split == of_row))
    if not len(table):
        raise StoreError(f"{', '.join(request.stores)} has no row of the split {request.split}.")
    return table


def _predict(
    request: Request, network: Network, plan: Plan, how: Loading, each: Condition, fabric: Fabric, advance: Advance
) -> Predictions:
    try:
        return inference.predict(network, plan, how, each.table, fabric, batch=request.batch, advance=advance)
    except ScoreError as error:
        raise CheckpointError(f"{request.checkpoint} cannot be judged ({each.name}). {error}") from error


def _changed(saved: Checkpoint, pairs: Sequence[str]) -> Checkpoint:
    settings = change(saved.settings, pairs)
    return dataclasses.replace(saved, about=saved.about | {"settings": settings.to_dict()}) if pairs else saved


def _taught(saved: Checkpoint, plan: Plan) -> tuple[str, ...]:
    """Return the methods that are classes of their own, in the network's order; raises CheckpointError."""
    methods = tuple(saved.about.get("methods", ()))
    if len(methods) != (plan.classes - 1 if plan.classes > 2 else 0):
        raise CheckpointError(f"The checkpoint tells {plan.classes} classes apart, but names {len(methods)} methods.")
    return methods


def _without_foreign_truth(found: Predictions, table: Table, readers: Sequence[Reader], plan: Plan) -> Predictions:
    """Drop map counts of stores that do not hold the truth the detector draws."""
    lacking = [number for number, reader in enumerate(readers) if plan.truth not in reader.pixels]
    counts = np.where(np.isin(table.store[found.rows], lacking)[:, None], 0, found.counts)
    return dataclasses.replace(found, counts=counts)


def _result(
    request: Request, saved: Checkpoint, readers: Sequence[Reader], judged: Sequence[Judged], plan: Plan,
    taught: tuple[str, ...],
) -> dict[str, Any]:  # fmt: skip
    names = (REAL, *taught) if taught else ()
    described = []
    for each in judged:
        rounds = request.rounds if each.condition.name == CLEAN else 0
        groups = list(_groups(each.condition.table, readers))
        described.append(
            {
                "condition": each.condition.name,
                "groups": [
                    about | figures(each, rows, rounds, names) | {"coverage": _coverage(readers, request, about)}
                    for about, rows in groups
                ],
            }
        )
    first = described[0]["groups"]
    return {
        "checkpoint": str(request.checkpoint),
        "detector": saved.about["detector"],
        "settings": saved.about["settings"],
        "trained_on": saved.about.get("stores", {}),
        "stores": {reader.location: {"dataset": reader.dataset, "digest": reader.digest} for reader in readers},
        "split": request.split,
        "classes": list(names) or [REAL, FAKE],
        "truth_of_maps": plan.truth,
        "overall": first[0],
        "groups": first[1:],
        "conditions": described[1:],
    }


def _groups(table: Table, readers: Sequence[Reader]) -> Iterator[tuple[dict[str, str], Bools]]:
    """Yield groups of rows and what they are: all, each store, each of its compressions, each method against reals."""
    every = np.ones(len(table), dtype=bool)
    yield dict.fromkeys(("store", "split", "compression", "method"), EVERY), every
    for number, reader in enumerate(readers):
        here = table.store == number
        for split in dict.fromkeys(table.split[here].tolist()):
            for compression in dict.fromkeys(table.compression[here].tolist()):
                rows = here & (table.split == split) & (table.compression == compression)
                about = {"store": reader.location, "split": split, "compression": compression}
                if not rows.any():
                    continue
                yield about | {"method": EVERY}, rows
                for method in dict.fromkeys(table.method[rows].tolist()):
                    if method != REAL:
                        yield about | {"method": method}, rows & np.isin(table.method.astype(str), (REAL, method))


def figures(each: Judged, rows: Bools, rounds: int, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the figures of some rows; `names` are those of several classes, real first, else empty."""
    frames = each.answers(rows)
    videos = tasks.by_video(frames)
    task, counts = tasks.task_of(frames.classes), each.found.counts[rows]
    frame: dict[str, Any] = dict(task.figures(frames, names))
    method = each.condition.table.method[rows]
    forged = (method != REAL).astype(np.int64)
    if (forged != frames.label).any():  # fakes relabelled real for want of changed pixels: the figures without that
        place = {name: number for number, name in enumerate(names)}
        target = np.array([place.get(name, NO_CLASS) for name in method.tolist()]) if names else forged
        plain = task.figures(dataclasses.replace(frames, label=forged, target=target), names)
        frame |= {"auc_by_method": plain["auc"], "accuracy_by_method": plain["accuracy"]}
    video: dict[str, Any] = dict(task.figures(videos, names))
    if rounds:
        for level, answers in ((frame, frames), (video, videos)):
            level |= {
                f"{metric}_interval": tasks.interval(metric, answers, names, rounds) for metric in ("auc", "accuracy")
            }
    known = counts.sum(1) > 0
    drawn = metrics.maps(counts[known], frames.label[known]) if known.any() else {}
    return {"frames": int(rows.sum()), "videos": len(videos.video), "frame": frame, "video": video, "maps": drawn}


def _coverage(readers: Sequence[Reader], request: Request, about: dict[str, str]) -> dict[str, int]:
    """Count what of the rows asked for at preprocessing is in the stores, and what was rejected."""
    totals = dict.fromkeys(("frames", "frames_rejected", "videos", "videos_rejected"), 0)
    for reader in readers:
        if about["store"] not in (EVERY, reader.location):
            continue
        split = request.split_of(reader.dataset)
        wanted = {"split": split, "compression": request.compression or EVERY, "method": EVERY}
        wanted |= {name: about[name] for name in wanted if about[name] != EVERY}
        named = {name: np.asarray(reader.names[name], dtype=object)[reader.columns[name]] for name in wanted}
        kept, lost = _chosen(named, wanted), _chosen(reader.rejects, wanted)
        paths = reader.columns["video_path"][np.unique(reader.columns["video"][kept])]
        gone = set(reader.rejects["video"][lost].tolist()) - set(paths.tolist()) if len(lost) else set()
        totals["frames"] += int(kept.sum())
        totals["frames_rejected"] += int(reader.rejects["rows"][lost].sum()) if len(lost) else 0
        totals["videos"] += len(paths)
        totals["videos_rejected"] += len(gone)
    return totals


def _chosen(columns: Any, wanted: dict[str, str]) -> Bools:
    chosen = np.ones(len(columns["split"]) if columns else 0, dtype=bool)
    for name, value in wanted.items():
        if value != EVERY and len(chosen):
            allowed = (REAL, value) if name == "method" else (value,)
            chosen &= np.isin(columns[name].astype(str), allowed)
    return chosen
