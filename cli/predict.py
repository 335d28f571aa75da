"""`forgery-predict`: score new videos and images."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.screen import Bars, out, run_app
from cli.train import Device, Precision

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog="--debug shows the traceback of an error. Exit status 1: not every file could be judged.")
def predict(
    files: Annotated[list[Path], typer.Argument(metavar="VIDEO_OR_IMAGE...", help="Files, or folders of frames.")],
    checkpoint: Annotated[Path, typer.Option(help="A best.ckpt of forgery-train.")],
    frames: Annotated[int, typer.Option(min=1, help="Frames of each video, evenly spaced.")] = 32,
    device: Device = "auto",
    precision: Precision = "32",
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for verdicts.json and pictures of the predicted maps.")
    ] = None,
    as_json: options.AsJson = False,
    version: options.Version = False,
) -> None:
    """Say how likely each file is forged: the mean over its frames of its most suspicious face."""
    from models.evaluation import predict as judging
    from pipeline.files import write_json

    judge = judging.load(checkpoint, device, precision)
    verdicts = judging.predict(judge, files, frames, out_dir, Bars())
    values = {"checkpoint": str(checkpoint), "files": [judging.plain(verdict) for verdict in verdicts]}
    if out_dir:
        write_json(out_dir / "verdicts.json", values)
    if as_json:
        out.print(json.dumps(values), markup=False)
    else:
        for line in judging.lines(verdicts):
            out.print(line, markup=False)
    if any(verdict.score is None for verdict in verdicts):
        raise typer.Exit(1)


def main() -> None:
    """Run the command line."""
    run_app(app)
