"""`forgery-predict`: score new videos and images."""

import contextlib
import json
from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.screen import WRONG, Bars, err, out, run_app
from cli.train import Device, Precision

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(
    epilog="--debug shows the traceback of an error. Exit status 1: not every file could be judged; 2: none could."
)
def predict(
    checkpoint: Annotated[
        list[Path], typer.Option(help="A best.ckpt of forgery-train; again for more, whose scores are averaged.")
    ],
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH...", help="Videos and images, and folders to search for them."),
    ] = None,
    list_: Annotated[
        list[Path] | None,
        typer.Option("--list", help="Text file that names more, one a line, from its own folder; again for more."),
    ] = None,
    frames: Annotated[int, typer.Option(min=0, help="Frames of each video, evenly spaced; 0: all.")] = 32,
    sequences: Annotated[
        bool, typer.Option("--sequences", help="The images of a folder are the frames of one video.")
    ] = False,
    cropped: Annotated[
        bool, typer.Option("--cropped", help="The pictures are face crops already: no face is looked for.")
    ] = False,
    crop_scale: Annotated[
        float | None,
        typer.Option(min=1.0, help="With --cropped: sides of the crops, in sides of the detector's box.  "
                     "[default: as in training]"),
    ] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for tables, annotated pictures and videos.")
    ] = None,
    overlay: Annotated[
        str,
        typer.Option(help="Over each face: map, cam (Grad-CAM), none, or auto: the map where the detector draws one."),
    ] = "auto",
    pictures: Annotated[bool, typer.Option(help="Draw pictures; without, --out holds tables alone.")] = True,
    workers: options.Workers = options.CORES,
    batch_size: Annotated[int, typer.Option(min=1, help="Faces judged at once.")] = 32,
    device: Device = "auto",
    precision: Precision = "32",
    as_json: options.AsJson = False,
    version: options.Version = False,
) -> None:  # fmt: skip
    """Say how likely each file is forged: the mean over its frames of its most suspicious face."""
    from models.prediction import inputs, judging, tables, verdicts
    from models.prediction.predict import Request, check_crops
    from models.prediction.predict import predict as judge
    from pipeline.crew import RunAll, one_by_one

    found = inputs.gather(files or (), list_ or (), sequences)
    panel = judging.load(checkpoint, device, precision, batch_size)
    given = (crop_scale or panel.recipe.cropping.scale) if cropped or crop_scale else 0.0
    if given:
        err.print(check_crops(panel, given))
    request = Request(frames, given, out_dir, overlay, pictures)
    together = min(workers, sum(not one.problem for one in found)) or 1
    with contextlib.ExitStack() as stack:
        run_all: RunAll = one_by_one
        if together > 1:
            from pipeline.stages.cluster import cluster

            run_all = stack.enter_context(cluster(together)).map
        done = judge(panel, found, request, run_all, together, Bars())
    if as_json:
        out.print(json.dumps(tables.as_json(done.verdicts, panel.paths, done.seconds)), markup=False)
    else:
        for line in verdicts.lines(done.verdicts):
            out.print(line, markup=False)
    err.print(
        f"{done.scored} of {len(found)} files scored: {done.frames} frames, {done.crops} faces in "
        f"{done.seconds:.1f} s; {done.frames / done.seconds:.3g} frames/s, {len(found) / done.seconds:.3g} files/s."
    )
    if done.scored < len(found):
        raise typer.Exit(1 if done.scored else WRONG)


def main() -> None:
    """Run the command line."""
    run_app(app, "the tables in --out hold what was judged before")
