"""Training loop: phases of epochs of steps, as a detector's plan declares them; it can be resumed after any step.

`_train_phase` is the loop. For every batch it

1. gathers the rows, read ahead by threads,
2. moves them to the device, as floats at the detector's size,
3. augments images and maps,
4. lets each optimiser of the phase take its steps: forward, loss and backward in micro-batches, then the update,
5. logs the losses, validates and saves where it is time.
"""

import time

import torch
from torch import Tensor

from models.data.augment import augment
from models.data.collate import to_device
from models.detectors.base import Batch, Outputs
from models.detectors.spec import Step
from models.runtime import batch_memory, checkpoint, devices, interrupts, log
from models.runtime.checkpoint import Checkpoint
from models.training import optimisation, record
from models.training.batches import gather, steps_of_epoch
from models.training.measurement import measure, said
from models.training.record import load_best
from models.training.setup import BEST, LAST, METRICS_FILE, Job, about, initial, origin, prepare, previous
from models.training.state import Run, State
from models.training.validation import provisional, validate
from models.training.validation_rows import lacking_methods
from pipeline.progress import Progress, Silent

SAVE = 120.0  # seconds between checkpoints where nothing else asks for one


def train(job: Job, progress: Progress | None = None) -> State:
    """Train a detector, or resume its training.

    Parameters
    ----------
    job : Job
    progress : Progress, optional

    Returns
    -------
    State
        `done` where the plan is complete; else `job.steps` ended the run early, and a resumed run goes on from there.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C; everything is saved.
    TrainingError
        The loss is NaN or infinite, or memory does not hold a single row. The checkpoints stay as they were.
    StoreError, ConfigError, CheckpointError, WeightsError
        The job cannot be done: its stores, settings, checkpoint or weights are missing or do not fit.
    """
    run, earlier = _start(job, progress or Silent())
    with interrupts.deferred(run.interrupt):
        while not run.state.done and not _stopping(run):
            _start_phase(run, earlier)
            earlier = None
            if not _train_phase(run):
                break
            _end_phase(run)
        if not run.state.done:
            _leave_early(run)
        record.finish(run)
    if run.interrupt.asked:
        run.progress.say(f"Saved after step {run.state.step}; --resume goes on from there.")
        raise KeyboardInterrupt
    return run.state


def _train_phase(run: Run) -> bool:
    """Train to the end of a phase; return False where the run stops before it."""
    state, phase, plan, device = run.state, run.phase, run.data.plan, run.fabric.device
    with run.progress.stage(*_title(run)) as advance:
        advance(state.phase_step, "")
        while not state.finished(phase):
            _start_epoch(run)
            for loaded, draws, seed in gather(run.data, run.seed, state.batch, run.fabric):
                batch = to_device(loaded, plan.size, device)  # images (B, 3, S, S), maps (B, 1, S, S), float32
                batch = augment(batch, plan.augmentations, draws)
                _fit_memory(run, batch)
                torch.manual_seed(seed)
                terms = update(run, batch)
                state.advance()
                record.add_losses(run, terms)
                advance(1, record.latest_losses(run))
                if phase.every_steps and state.phase_step % phase.every_steps == 0:
                    validate(run)
                if run.steps_left is not None:
                    run.steps_left -= 1
                if _stopping(run):
                    return False
                if time.monotonic() - run.saved > SAVE:
                    record.save(run)
            _end_epoch(run)
        if state.judged != state.phase_step:
            validate(run)
    return True


def update(run: Run, batch: Batch) -> dict[str, Tensor]:
    """Take one step of training: every optimiser of the phase in turn, on this process's part of a batch.

    Parameters
    ----------
    run : Run
        `state.micro` is lowered when memory runs out.
    batch : mapping of str to Tensor
        As described in `models.detectors.base`.

    Returns
    -------
    dict of str to Tensor of shape ()
        `loss`, the sum of the terms of the step `main`, then each term of every optimiser: this process's share of
        the mean over the whole batch, to be summed over the processes.

    Raises
    ------
    TrainingError
        Not even one row fits into memory.
    """
    network, fabric, state = run.network, run.fabric, run.state
    optimisation.training_mode(network, run.frozen_norm)
    found: dict[str, Tensor] = {}
    outputs: Outputs | None = None  # of the whole batch: one forward pass serves all optimisers
    for step in run.phase.steps:
        counts = optimisation.count_rows(network, batch, step.name, fabric)
        for _ in range(step.times):
            fits = False
            while not fits:
                run.optimisers[step.name].zero_grad()
                with batch_memory.watched(fabric) as memory:
                    terms, outputs = _backward(run, step, batch, counts, outputs)
                fits = not memory.ran_out
                if not fits:
                    outputs, state.micro = None, memory.fewer(batch, state.micro)
            devices.share_gradients(fabric, network.parameters_of(step.name))
            run.optimisers[step.name].step()
        found |= terms
        if step.name == "main":
            found = {"loss": torch.stack(list(terms.values())).sum()} | found
    return found


def _backward(
    run: Run, step: Step, batch: Batch, counts: dict[str, Tensor], outputs: Outputs | None
) -> tuple[dict[str, Tensor], Outputs | None]:
    """Run forward, loss and backward on each micro-batch, which adds up the gradients of the whole batch.

    Each term is weighted by the micro-batch's share of the rows it is averaged over (`counts`). A batch in one piece
    runs forward once for all optimisers; in several pieces once for each, since memory does not hold all activations.
    """
    parts = optimisation.split(batch, run.state.micro)
    sums: dict[str, Tensor] = {}
    for part in parts:
        with run.fabric.autocast():
            if outputs is None or len(parts) > 1:
                outputs = run.network(part)
            terms = run.network.loss(outputs, part, step.name)
        rows = run.network.rows(part, step.name)
        weighted = {name: term * (rows[name] / counts[name].clamp(min=1)) for name, term in terms.items()}
        torch.autograd.backward(torch.stack(list(weighted.values())).sum())
        for name, term in weighted.items():
            sums[name] = sums.get(name, torch.zeros_like(term)) + term.detach()
    return sums, outputs if len(parts) == 1 else None


