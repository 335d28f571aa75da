"""The training loop: phases of epochs of steps, as a detector's plan declares them, resumable after any step."""

import contextlib
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from models.data import augment, collate, online_blends, sampler
from models.data.loader import Loaded, ahead
from models.data.row_table import Ints, Table
from models.detectors.base import Network
from models.evaluation import inference, metrics
from models.runtime import batch_memory, checkpoint, devices, log
from models.runtime.checkpoint import Checkpoint
from models.training import optimisation
from models.training.setup import BEST, CURVES, LAST, METRICS_FILE, Job, about, initial, origin, prepare, previous
from models.training.state import FLUSH, Run, State, flush, load_best, place, record, remark, save, write
from pipeline.blend import Blend
from pipeline.progress import Progress, Silent

SAVE = 120.0  # seconds between checkpoints where nothing else asks for one
PROVISIONAL = 64  # rows that judge a run stopped before its first validation
KEY = 1 << 31


def train(job: Job, progress: Progress | None = None) -> State:
    """Train a detector, or go on with it.

    Parameters
    ----------
    job : Job
    progress : Progress, optional

    Returns
    -------
    State
        `done` where the plan is complete; else `steps` ended the run early, and a resume goes on.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C; everything is saved.
    TrainingError
        The loss is no number any more, or memory does not hold a single row. The checkpoints stay as they were.
    StoreError, ConfigError, CheckpointError, WeightsError
        What is asked for cannot be done.
    """
    fabric = devices.start(job.device, job.precision)
    earlier = previous(job)
    begun = None if earlier else initial(job)
    prepared = prepare(job, fabric)
    torch.manual_seed(job.seed)
    network = job.detector.build(job.settings, job.pretrained and not (earlier or begun))
    network = devices.settle(fabric, optimisation.synchronise_norms(network, fabric))
    state = State()
    if weights := earlier or begun:
        checkpoint.fill(network, weights.network)
    if earlier:
        state = State(**earlier.training["state"])
    said = about(job, prepared) | {"init": earlier.about.get("init") if earlier else begun and origin(begun)}
    run = Run(job, prepared, fabric, network, state, _log(job, network), said, progress or Silent())
    run.left = job.steps or -1
    if fabric.is_global_zero:
        job.out.mkdir(parents=True, exist_ok=True)
        if not earlier:
            for name in (BEST, LAST):
                (job.out / name).unlink(missing_ok=True)
        run.log.restart(state.step)
        record(run)
    with _catching(run):
        _all_phases(run, earlier)
    if run.interrupted:
        run.progress.say(f"Saved after step {run.state.step}; --resume goes on from there.")
        raise KeyboardInterrupt
    return run.state


def _all_phases(run: Run, earlier: Checkpoint | None) -> None:
    while not run.state.done and not _stopping(run):
        state = run.state
        if state.phase_step == 0:
            run.network.begin(run.phase)
        run.trainer = optimisation.Trainer(
            run.network, run.phase, run.fabric, state.micro or run.job.micro or KEY, _frozen(run)
        )
        if earlier:
            for name, optimiser in run.trainer.optimisers.items():
                optimiser.load_state_dict(earlier.training["optimisers"][name])
            earlier = None
        if not _one_phase(run):
            break
        load_best(run)
        if state.phase + 1 < len(run.prepared.plan.phases):
            run.state = State(phase=state.phase + 1, step=state.step, micro=state.micro)
        else:
            run.state = replace(state, done=True)
            save(run)
    if not run.state.done:
        _leave_early(run)
    flush(run)
    if run.fabric.is_global_zero:
        log.draw_curves(run.job.out / CURVES, f"{run.job.detector.name}, step {run.state.step}", run.log)
        record(run)


def _one_phase(run: Run) -> bool:
    """Train to the end of a phase; return whether it was reached."""
    state, phase, plan = run.state, run.phase, run.prepared.plan
    per_epoch = sampler.steps_of(_epoch_table(run)[0], plan.epoch, plan.batch)
    asked = phase.epochs * per_epoch
    title = run.job.detector.name if len(plan.phases) == 1 else f"{run.job.detector.name} {phase.name}"
    with run.progress.stage(title, min(asked, state.phase_step + run.left) if run.left >= 0 else asked) as advance:
        advance(state.phase_step, "")
        while not _over(run):
            for _ in _one_epoch(run):
                advance(1, remark(run))
                if phase.every_steps and state.phase_step % phase.every_steps == 0:
                    _validate(run)
                if _stopping(run):
                    return False
                if time.monotonic() - run.saved > SAVE:
                    save(run)
            _end_epoch(run)
        if state.judged != state.phase_step:
            _validate(run)
    return True


def _over(run: Run) -> bool:
    """Tell whether a phase has had all its epochs, or too many validations without a better one."""
    state, phase = run.state, run.phase
    return state.epoch >= phase.epochs or bool(phase.patience and state.bad >= phase.patience)


