"""Labels or blends of a finished store made again; its crops and all else stay as they are."""

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline import store
from pipeline.config import Labelling, Recipe, digest
from pipeline.crew import Crew
from pipeline.errors import ConfigError, DamageError
from pipeline.labels import LABELS
from pipeline.progress import Checked, Progress, Silent
from pipeline.stages import checking
from pipeline.stages.finalize import finish
from pipeline.stages.needs import needs
from pipeline.store import stored_recipe
from pipeline.store.lock import alone, lock_of
from pipeline.store.schema import IMAGE


def relabel(
    location: str,
    kinds: Collection[str],
    root: Path,
    *,
    recipe: Recipe | None = None,
    workers: int = 2,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Compute label kinds again; crops and all other kinds stay as they are.

    Blends follow when the labels they are made from have changed.

    Parameters
    ----------
    location : str
    kinds : collection of str
        Keys of LABELS; one that the store lacks is added.
    root : Path
        The dataset's folder, for masks.
    recipe : Recipe, optional
        Supplies other parameters for these kinds than those the store was made with.
    workers, scheduler, progress
        As for `pipeline.stages.run.run`.

    Raises
    ------
    ConfigError
        There is no such kind, or no folder to read masks from.
    """
    from pipeline.stages.cluster import cluster  # Dask takes a second to load

    if unknown := sorted(set(kinds) - set(LABELS)):
        raise ConfigError(f"There is no label kind {', '.join(unknown)}; known are {', '.join(LABELS)}.")
    if any(LABELS[kind].source == "mask" for kind in kinds) and not root.is_dir():
        raise ConfigError(f"The dataset's folder {root} is not there; masks are read from it. Name it with --root.")
    shown = progress or Silent()
    if scheduler:  # its workers have working folders of their own
        location, root = store.absolute(location), root.absolute()
    with alone(location) as check:
        shown = Checked(shown, check)
        group = store.open_group(location, "r+")
        old = stored_recipe(group)
        _check_masks(group, kinds, root)
        masks = {"folder_of_the_dataset": root} if any(LABELS[kind].source == "mask" for kind in kinds) else {}
        with cluster(workers, scheduler, needs(lock_of_the_store=lock_of(location), **masks), shown.say) as crew:
            if any(LABELS[kind].source in ("pair", "image") for kind in kinds):
                _check_crops(crew, location, shown)
            _set_recipe(group, dataclasses.replace(old, labelling=_changed(old.labelling, kinds, recipe)))
            finish(crew, location, root, shown, again=kinds)


def _check_masks(group: store.Group, kinds: Collection[str], root: Path) -> None:
    """Refuse to make mask labels again from a folder that lacks masks the store was made from."""
    if not any(LABELS[kind].source == "mask" for kind in kinds):
        return
    paths = sorted({str(path) for path in store.read(store.array_of(group, "video_mask")) if path})
    if gone := [path for path in paths if not (root / path).exists()]:
        raise ConfigError(
            f"{len(gone)} of {len(paths)} masks are not there, the first is {root / gone[0]}; nothing was changed. "
            "Name the dataset's folder with --root."
        )


def _check_crops(crew: Crew, location: str, progress: Progress) -> None:
    """Refuse to compute labels from crops that are damaged."""
    group = store.open_group(location)
    array = store.array_of(group, IMAGE.name)
    damaged = store.missing_shards(array)
    if not damaged:
        damaged = checking.read_back(crew, location, [IMAGE.name], "crops", progress)[0][IMAGE.name].damaged
    if damaged:
        low, high = store.shard_rows(array, damaged[0])
        raise DamageError(
            f"{len(damaged)} shards of the crops in {location} are damaged, the first holds rows {low} to {high - 1}; "
            "nothing was changed. forgery-prep verify lists them all."
        )


def reblend(
    location: str,
    *,
    recipe: Recipe | None = None,
    workers: int = 2,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Make the blends again; crops and labels stay as they are. Parameters as for `relabel`."""
    from pipeline.stages.cluster import cluster  # Dask takes a second to load

    shown = progress or Silent()
    location = store.absolute(location) if scheduler else location
    with alone(location) as check:
        shown = Checked(shown, check)
        group = store.open_group(location, "r+")
        old = stored_recipe(group)
        _set_recipe(group, dataclasses.replace(old, blending=recipe.blending if recipe else old.blending))
        store.delete_group(group, store.BLENDS)
        with cluster(workers, scheduler, needs(lock_of_the_store=lock_of(location)), shown.say) as crew:
            finish(crew, location, Path(), shown)


def _changed(old: Labelling, kinds: Collection[str], recipe: Recipe | None) -> Labelling:
    """Return settings with some kinds added and, from a recipe, their parameters and theirs alone."""
    wanted = {*old.kinds, *kinds}
    new: dict[str, Any] = {"kinds": tuple(kind for kind in LABELS if kind in wanted)}
    if recipe:  # a parameter's name begins with its kind's, but for `threshold`, which is of ssim
        names = [about.name for about in dataclasses.fields(old) if about.name.partition("_")[0] in kinds]
        names += ["threshold"] if "ssim" in kinds else []
        new |= {name: getattr(recipe.labelling, name) for name in names}
    return dataclasses.replace(old, **new)


def _set_recipe(group: store.Group, recipe: Recipe) -> None:
    plain = recipe.to_dict()
    group.attrs.update({"complete": False, "recipe": plain, "recipe_digest": digest(plain)})
