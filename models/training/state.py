"""A run of training: where it stands, and all it writes: checkpoints, log, description."""

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from models.detectors.base import Network
from models.detectors.spec import Phase
from models.runtime import checkpoint, devices, log
from models.runtime.checkpoint import Checkpoint
from models.training.optimisation import Trainer
from models.training.setup import BEST, LAST, RUN_FILE, Job, Prepared
from pipeline.errors import TrainingError
from pipeline.progress import Progress

FLUSH = 10  # steps between looks at the losses: each look waits for the device


@dataclass
class State:
    """Where a run stands; plain values, so that a checkpoint holds all of it.

    Attributes
    ----------
    phase, epoch, batch : int
        What comes next.
    step, phase_step : int
        Steps done, in all and in this phase.
    best : float or None
        Best validation of this phase.
    bad : int
        Validations since then.
    judged : int
        `phase_step` of the last validation.
    sums : dict
        Of each loss term, its sum over this epoch's steps and their number.
    micro : int
    done : bool
    """

    phase: int = 0
    epoch: int = 0
    batch: int = 0
    step: int = 0
    phase_step: int = 0
    best: float | None = None
    bad: int = 0
    judged: int = -1
    sums: dict[str, list[float]] = field(default_factory=dict)
    micro: int = 0
    done: bool = False


@dataclass
class Run:
    """Everything a run carries from step to step."""

    job: Job
    prepared: Prepared
    fabric: Fabric
    network: Network
    state: State
    log: log.Log
    about: dict[str, Any]
    progress: Progress
    trainer: Trainer | None = None
    pending: list[tuple[dict[str, Any], dict[str, Tensor]]] = field(default_factory=list)
    left: int = 0  # steps this run may still take; -1: any number
    saved: float = field(default_factory=time.monotonic)
    interrupted: bool = False
    measured: int = -1  # phase whose need of memory was measured

    @property
    def phase(self) -> Phase:
        """The phase that is being trained."""
        return self.prepared.plan.phases[self.state.phase]

    @property
    def moving(self) -> Trainer:
        """What moves the weights in this phase."""
        assert self.trainer is not None
        return self.trainer


def save(run: Run) -> None:
    """Save everything a resume needs as the last checkpoint."""
    flush(run)
    write(run, LAST, {"step": run.state.step}, resumable=True)
    run.saved = time.monotonic()


def write(run: Run, name: str, more: dict[str, Any], *, resumable: bool) -> None:
    """Write a checkpoint; `more` joins its description."""
    if not run.fabric.is_global_zero:
        return
    training: dict[str, Any] = {}
    if resumable:
        optimisers = {key: each.state_dict() for key, each in run.moving.optimisers.items()}
        training = {"state": asdict(run.state), "optimisers": optimisers}
    checkpoint.save(run.job.out / name, Checkpoint(run.about | more, run.network.state_dict(), training))


def load_best(run: Run) -> None:
    """Go back to the best weights and buffers of this phase."""
    if run.fabric.world_size > 1:
        run.fabric.barrier()
    checkpoint.fill(run.network, checkpoint.load(run.job.out / BEST).network)


def flush(run: Run) -> None:
    """Look at the losses of the last steps: log them, add them to the epoch's sums, stop where one is no number."""
    if not run.pending:
        return
    names = list(dict.fromkeys(name for _, found in run.pending for name in found))
    zero = torch.zeros((), device=run.fabric.device)
    stacked = torch.stack([torch.stack([found.get(name, zero).float() for name in names]) for _, found in run.pending])
    values = devices.total(run.fabric, stacked).tolist()
    places = [where for where, _ in run.pending]
    run.pending = []
    for where, row in zip(places, values, strict=True):
        broken = [name for name, value in zip(names, row, strict=True) if not np.isfinite(value)]
        if broken:
            raise TrainingError(
                f"After step {where['step']} the loss is no number ({', '.join(broken)}). The checkpoints in "
                f"{run.job.out} are those of before; a lower learning rate (--set lr=...) or --precision 32 may help."
            )
        for name, value in zip(names[1:], row[1:], strict=True):
            entry = run.state.sums.setdefault(name, [0.0, 0])
            entry[0], entry[1] = entry[0] + value, entry[1] + 1
    if run.fabric.is_global_zero:
        rows = [dict(zip(["loss", *(f"term_{name}" for name in names[1:])], row, strict=True)) for row in values]
        run.log.add([where | {"kind": "train"} | row for where, row in zip(places, rows, strict=True)])


def remark(run: Run) -> str:
    """Say the training losses looked at last in a few words."""
    row = next((row for row in reversed(run.log.rows) if row["kind"] == "train"), None)
    if row is None:
        return ""
    terms = [name for name in row if name == "loss" or name.startswith("term_")]
    return ", ".join(f"{name.removeprefix('term_')} {float(row[name]):.3g}" for name in terms if row[name])


def place(run: Run) -> dict[str, Any]:
    """Return what every row of the log says first."""
    rate = run.moving.optimisers["main"].param_groups[0]["lr"]
    state = run.state
    return {"phase": run.phase.name, "epoch": state.epoch, "step": state.step, "rate": rate}


def record(run: Run) -> None:
    """Write the run's description."""
    path = run.job.out / RUN_FILE
    parameters = sum(parameter.numel() for parameter in run.network.parameters())
    device = {"device": str(run.fabric.device), "processes": run.fabric.world_size, "parameters": parameters}
    rows = {"train": len(run.prepared.train), "val": len(run.prepared.val)}
    log.write_json(path, run.about | device | {"rows": rows, "state": asdict(run.state)})
