"""`forgery-prep datasets` and `doctor`: what is known, and whether a copy of it is complete."""

import json
from typing import Annotated

import typer

from cli import options
from cli.screen import Bars, out


def datasets(as_json: options.AsJson = False) -> None:
    """List the known datasets: the tree each is expected in, its size, licence page and citation."""
    from pipeline.doctor import known
    from pipeline.manifest import known_datasets, load_manifest

    if as_json:
        out.print(json.dumps({name: load_manifest(name) for name in known_datasets()}), markup=False)
    else:
        out.print(known(), markup=False)


def doctor(
    dataset: options.DatasetName = None,
    manifest: options.ManifestFile = None,
    root: options.Root = None,
    recipe: options.RecipeName = "default",
    workers: options.Workers = options.CORES,
    deep: Annotated[
        bool, typer.Option("--deep", help="Open every video and mask; measure how each fake is related to its real.")
    ] = False,
    partial: Annotated[bool, typer.Option("--partial", help="Part of the dataset is enough.")] = False,
    estimate: Annotated[bool, typer.Option(help="Time a small run in a temporary folder.")] = True,
    as_json: options.AsJson = False,
) -> None:
    """Say whether a copy of a dataset is complete, and what a run would take. Changes nothing."""
    from pipeline.doctor import diagnose, report

    about = options.manifest_of(dataset, manifest)
    found = diagnose(
        about,
        options.root_of(root, about["name"]),
        options.recipe_of(recipe, about),
        deep=deep,
        partial=partial,
        timed=estimate,
        workers=workers,
        progress=Bars(),
    )
    if as_json:
        out.print(json.dumps(found.to_dict()), markup=False)
    else:
        out.print(report(found), markup=False)
    if found.findings:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    app.command()(datasets)
    app.command()(doctor)
