"""Trees of face crops that another program made, ready to be run like any dataset."""

from typing import Any

from pipeline.config import MANIFESTS, Recipe, overlay
from pipeline.errors import ConfigError
from pipeline.manifest import Dataset, load_manifest
from pipeline.video import frames

FOLDER = MANIFESTS / "imports"


def formats() -> tuple[str, ...]:
    """Return the formats that can be read: there is a manifest of each."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def manifest_of(form: str) -> dict[str, Any]:
    """Return the manifest of a format; raises ConfigError that lists the known ones."""
    if form not in formats():
        raise ConfigError(f"There is no format {form} to import; known are {', '.join(formats())}.")
    return load_manifest(str(FOLDER / f"{form}.toml"))


def sized(recipe: Recipe, dataset: Dataset, size: int | None = None) -> Recipe:
    """Return a recipe that stores crops at a size of their own, so that nothing is resized.

    Parameters
    ----------
    recipe : Recipe
    dataset : Dataset
        Not empty.
    size : int, optional
        Side in pixels; else the longer side of the dataset's first crop.

    Raises
    ------
    ConfigError
        The size is out of range.
    DecodeError
        The first crop cannot be read.
    """
    if size is None:
        found = frames.probe(dataset.root / dataset.videos[0].path)
        size = max(found.width, found.height)
    return overlay(recipe, {"cropping": {"size": size}}, "import")
