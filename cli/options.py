"""Options that several commands share, and what they mean together.

`--help` imports this module, so NumPy, OpenCV, zarr and torch are imported inside the functions that need them.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.errors import ConfigError, ForgeryPrepError

if TYPE_CHECKING:
    from pipeline.config import Recipe
    from pipeline.exclusions import Exclusion
    from pipeline.manifest import Dataset

DatasetName = Annotated[
    str | None, typer.Option("--dataset", help="Name of a known dataset; forgery-prep datasets lists them.")
]
ManifestFile = Annotated[
    Path | None, typer.Option("--manifest", help="Manifest of a dataset of your own, instead of --dataset.")
]
Root = Annotated[
    Path | None, typer.Option(help="The dataset's folder, or the CSV file of pairs.  [default: data/NAME]")
]
Store = Annotated[
    str | None,
    typer.Option(help="Path or s3:// URL of the store.  [default: $FORGERY_STORE, else stores/NAME.zarr]"),
]
RecipeName = Annotated[str, typer.Option("--recipe", help="Name of a recipe, or the path of a .toml file.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes.", show_default="one a core")]
Scheduler = Annotated[str | None, typer.Option(help="Address of a running Dask scheduler, such as tcp://HOST:8786.")]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Only the first N real videos with all their fakes: a trial store.")
]
Subset = Annotated[
    bool,
    typer.Option("--subset", help="A part is here on purpose: what the dataset's lists name beyond it is no loss."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Delete what is there first.")]
Exclude = Annotated[
    list[Path] | None,
    typer.Option(help="CSV of faces to leave out, as forgery-prep view writes it; again for more lists."),
]
MaxRejects = Annotated[
    float,
    typer.Option(min=0, max=1, help="Share of the frames asked for that may be rejected before the exit status is 1."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"forgery-prep {importlib.metadata.version('forgery-prep')}, Python {platform.python_version()}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
]


def cores() -> int:
    """Return how many processes this machine can feed."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


CORES = cores()
SAMPLE = "sample"  # the dataset that everybody has


def manifest_of(dataset: str | None, manifest: Path | None) -> dict[str, Any]:
    """Read the manifest that two options name between them."""
    if dataset and manifest:
        raise ConfigError("--dataset and --manifest name two datasets; give one of them.")
    from pipeline.manifest import load_manifest

    return load_manifest(str(manifest) if manifest else dataset or SAMPLE)


def root_of(root: Path | None, name: str) -> Path:
    """Return the dataset's folder."""
    if root is not None and re.match(r"[a-z]\w+:/", str(root)):  # a path loses one of the two slashes
        raise ConfigError(
            f"--root {root} is a URL, but videos are read from a folder; mount the bucket, as docs/storage.md shows."
        )
    return root if root is not None else Path("data") / name


def store_of(store: str | None, name: str = SAMPLE) -> str:
    """Return where the store is."""
    return store or os.environ.get("FORGERY_STORE") or f"stores/{name}.zarr"


def dataset_of(
    manifest: dict[str, Any], root: Path | None, recipe: Recipe, limit: int | None, subset: bool = False
) -> Dataset:
    """Find a dataset's files."""
    from pipeline.manifest import scan

    return scan(manifest, root_of(root, manifest["name"]), seed=recipe.seed, limit=limit, subset=subset)


def exclusions_of(files: list[Path] | None, dataset: str = "") -> tuple[Exclusion, ...]:
    """Read lists of faces to leave out; of one dataset alone if it is named."""
    from pipeline.exclusions import read

    lines = [line for file in files or () for line in read(file)]
    return tuple(line for line in lines if not dataset or line.dataset in ("", dataset))


def said_of(dataset: Dataset) -> list[str]:
    """Say how much of the lists of faces to leave out concerns a dataset."""
    here = len(dataset.exclusions_of(dataset.videos))
    if not dataset.exclude:
        return []
    return [f"{here} of {len(dataset.exclude)} lines of --exclude name a file of {dataset.name}."]


def root_of_store(root: Path | None, location: str) -> Path:
    """Return the folder of the dataset that a store was made from; a CSV of pairs stands for its own folder."""
    from pipeline.store import exists, open_group

    name = str(open_group(location).attrs["dataset"]) if exists(location) else SAMPLE
    folder = root_of(root, name)
    return folder.parent if folder.is_file() else folder


def root_of_damaged(root: Path | None, dataset: str | None, location: str) -> Path:
    """Return the folder, or the CSV of pairs, of the dataset that a store was made from, even if it cannot be read."""
    from pipeline.store import attributes_of, open_group

    with contextlib.suppress(ForgeryPrepError):
        dataset = dataset or attributes_of(open_group(location)).get("dataset")
    return root_of(root, dataset or SAMPLE)


def recipe_of(name: str, manifest: dict[str, Any]) -> Recipe:
    """Read a recipe over the dataset's own sampling."""
    from pipeline.config import load_recipe

    return load_recipe(name, manifest.get("sampling"), manifest["name"])