def _one_epoch(run: Run) -> Iterator[None]:
    """Take the steps of an epoch that are left; stop after each for whoever looks on."""
    state, job, plan = run.state, run.job, run.prepared.plan
    if state.epoch in run.phase.reload and state.batch == 0 and state.best is not None:
        load_best(run)
        for optimiser in run.moving.optimisers.values():
            optimiser.state.clear()
    run.moving.set_epoch(state.epoch)
    table, blends = _epoch_table(run)
    seed = [job.seed, state.phase, state.epoch]
    every = sampler.batches(table, plan.epoch, plan.batch, seed)
    first, ranks = state.batch, run.fabric.world_size

    def read(rows: Ints) -> Loaded:
        return run.prepared.loading.load(table, np.array_split(rows, ranks)[run.fabric.global_rank], blends)

    for number, loaded in enumerate(ahead(every[first:], read), start=first):
        size, low = len(every[number]), sum(map(len, np.array_split(every[number], ranks)[: run.fabric.global_rank]))
        # all chance in a step comes from its own number: a resumed run needs no memory of earlier draws
        torch.manual_seed(int(np.random.default_rng([*seed, number, run.fabric.global_rank]).integers(KEY)))
        ready = collate.to_device(loaded, plan.size, run.fabric.device)
        draws = augment.draw(plan.augmentations, size, [*seed, number])
        if plan.epoch.pairs:
            draws = draws.take(sampler.kin(table, every[number]))
        ready = augment.augment(ready, plan.augmentations, draws.take(slice(low, low + len(loaded))))
        _fit(run, ready)
        found = run.moving.take(ready)
        state.micro = run.moving.micro if run.moving.micro < KEY else 0
        state.batch, state.step, state.phase_step = number + 1, state.step + 1, state.phase_step + 1
        run.left -= run.left > 0
        run.pending.append((place(run), found))
        if len(run.pending) >= FLUSH:
            flush(run)
        yield


def _fit(run: Run, ready: Mapping[str, Tensor]) -> None:
    """Before the first step on a CPU, choose micro-batches that fit; a GPU says when they do not."""
    if run.moving.micro < KEY or run.fabric.device.type != "cpu" or run.measured == run.state.phase:
        return
    run.measured = run.state.phase
    rows = batch_memory.rows_that_fit(run.network, ready, run.fabric.world_size)
    if rows is not None and rows < len(ready["label"]):
        run.moving.micro = rows
        run.progress.say(f"Memory holds {rows} rows at once: gradients are added up over {rows} at a time.")


def _end_epoch(run: Run) -> None:
    state = run.state
    flush(run)
    run.network.end_epoch(optimisation.means(state.sums))
    state.epoch, state.batch, state.sums = state.epoch + 1, 0, {}
    if not run.phase.every_steps and state.epoch % run.phase.every_epochs == 0:
        _validate(run)


def _validate(run: Run) -> None:
    """Judge the network on the validation split; save it as the last, and as the best where it is."""
    flush(run)
    state, plan = run.state, run.prepared.plan
    figures = _judge(run, run.prepared.val)
    value = figures[plan.metric]
    state.judged = state.phase_step
    state.bad += 1
    if metrics.better(plan.metric, value, state.best):
        state.best, state.bad = value, 0
        write(run, BEST, {"value": value, "step": state.step, "validation": figures}, resumable=False)
    if run.fabric.is_global_zero:
        run.log.add([place(run) | {"kind": "val"} | figures])
        said = ", ".join(f"{name} {number:.4g}" for name, number in figures.items() if number is not None)
        run.progress.say(f"validation after {state.step} steps: {said}{'' if state.bad else ' (best so far)'}")
    save(run)


def _judge(run: Run, table: Table) -> metrics.Figures:
    prepared = run.prepared
    size = min(inference.BATCH, prepared.plan.batch, run.state.micro or KEY)
    with run.progress.stage("validation", len(table)) as advance:
        how = (run.network, prepared.plan, prepared.val_loading, table, run.fabric)
        found = inference.predict(*how, batch=size, loss=True, advance=advance)
    return inference.figures(found, table)


def _leave_early(run: Run) -> None:
    """Save a run that stops before its plan is complete; one never validated gets a best checkpoint all the same.

    That one is judged by a few rows alone, and forgotten by the run: a resumed run goes on as if it had not stopped.
    """
    flush(run)
    if run.state.best is None and not run.interrupted and run.state.step:
        val = run.prepared.val
        some = val.take(np.unique(np.linspace(0, len(val) - 1, min(PROVISIONAL, len(val))).round().astype(np.int64)))
        figures = _judge(run, some)
        about = {"value": None, "step": run.state.step, "provisional": figures}
        write(run, BEST, about, resumable=False)
    save(run)


def _epoch_table(run: Run) -> tuple[Table, list[Blend]]:
    """Return the rows an epoch draws from, with its blends where they are made anew."""
    prepared, state = run.prepared, run.state
    if not prepared.blenders:
        return prepared.train, []
    return online_blends.plan(prepared.blenders, prepared.train, [run.job.seed, state.phase, state.epoch, 1])


def _frozen(run: Run) -> bool:
    several = run.fabric.world_size > 1 and run.fabric.device.type == "cpu"  # no synchronised batch norm there
    if several and not run.job.frozen_norm and run.fabric.is_global_zero:
        run.progress.say("Several CPU processes: batch norm keeps its running statistics.")
    return run.job.frozen_norm or several


def _log(job: Job, network: Network) -> log.Log:
    return log.Log(job.out / METRICS_FILE, tuple(network.terms))


def _stopping(run: Run) -> bool:
    """Tell whether to leave the loop, the same for all processes: steps used up, or Ctrl-C in any."""
    run.interrupted = devices.any_of(run.fabric, run.interrupted)
    return run.interrupted or run.left == 0


@contextlib.contextmanager
def _catching(run: Run) -> Iterator[None]:
    """Let Ctrl-C finish the step and save; a second one ends the run at once."""

    def stop(number: int, frame: object) -> None:
        if run.interrupted:
            raise KeyboardInterrupt
        run.interrupted = True

    try:
        before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread, which alone gets signals
        before = {}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
