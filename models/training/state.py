"""State of a training run: its position, which a checkpoint holds, and the live objects of this process."""

import time
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from models.detectors.base import Network
from models.detectors.spec import Phase
from models.runtime.interrupts import Interrupt
from models.runtime.log import Log
from models.training.setup import Data, Job
from pipeline.progress import Progress


@dataclass
class State:
    """Position of a run, in plain values, so that a checkpoint holds all of it.

    Attributes
    ----------
    phase, epoch, batch : int
        The next batch to train on: its number within the epoch, the epoch's within the phase, the phase's in the plan.
    step, phase_step : int
        Steps done, in all and in this phase.
    best : float or None
        Best value of the validation metric in this phase.
    bad : int
        Validations since then.
    judged : int
        `phase_step` of the last validation; -1 before the first.
    sums : dict
        For each loss term, its sum over this epoch's steps and their number.
    micro : int
        Rows of a micro-batch, per process; 0: the whole batch. It shrinks when memory runs out, and never grows again.
    done : bool
        Whether every phase is complete.
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

    def finished(self, phase: Phase) -> bool:
        """Tell whether a phase has had all its epochs, or `patience` validations without a better one."""
        return self.epoch >= phase.epochs or bool(phase.patience and self.bad >= phase.patience)

    def advance(self) -> None:
        """Count one step."""
        self.batch, self.step, self.phase_step = self.batch + 1, self.step + 1, self.phase_step + 1


@dataclass
class Run:
    """A run in this process.

    Attributes
    ----------
    job : Job
    data : Data
    fabric : Fabric
    network : Network
    state : State
    log : Log
    about : dict
        The run's description, which its checkpoints and `run.json` begin with.
    progress : Progress
    frozen_norm : bool
        Batch norm uses its running statistics and leaves them unchanged.
    steps_left : int or None
        Steps this run may still take; None: no limit.
    optimisers : dict of str to Optimizer
        Those of the current phase, by the name of their step.
    interrupt : Interrupt
        Whether the user asked to stop.
    pending : list of (dict, dict of str to Tensor)
        Log columns and loss terms of the steps whose losses were not read from the device yet.
    saved : float
        When `last.ckpt` was written, on the monotonic clock.
    measured : int
        Phase whose need for memory was measured; -1 for none.
    """

    job: Job
    data: Data
    fabric: Fabric
    network: Network
    state: State
    log: Log
    about: dict[str, Any]
    progress: Progress
    frozen_norm: bool = False
    steps_left: int | None = None
    optimisers: dict[str, torch.optim.Optimizer] = field(default_factory=dict)
    interrupt: Interrupt = field(default_factory=Interrupt)
    pending: list[tuple[dict[str, Any], dict[str, Tensor]]] = field(default_factory=list)
    saved: float = field(default_factory=time.monotonic)
    measured: int = -1

    @property
    def phase(self) -> Phase:
        """The phase that is being trained."""
        return self.data.plan.phases[self.state.phase]

    @property
    def seed(self) -> tuple[int, int, int]:
        """Seed of the current epoch."""
        return self.job.seed, self.state.phase, self.state.epoch
