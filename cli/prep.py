"""`forgery-prep`: from a dataset's folder to a labelled store."""

import dataclasses
import json
import webbrowser
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from cli import datasets as known
from cli import exchange, options
from cli.screen import Bars, err, out, run_app
from pipeline.config import Labelling, load_recipe
from pipeline.errors import ConfigError

app = typer.Typer(
    help="Turn face-forgery datasets into training data: aligned crops, labels and blends in one Zarr store.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Every command takes --debug, which shows the traceback of an error.",
)


@app.callback()
def common(version: options.Version = False) -> None:
    """Take the options that stand before a command."""


Device = Annotated[str, typer.Option(help="Where faces are detected: cpu or cuda.")]
KINDS = ", ".join(Labelling().kinds)
Kinds = Annotated[list[str], typer.Option("--kind", help=f"Label kind, again for more: {KINDS}.")]


@app.command()
def sample(
    root: Annotated[Path, typer.Option(help="Folder to make it in.")] = Path("data/sample"),
    videos: Annotated[
        Path | None, typer.Option(help="Folder of real clips to use instead of the embedded photograph.")
    ] = None,
    portraits: Annotated[
        Path | None,
        typer.Option(help="Folder of portraits: more face donors for --videos, or by itself a clip of each portrait."),
    ] = None,
    donors: Annotated[int, typer.Option(min=1, help="People of the same split who give each one their faces.")] = 1,
    people: Annotated[int, typer.Option(min=2, max=20, help="People drawn from the photograph, an even number.")] = 20,
    frames: Annotated[int, typer.Option(min=1, help="Length of each drawn clip.")] = 48,
    seed: Annotated[int, typer.Option(min=0, help="Another seed makes other people.")] = 0,
    workers: options.Workers = options.CORES,
) -> None:
    """Make the sample dataset, in FaceForensics++'s layout, or one from clips of your own."""
    from pipeline.crew import Crew, started_when_needed
    from pipeline.sample import make_sample

    def start() -> AbstractContextManager[Crew]:
        from pipeline.stages.cluster import cluster  # with its processes seconds to load: not where all is made

        return cluster(workers)

    with started_when_needed(start) as run_all:
        made = make_sample(
            root,
            seed=seed,
            videos=videos,
            portraits=portraits,
            frames=frames,
            people=people,
            donors=donors,
            run_all=run_all,
            progress=Bars(),
        )
    for text in made.left_out:
        err.print(f"Left out: {text}", markup=False)
    out.print(f"{root}: {made.identities} people, {made.fakes} fakes, {made.written} new files.", markup=False)


@app.command()
def run(
    dataset: options.DatasetName = None,
    manifest: options.ManifestFile = None,
    root: options.Root = None,
    store: options.Store = None,
    recipe: options.RecipeName = "default",
    workers: options.Workers = options.CORES,
    scheduler: options.Scheduler = None,
    device: Device = "cpu",
    limit: options.Limit = None,
    subset: options.Subset = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")] = False,
    overwrite: options.Overwrite = False,
    extend: Annotated[
        bool,
        typer.Option(
            "--extend", help="Add to a finished store what the dataset or the recipe has more; the rest is copied."
        ),
    ] = False,
    exclude: options.Exclude = None,
    max_rejects: options.MaxRejects = 0.25,
) -> None:
    """Make a store: frames, faces, crops, labels and blends. The same command again goes on where it stopped."""
    from pipeline.inspect import info
    from pipeline.stages import extend as growing
    from pipeline.stages.run import Job, outlook
    from pipeline.stages.run import run as make

    if extend and overwrite:
        raise ConfigError("--extend keeps what a store has, --overwrite deletes it: give one of the two.")
    about = options.manifest_of(dataset, manifest)
    settings = options.recipe_of(recipe, about)
    found = options.dataset_of(about, root, settings, limit, subset)
    found = dataclasses.replace(found, exclude=options.exclusions_of(exclude, found.name))
    job = Job(found, settings, options.store_of(store, found.name), limit)
    for note in (*found.notes, *options.said_of(found)):
        err.print(f"Note: {note}")
    out.print(info.plan(job), markup=False)
    if dry_run and extend:
        out.print(growing.outlook(job), markup=False)
        return
    if dry_run:
        out.print(outlook(job) if not overwrite else f"{job.location} would be made anew.", markup=False)
        return
    if extend:
        growing.extend(job, workers=workers, scheduler=scheduler, device=device, progress=Bars())
    else:
        make(job, workers=workers, scheduler=scheduler, device=device, overwrite=overwrite, progress=Bars())
    _summarise(job.location, max_rejects)


def _summarise(location: str, max_rejects: float) -> None:
    """Print what is in a store that was made; leave with status 1 where too much was rejected."""
    from pipeline.inspect import info

    summary = info.summary(location)
    out.print(info.screen(summary), markup=False)
    if summary.lost_share > max_rejects:
        err.print(f"More than {max_rejects:.0%} of the rows asked for were rejected; the reasons stand above.")
        raise typer.Exit(1)


@app.command()
def merge(
    stores: Annotated[list[str], typer.Argument(help="Finished stores of one recipe, of different videos.")],
    store: Annotated[str, typer.Option(help="Store to make of them.")],
    workers: options.Workers = options.CORES,
    scheduler: options.Scheduler = None,
    max_rejects: options.MaxRejects = 0.25,
) -> None:
    """Join stores that were made of different videos, as one run over all of them makes it; they stay as they are."""
    from pipeline.stages.merge import merge as join

    join(stores, store, workers=workers, scheduler=scheduler, progress=Bars())
    _summarise(store, max_rejects)


