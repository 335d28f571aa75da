"""`forgery-train`: train a detector from stores."""

import dataclasses
import os
from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.screen import Bars, err, out, run_app

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

ALL = "all"
Stores = Annotated[
    list[str] | None,
    typer.Option("--store", help="Path or s3:// URL of a store, again for more.  [default: $FORGERY_STORE, else "
                 "stores/sample.zarr]"),
]  # fmt: skip
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Precision = Annotated[str, typer.Option(help="32, or bf16 for 16-bit arithmetic where it is safe.")]


def stores_of(stores: list[str] | None) -> tuple[str, ...]:
    """Return where the stores are."""
    return tuple(stores) if stores else (options.store_of(None),)


@app.command(
    epilog="Under torchrun, every process it starts works on a part of each batch. --debug shows the traceback of an "
    "error."
)
def train(
    detector: Annotated[str, typer.Option(help="Name of a detector, or all.")],
    store: Stores = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="The run's folder.  [default: runs/DETECTOR; for all: runs]")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs.  [default: the paper's]")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many steps; --resume goes on with what is left.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Rows of a batch.  [default: the paper's]")] = None,
    device: Device = "auto",
    precision: Precision = "32",
    pretrained: Annotated[bool, typer.Option(help="Begin with ImageNet weights.")] = True,
    init: Annotated[
        Path | None,
        typer.Option(help="Fine-tune: begin with this checkpoint's weights; for all: a folder with a run of each."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, if there is one.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives another run.")] = 0,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE, again for more: a detector's switches; preset=NAME for a table row."),
    ] = None,
    micro_batch: Annotated[int, typer.Option(min=0, help="Rows in memory at once; 0: as many as fit.")] = 0,
    val_frames: Annotated[
        int, typer.Option(min=0, help="Frames of each video in validation, evenly spaced; 0: all.")
    ] = 0,
    val_store: Annotated[
        list[str] | None,
        typer.Option(help="Store that validates instead, again for more: its val split, or all of it without one."),
    ] = None,
    frozen_norm: Annotated[
        bool, typer.Option("--frozen-norm", help="Batch norm keeps its running statistics.")
    ] = False,
    exclude: options.Exclude = None,
    settings: Annotated[bool, typer.Option("--settings", help="List the detector's settings and presets.")] = False,
    version: options.Version = False,
) -> None:
    """Train a published detector from stores alone; the best epoch is chosen by validation, never by test."""
    from models.detectors import DETECTORS, find
    from models.runtime.log import command
    from models.training.setup import BEST, Job

    chosen = list(DETECTORS.values()) if detector == ALL else [find(detector)]
    if settings:
        for each in chosen:
            _describe(each)
        return
    from models.training.loop import train as run

    common = {"epochs": epochs, "batch": batch_size}
    pairs = [*(set_ or []), *(f"{key}={value}" for key, value in common.items() if value is not None)]
    base = Job(
        stores_of(store), chosen[0], chosen[0].parse([]), Path("runs"), steps=steps or 0, device=device,
        precision=precision, pretrained=pretrained, resume=resume, overwrite=overwrite, seed=seed, micro=micro_batch,
        frozen_norm=frozen_norm, val_frames=val_frames, exclude=options.exclusions_of(exclude),
        val_stores=tuple(val_store or ()), command=command(),
    )  # fmt: skip
    jobs = [
        dataclasses.replace(
            base, detector=each, settings=each.parse(pairs), out=_folder(out_dir, detector, each.name),
            init=init / each.name / BEST if init and detector == ALL else init,
        )
        for each in chosen
    ]  # fmt: skip
    for job in jobs:
        state = run(job, _progress())
        said = f"complete after {state.step} steps" if state.done else f"stopped after {state.step} steps"
        value = "" if state.best is None else f", best {job.detector.plan(job.settings).metric} {state.best:.4f}"
        if _first_process():
            out.print(f"{job.detector.name}: {said}{value}; {job.out / BEST}", markup=False)


def _folder(given: Path | None, asked: str, name: str) -> Path:
    if given is None:
        return Path("runs") / name
    return given / name if asked == ALL else given


def _first_process() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _progress() -> Bars | None:
    return Bars() if _first_process() else None


def _describe(detector: object) -> None:
    from models.detectors.base import Detector
    from models.detectors.settings import describe

    assert isinstance(detector, Detector)
    out.print(f"{detector.name}: {detector.paper}", markup=False)
    for each in describe(detector.settings):
        out.print(f"  {each.key} = {each.default}  ({each.takes}): {each.about} [{each.source}]", markup=False)
    for name, preset in detector.presets.items():
        what = f"evaluation of what preset={preset.of} trains" if preset.of else f"preset={name}"
        out.print(f"  {name}: {preset.about}; {what}: {' '.join(preset.settings) or 'all defaults'}", markup=False)
        for figure in preset.figures:
            out.print(f"    paper {figure.paper}: {figure}{f' ({figure.table})' if figure.table else ''}", markup=False)


def main() -> None:
    """Run the command line."""
    if not _first_process():
        err.quiet = True
    run_app(app, "the same command with --resume goes on")
