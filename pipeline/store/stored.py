"""The recipe of a store and the names behind its codes, read back from the store itself."""

from dataclasses import dataclass

from pipeline.config import SPLITS, Recipe, overlay
from pipeline.store.arrays import Group, attributes_of, meanings


@dataclass(frozen=True)
class Names:
    """Names of the codes in a store's columns, by number."""

    method: tuple[str, ...]
    compression: tuple[str, ...]
    split: tuple[str, ...] = SPLITS


def stored_recipe(group: Group) -> Recipe:
    """Return the recipe a store was made with; settings that its version did not have are what that version did."""
    recipe = attributes_of(group)["recipe"]
    blending = {"avoid_donor": False} | recipe.get("blending", {})
    return overlay(Recipe(), {**recipe, "blending": blending}, "the store")


def stored_names(group: Group) -> Names:
    """Return the names of the codes in a store's columns."""
    return Names(**{name: tuple(meanings(group, name)) for name in ("method", "compression", "split")})
