"""The recipe of a store and the names behind its codes, read back from the store itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.config import SPLITS, Recipe, overlay
from pipeline.store.arrays import Group, attributes_of, meanings

EARLIER: dict[str, dict[str, Any]] = {
    "blending": {"avoid_donor": False},
    "chunking": {"codec": "zstd"},
}  # what versions without a setting did


@dataclass(frozen=True)
class Names:
    """Names of the codes in a store's columns, by number."""

    method: tuple[str, ...]
    compression: tuple[str, ...]
    split: tuple[str, ...] = SPLITS


def stored_recipe(group: Group) -> Recipe:
    """Return the recipe a store was made with; settings that its version did not have are what that version did."""
    return overlay(Recipe(), completed(attributes_of(group))["recipe"], "the store")


def completed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a store says of its making, with those settings in its recipe that its version did not have."""
    if "recipe" not in settings:
        return dict(settings)
    recipe = settings["recipe"]
    tables = {table: {**values, **recipe.get(table, {})} for table, values in EARLIER.items()}
    return {**settings, "recipe": {**recipe, **tables}}


def stored_names(group: Group) -> Names:
    """Return the names of the codes in a store's columns."""
    return Names(**{name: tuple(meanings(group, name)) for name in ("method", "compression", "split")})
