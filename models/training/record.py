"""Files of a training run: checkpoints, `metrics.csv`, `run.json` and the curves."""

import time
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.runtime import checkpoint, devices, log
from models.runtime.checkpoint import Checkpoint
from models.training.setup import BEST, CURVES, LAST, RUN_FILE
from models.training.state import Run
from pipeline.errors import TrainingError
from pipeline.files import write_json

FLUSH = 10  # steps between two reads of the losses: each read waits for the device


def save(run: Run) -> None:
    """Save everything that a resumed run needs as `last.ckpt`."""
    flush(run)
    optimisers = {name: optimiser.state_dict() for name, optimiser in run.optimisers.items()}
    _write(run, LAST, {"step": run.state.step}, {"state": asdict(run.state), "optimisers": optimisers})
    run.saved = time.monotonic()


def save_best(run: Run, about: dict[str, Any]) -> None:
    """Save the network as `best.ckpt`; `about` joins the run's description."""
    _write(run, BEST, about | {"step": run.state.step}, {})


def load_best(run: Run) -> None:
    """Load the best weights and buffers of this phase into the network."""
    if run.fabric.world_size > 1:
        run.fabric.barrier()
    checkpoint.fill(run.network, checkpoint.load(run.job.out / BEST).network)


def add_losses(run: Run, terms: dict[str, Tensor]) -> None:
    """Log the loss terms of a step, each of shape (); they are read from the device every `FLUSH` steps."""
    run.pending.append((columns(run), terms))
    if len(run.pending) >= FLUSH:
        flush(run)


def flush(run: Run) -> None:
    """Read the losses of the steps since the last call, log them, and add them to the epoch's sums.

    Raises
    ------
    TrainingError
        A loss is NaN or infinite.
    """
    if not run.pending:
        return
    names = list(dict.fromkeys(name for _, terms in run.pending for name in terms))
    zero = torch.zeros((), device=run.fabric.device)
    stacked = torch.stack([torch.stack([terms.get(name, zero).float() for name in names]) for _, terms in run.pending])
    values = devices.total(run.fabric, stacked).tolist()  # (steps, terms), averaged over the rows of all processes
    places = [place for place, _ in run.pending]
    run.pending = []
    for place, row in zip(places, values, strict=True):
        _check(run, int(place["step"]), dict(zip(names, row, strict=True)))
        for name, value in zip(names[1:], row[1:], strict=True):
            entry = run.state.sums.setdefault(name, [0.0, 0])
            entry[0], entry[1] = entry[0] + value, entry[1] + 1
    if run.fabric.is_global_zero:
        header = ["loss", *(f"term_{name}" for name in names[1:])]
        rows = [dict(zip(header, row, strict=True)) for row in values]
        run.log.add([place | {"kind": "train"} | row for place, row in zip(places, rows, strict=True)])


def latest_losses(run: Run) -> str:
    """Return the training losses read last, as a remark of the progress bar."""
    row = next((row for row in reversed(run.log.rows) if row["kind"] == "train"), None)
    if row is None:
        return ""
    terms = [name for name in row if name == "loss" or name.startswith("term_")]
    return ", ".join(f"{name.removeprefix('term_')} {float(row[name]):.3g}" for name in terms if row[name])


def columns(run: Run) -> dict[str, Any]:
    """Return the columns that every row of `metrics.csv` begins with."""
    rate = run.optimisers["main"].param_groups[0]["lr"]
    return {"phase": run.phase.name, "epoch": run.state.epoch, "step": run.state.step, "rate": rate}


def describe(run: Run) -> None:
    """Write `run.json`."""
    parameters = sum(parameter.numel() for parameter in run.network.parameters())
    device = {"device": str(run.fabric.device), "processes": run.fabric.world_size, "parameters": parameters}
    rows = {"train": len(run.data.train), "val": len(run.data.val)}
    write_json(run.job.out / RUN_FILE, run.about | device | {"rows": rows, "state": asdict(run.state)})


def finish(run: Run) -> None:
    """Write what is left when a run ends: the last losses, the curves and `run.json`."""
    flush(run)
    if run.fabric.is_global_zero:
        log.draw_curves(run.job.out / CURVES, f"{run.job.detector.name}, step {run.state.step}", run.log)
        describe(run)


def _write(run: Run, name: str, about: dict[str, Any], training: dict[str, Any]) -> None:
    if run.fabric.is_global_zero:
        checkpoint.save(run.job.out / name, Checkpoint(run.about | about, run.network.state_dict(), training))


def _check(run: Run, step: int, losses: dict[str, float]) -> None:
    broken = [name for name, value in losses.items() if not np.isfinite(value)]
    if broken:
        raise TrainingError(
            f"After step {step} the loss is no number ({', '.join(broken)}). The checkpoints in {run.job.out} are "
            "those of before; a lower learning rate (--set lr=...) or --precision 32 may help."
        )
