"""`forgery-prep export`: stores in other people's formats."""

from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.screen import Bars, err, out

Names = list[str] | None


def export(
    format_: Annotated[str, typer.Option("--format", help="deepfakebench or folders.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder to write; it must not be there yet.")],
    dataset: options.DatasetName = None,
    store: options.Store = None,
    split: Annotated[Names, typer.Option(help="Only this split, again for more.")] = None,
    method: Annotated[Names, typer.Option(help="Only this method (real: the reals), again for more.")] = None,
    compression: Annotated[Names, typer.Option(help="Only this compression, again for more.")] = None,
    kind: Annotated[
        Names, typer.Option(help="Label kind to write, again for more.  [default: all; for deepfakebench mask or ssim]")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Threads.", show_default="one a core")] = options.CORES,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export there.")] = False,
) -> None:
    """Write a store, or a part of it, in another program's format; the folder is there whole or not at all."""
    from pipeline.exchange import Choice
    from pipeline.exchange import export as write

    location = options.store_of(store, dataset or options.SAMPLE)
    choice = Choice(*(tuple(names or ()) for names in (split, method, compression, kind)))
    rows, remarks = write(location, format_, out_dir, choice, workers=workers, overwrite=overwrite, progress=Bars())
    for text in remarks:
        err.print(f"Note: {text}", markup=False)
    out.print(f"{out_dir}: {rows} rows of {location} as {format_}.", markup=False)


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command()(export)
