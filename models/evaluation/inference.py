"""Scores, class probabilities and map counts of a table's rows: what validation and evaluation judge."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from models.data.collate import to_device
from models.data.loader import Loaded, Loading, ahead, in_order
from models.data.row_table import Ints, Table
from models.data.store_reader import Reader
from models.detectors.base import Network
from models.detectors.spec import Plan
from models.evaluation import metrics, tasks
from models.runtime.devices import gather, out_of_memory
from pipeline.errors import ScoreError, TrainingError
from pipeline.progress import Advance

BATCH = 32


@dataclass(frozen=True)
class Predictions:
    """Scores of rows by a detector; every array but `loss` has one entry a row.

    Attributes
    ----------
    rows : ndarray of int64
        Of the table, increasing.
    score : ndarray of float64
        Probability of fake.
    probabilities : ndarray of shape (n, K)
    counts : ndarray of shape (n, 4)
        Pixels, from `metrics.pixel_counts`; all 0 where the detector draws no map or its truth is not known.
    loss : ndarray of shape (terms, 2)
        Of each loss term, its sum over rows and their number; empty where no loss was asked for.
    """

    rows: Ints
    score: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    counts: Ints
    loss: NDArray[np.float64]


def predict(
    network: Network,
    plan: Plan,
    loading: Loading,
    table: Table,
    fabric: Fabric,
    *,
    batch: int = BATCH,
    loss: bool = False,
    advance: Advance = lambda rows, remark: None,
) -> Predictions:
    """Run a network over all rows of a table, shared among the processes.

    Raises
    ------
    TrainingError
        Not even one row fits into memory.
    ScoreError
        A score, a probability or the loss is no number: says of how many rows, and which is the first.
    DamageError
        A row cannot be read.
    """
    network.eval()
    mine = np.arange(len(table), dtype=np.int64)[fabric.global_rank :: fabric.world_size]
    jobs = [mine[rows] for rows in in_order(len(mine), batch)]
    parts: list[Predictions] = []
    with torch.no_grad():
        for loaded in ahead(jobs, lambda rows: loading.load(table, rows)):
            parts += _judge(network, plan, loaded, fabric, loss)
            advance(len(loaded), "")
    found = _join([part for some in gather(fabric, parts) for part in some], plan)
    _refuse_what_is_no_number(found, table, loading.readers)
    return found


def _refuse_what_is_no_number(found: Predictions, table: Table, readers: Sequence[Reader]) -> None:
    broken = np.flatnonzero(~(np.isfinite(found.score) & np.isfinite(found.probabilities).all(1)))
    if len(broken):
        first = int(found.rows[broken[0]])
        reader, row = readers[table.store[first]], int(table.row[first])
        video = reader.columns["video_id"][reader.columns["video"][row]]
        raise ScoreError(
            f"The network's score is no number for {len(broken)} of {len(found.rows)} rows, first row {row} of "
            f"{reader.location} (video {video}, frame {reader.columns['frame'][row]}): its weights or its batch "
            "norm's statistics have left every range. Go on from an earlier checkpoint, with a lower learning rate or "
            "--precision 32."
        )
    if not np.isfinite(found.loss).all():
        raise ScoreError(
            f"The loss over {len(found.rows)} rows is no number, though every score is. Go on from an earlier "
            "checkpoint, with a lower learning rate or --precision 32."
        )


def _judge(network: Network, plan: Plan, loaded: Loaded, fabric: Fabric, loss: bool) -> list[Predictions]:
    """Judge one batch, in ever smaller parts where memory runs out."""
    size = len(loaded)
    while True:
        try:
            return [_judge_part(network, plan, loaded, part, fabric, loss) for part in _slices(len(loaded), size)]
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if size == 1:
                raise TrainingError(
                    f"Not even one row of {plan.size} pixels fits into memory; a smaller --set size may."
                ) from error
        size = -(-size // 2)


def _judge_part(network: Network, plan: Plan, loaded: Loaded, part: slice, fabric: Fabric, loss: bool) -> Predictions:
    batch = to_device(loaded, plan.size, fabric.device, part)
    with fabric.autocast():
        outputs = network(batch)
        terms = mean_terms(network, outputs, batch) if loss else {}
    drawn = network.localise(outputs, plan.size) if plan.truth in batch else None
    count = len(batch["label"])
    return Predictions(
        rows=loaded.rows[part],
        score=_plain(network.score(outputs)),
        probabilities=_plain(network.probabilities(outputs)),
        counts=np.zeros((count, 4), np.int64) if drawn is None else metrics.pixel_counts(drawn, batch[plan.truth]),
        loss=np.array(list(terms.values()), np.float64).reshape(-1, 2),
    )


def mean_terms(network: Network, outputs: object, batch: Mapping[str, Tensor]) -> dict[str, tuple[float, float]]:
    """Return each term of the loss as its sum over rows, and their number."""
    terms, rows = network.loss(outputs, batch), network.rows(batch)  # type: ignore[arg-type]
    return {name: (float(term) * float(rows[name]), float(rows[name])) for name, term in terms.items()}


def answers(found: Predictions, table: Table) -> tasks.Answers:
    """Put what is true of the rows beside what was said of them."""
    some = table.take(found.rows)
    return tasks.Answers(some.label, found.score, some.target, found.probabilities, some.video)


def figures(found: Predictions, table: Table) -> metrics.Figures:
    """Return what validation may choose the best by: loss, accuracy, auc, video_auc, method_auc, recall_mean.

    Accuracy is that of the network's task: of the classes where it tells several apart.
    """
    frames = answers(found, table)
    videos = metrics.by_video(frames.label, frames.score, frames.video)
    frame = tasks.task_of(frames.classes).figures(frames, ())
    sums = found.loss
    return {
        "loss": float((sums[:, 0] / np.maximum(sums[:, 1], 1)).sum()) if len(sums) else None,
        "accuracy": frame["accuracy"],
        "auc": frame["auc"],
        "video_auc": metrics.scores(videos.label, videos.score)["auc"],
        "method_auc": tasks.method_auc(frames, table.method[found.rows]),
        "recall_mean": metrics.classes(frames.target, frames.probabilities, ())["recall_mean"],
    }


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(low, min(low + size, count)) for low in range(0, count, size))


def _plain(values: Tensor) -> NDArray[np.float64]:
    return values.float().cpu().numpy().astype(np.float64)


def _join(parts: Sequence[Predictions], plan: Plan) -> Predictions:
    joined = {
        about.name: np.concatenate([getattr(part, about.name) for part in parts])
        for about in fields(Predictions)
        if about.name != "loss"
    }
    order = np.argsort(joined["rows"], kind="stable")
    loss = np.sum([part.loss for part in parts], axis=0)
    return Predictions(**{name: values[order] for name, values in joined.items()}, loss=loss)