def _start(job: Job, progress: Progress) -> tuple[Run, Checkpoint | None]:
    """Build the network and everything else of a run; return it with the checkpoint that it resumes, if any."""
    fabric = devices.start(job.device, job.precision)
    earlier = previous(job)
    weights = earlier or initial(job)
    data = prepare(job, fabric)
    torch.manual_seed(job.seed)
    network = job.detector.build(job.settings, job.pretrained and not weights)
    network = devices.settle(fabric, optimisation.synchronise_norms(network, fabric))
    if weights:
        checkpoint.fill(network, weights.network)
    state = State(**earlier.training["state"]) if earlier else State()
    init = earlier.about.get("init") if earlier else weights and origin(weights)
    measured = earlier.about.get("measured", {}) if earlier else measure(network, data, (job.seed, 0, 0), fabric.device)
    several = fabric.world_size > 1 and fabric.device.type == "cpu"  # no synchronised batch norm there
    described = about(job, data) | {"init": init, "measured": measured}
    run = Run(
        job, data, fabric, network, state, log.Log(job.out / METRICS_FILE, tuple(network.terms)), described, progress,
        job.frozen_norm or several, job.steps or None,
    )  # fmt: skip
    if fabric.is_global_zero:
        if several and not job.frozen_norm:
            progress.say("Several CPU processes: batch norm keeps its running statistics.")
        if measured and not earlier:
            progress.say(said(measured))
        if lacking := lacking_methods(data.train, data.plan.methods):
            progress.say(f"Not as asked for: no row of training is of {', '.join(lacking)}.")
        job.out.mkdir(parents=True, exist_ok=True)
        if not earlier:
            for name in (BEST, LAST):
                (job.out / name).unlink(missing_ok=True)
        run.log.restart(state.step)
        record.describe(run)
    return run, earlier


def _start_phase(run: Run, earlier: Checkpoint | None) -> None:
    """Create the optimisers of a phase, with the state they had in a checkpoint that the run resumes."""
    if run.state.phase_step == 0:
        run.network.begin(run.phase)
    run.optimisers = optimisation.start_phase(run.network, run.phase)
    run.state.micro = run.state.micro or run.job.micro
    if earlier:
        for name, optimiser in run.optimisers.items():
            optimiser.load_state_dict(earlier.training["optimisers"][name])


def _end_phase(run: Run) -> None:
    """Go back to the best weights of a phase and on to the next phase, or save the complete run."""
    load_best(run)
    state = run.state
    if state.phase + 1 < len(run.data.plan.phases):
        run.state = State(phase=state.phase + 1, step=state.step, micro=state.micro)
    else:
        state.done = True
        record.save(run)


def _start_epoch(run: Run) -> None:
    """Set the learning rates; before a `reload` epoch, go back to the best weights and clear the momenta."""
    state = run.state
    if state.epoch in run.phase.reload and state.batch == 0 and state.best is not None:
        load_best(run)
        for optimiser in run.optimisers.values():
            optimiser.state.clear()
    optimisation.set_rates(run.optimisers, run.phase, state.epoch)


def _end_epoch(run: Run) -> None:
    """Tell the network the epoch's mean losses; validate where it is time."""
    record.flush(run)
    state = run.state
    run.network.end_epoch(optimisation.means(state.sums))
    state.epoch, state.batch, state.sums = state.epoch + 1, 0, {}
    if not run.phase.every_steps and state.epoch % run.phase.every_epochs == 0:
        validate(run)


def _leave_early(run: Run) -> None:
    """Save a run that stops before its plan is complete; it has a best checkpoint even if it was never validated."""
    record.flush(run)
    if run.state.best is None and not run.interrupt.asked and run.state.step:
        provisional(run)
    record.save(run)


def _fit_memory(run: Run, batch: Batch) -> None:
    """Before the first step of a phase on a CPU, choose micro-batches that fit; a GPU reports when they do not."""
    if run.state.micro or run.fabric.device.type != "cpu" or run.measured == run.state.phase:
        return
    run.measured = run.state.phase
    rows = batch_memory.rows_that_fit(run.network, batch, run.fabric.world_size)
    if rows is not None and rows < len(batch["label"]):
        run.state.micro = rows
        run.progress.say(f"Memory holds {rows} rows at once: gradients are added up over {rows} at a time.")


def _stopping(run: Run) -> bool:
    """Tell whether to leave the loop, the same in all processes: no steps left, or an interrupt in any of them."""
    run.interrupt.asked = devices.any_of(run.fabric, run.interrupt.asked)
    return run.interrupt.asked or run.steps_left == 0


def _title(run: Run) -> tuple[str, int]:
    """Return the name of a phase for the progress bar, and the number of its steps that this run will have done."""
    name, plan, done = run.job.detector.name, run.data.plan, run.state.phase_step
    steps = run.phase.epochs * steps_of_epoch(run.data, run.seed)
    title = name if len(plan.phases) == 1 else f"{name} {run.phase.name}"
    return title, steps if run.steps_left is None else min(steps, done + run.steps_left)
