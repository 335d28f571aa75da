"""`forgery-prep export` and `import`: stores in other people's formats, and back."""

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


def import_(
    root: Annotated[Path, typer.Argument(help="Folder of face crops.")],
    format_: Annotated[str, typer.Option("--format", help="deepfakebench or folders.")],
    store: options.Store = None,
    recipe: options.RecipeName = "default",
    size: Annotated[
        int | None, typer.Option(help="Side of the stored crops in pixels.  [default: that of the first crop]")
    ] = None,
    workers: options.Workers = options.CORES,
    scheduler: options.Scheduler = None,
    overwrite: options.Overwrite = False,
    max_rejects: options.MaxRejects = 0.25,
) -> None:
    """Make a store of face crops that another program made; the same command again goes on where it stopped."""
    from pipeline.exchange import importing
    from pipeline.inspect import info
    from pipeline.stages.run import Job, run

    about = importing.manifest_of(format_)
    settings = options.recipe_of(recipe, about)
    found = options.dataset_of(about, root, settings, None)
    job = Job(found, importing.sized(settings, found, size), options.store_of(store, found.name))
    for note in found.notes:
        err.print(f"Note: {note}", markup=False)
    out.print(info.plan(job), markup=False)
    run(job, workers=workers, scheduler=scheduler, overwrite=overwrite, progress=Bars())
    summary = info.summary(job.location)
    out.print(info.screen(summary), markup=False)
    if summary.lost_share > max_rejects:
        err.print(f"More than {max_rejects:.0%} of the rows asked for were rejected; the reasons stand above.")
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    app.command()(export)
    app.command("import")(import_)
