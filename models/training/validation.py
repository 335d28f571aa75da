"""Validation during training: the network judged on the validation split, the best one kept."""

from typing import Any

import numpy as np

from models.data.row_table import Table
from models.evaluation import inference, metrics
from models.training import record
from models.training.state import Run
from pipeline.errors import ScoreError

PROVISIONAL = 64  # rows that judge a run stopped before its first validation


def validate(run: Run) -> None:
    """Judge the network on the validation split; save it as the last, and where it is better as the best."""
    record.flush(run)
    state, metric = run.state, run.data.plan.metric
    figures = judge(run, run.data.val)
    value = figures[metric]
    state.judged = state.phase_step
    state.bad += 1
    if metrics.better(metric, value, state.best):
        state.best, state.bad = value, 0
        record.save_best(run, {"value": value, "validation": figures})
    if run.fabric.is_global_zero:
        run.log.add([record.columns(run) | {"kind": "val"} | figures])
        said = ", ".join(f"{name} {number:.4g}" for name, number in figures.items() if number is not None)
        run.progress.say(f"validation after {state.step} steps: {said}{'' if state.bad else ' (best so far)'}")
    record.save(run)


def provisional(run: Run) -> None:
    """Save a best checkpoint for a run that stops before its first validation, judged by a few rows.

    The run's state keeps no trace of it, so that a resumed run goes on as if it had not stopped.
    """
    val = run.data.val
    rows = np.unique(np.linspace(0, len(val) - 1, min(PROVISIONAL, len(val))).round().astype(np.int64))
    record.save_best(run, {"value": None, "provisional": judge(run, val.take(rows))})


def judge(run: Run, table: Table) -> dict[str, Any]:
    """Return the figures of the network on some rows.

    Raises
    ------
    ScoreError
        A score is no number: the weights, or the running statistics of batch norm, have diverged.
    """
    data, state = run.data, run.state
    size = min(inference.BATCH, data.plan.batch, state.micro or data.plan.batch)
    with run.progress.stage("validation", len(table)) as advance:
        try:
            found = inference.predict(
                run.network, data.plan, data.val_loading, table, run.fabric, batch=size, loss=True, advance=advance
            )
        except ScoreError as error:
            raise ScoreError(f"After step {state.step}, in validation: {error}") from error
    return inference.figures(found, table)