@app.command()
def labels(
    kind: Kinds,
    dataset: options.DatasetName = None,
    root: options.Root = None,
    store: options.Store = None,
    recipe: Annotated[
        str | None, typer.Option(help="Recipe with other label parameters.  [default: the store's own]")
    ] = None,
    workers: options.Workers = options.CORES,
    scheduler: options.Scheduler = None,
) -> None:
    """Compute label kinds again from the stored crops, which stay as they are."""
    from pipeline.stages.renewal import relabel

    location = options.store_of(store, dataset or options.SAMPLE)
    relabel(
        location,
        kind,
        options.root_of_store(root, location),
        recipe=load_recipe(recipe) if recipe else None,
        workers=workers,
        scheduler=scheduler,
        progress=Bars(),
    )


@app.command()
def blend(
    dataset: options.DatasetName = None,
    store: options.Store = None,
    recipe: Annotated[
        str | None, typer.Option(help="Recipe with other blend parameters.  [default: the store's own]")
    ] = None,
    workers: options.Workers = options.CORES,
    scheduler: options.Scheduler = None,
) -> None:
    """Make the BiG-Arts blends again from the stored crops."""
    from pipeline.stages.renewal import reblend

    location = options.store_of(store, dataset or options.SAMPLE)
    reblend(
        location, recipe=load_recipe(recipe) if recipe else None, workers=workers, scheduler=scheduler, progress=Bars()
    )


@app.command()
def verify(
    dataset: options.DatasetName = None,
    store: options.Store = None,
    root: options.Root = None,
    repair: Annotated[bool, typer.Option("--repair", help="Put back what is damaged, then check again.")] = False,
    workers: options.Workers = options.CORES,
    as_json: options.AsJson = False,
) -> None:
    """Read a whole store again and say what is wrong and where."""
    location = options.store_of(store, dataset or options.SAMPLE)
    done: list[str] = []
    if repair:
        from pipeline.inspect.repair import repair as mend

        folder = options.root_of_damaged(root, dataset, location)
        outcome = mend(location, folder, workers=workers, progress=Bars())
        done, findings = outcome.done, outcome.left
    else:
        from pipeline.inspect.verify import verify as check

        findings = check(location, workers=workers, progress=Bars())
    from pipeline.inspect.trust import remarks

    doubts = [] if findings else remarks(location)
    if as_json:
        told = {"store": location, "findings": findings, "remarks": doubts, "repaired": done}
        out.print(json.dumps(told), markup=False)
    else:
        for text in done:
            out.print(f"+ {text}", markup=False)
        for finding in findings:
            out.print(f"- {finding}", markup=False)
        for text in doubts:
            out.print(f"~ {text}", markup=False)
        out.print(f"{location}: {f'{len(findings)} findings' if findings else 'nothing wrong'}", markup=False)
    if findings:
        raise typer.Exit(1)


@app.command()
def info(dataset: options.DatasetName = None, store: options.Store = None, as_json: options.AsJson = False) -> None:
    """Say what is in a store, in one screen."""
    from pipeline.inspect import info as about

    summary = about.summary(options.store_of(store, dataset or options.SAMPLE))
    out.print(json.dumps(summary.to_dict()) if as_json else about.screen(summary), markup=False)


@app.command()
def report(
    dataset: options.DatasetName = None,
    store: options.Store = None,
    page: Annotated[Path, typer.Option(help="Page to write.")] = Path("report.html"),
    sheet: Annotated[
        Path | None, typer.Option(help="Picture to write instead: one face with all its labels and blends.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which faces the sheet shows.")] = 0,
    root: options.Root = None,
) -> None:
    """Write one HTML page about a store: counts, rejects, distributions, faces with their labels."""
    location = options.store_of(store, dataset or options.SAMPLE)
    if sheet is not None:
        from pipeline.inspect.report import draw

        draw(location, sheet, seed)
    else:
        from pipeline.inspect.page.write import write

        folder = options.root_of_store(root, location)
        write(location, page, folder if root or folder.is_dir() else None)
    out.print(f"Wrote {sheet or page}.", markup=False)


@app.command()
def view(
    dataset: options.DatasetName = None,
    store: options.Store = None,
    bad: Annotated[
        Path | None,
        typer.Option(help="CSV of the rows marked bad, for --exclude.  [default: NAME.bad.csv of the store NAME.zarr]"),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0: any that is free.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = False,
) -> None:
    """Look through a store in the browser: by face, pair, video or reject; mark what is bad. Ctrl-C ends it."""
    from pipeline.inspect.view.serve import serve
    from pipeline.inspect.view.source import open_source

    location = options.store_of(store, dataset or options.SAMPLE)
    source = open_source(location, bad or Path(f"{PurePosixPath(location).stem}.bad.csv"))

    def begun(address: str) -> None:
        out.print(f"{location} at {address} (Ctrl-C ends)", markup=False)
        if browser:
            webbrowser.open(address)

    serve(source, port, begun)


known.register(app)
exchange.register(app)


def main() -> None:
    """Run the command line."""
    run_app(app)
