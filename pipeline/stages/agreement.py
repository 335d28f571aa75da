"""Whether a store that is there was begun with the settings, and for the rows, of this run."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline import store
from pipeline.config import differences
from pipeline.errors import StoreError
from pipeline.store.hashing import column_digest

ADVICE = "Choose another --store, --overwrite this one, or add to it with --extend."


def compare(location: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuse a store, or its staging folder, that was begun with other settings.

    Raises
    ------
    StoreError
        The sentence names every setting that differs.
    """
    old = store.completed(old)
    if changed := differences(old, json.loads(json.dumps(new))):
        # other files follow from another limit or manifest; their digest says nothing to anybody
        told = [text for text in changed if not text.startswith(("files.", "exclude "))]
        told += ["the list of excluded faces"] if old.get("exclude") != new.get("exclude") else []
        told = told or ["the dataset's files have changed"]
        raise StoreError(f"{location} was made with other settings: {', '.join(told)}. {ADVICE}")


def compare_rows(location: str, group: store.Group, columns: Mapping[str, Any]) -> None:
    """Refuse a store that was laid out for other rows or videos than this run found: crops would be mixed.

    Parameters
    ----------
    location : str
    group : Group
        The store's root.
    columns : mapping
        Columns of the root that follow from the dataset's files, by name.

    Raises
    ------
    StoreError
        The sentence names the columns that differ.
    """
    other = [name for name, values in columns.items() if not _holds(group, name, values)]
    if other:
        raise StoreError(
            f"{location} was laid out for other rows than this run found ({', '.join(sorted(other))} differ): the "
            f"dataset's files here are not those it was begun with. {ADVICE}"
        )


def _holds(group: store.Group, name: str, values: Any) -> bool:
    if name not in group:
        return False
    stored = store.read(store.array_of(group, name))
    mine = np.asarray(values, dtype=object if stored.dtype.kind in "OT" else stored.dtype)
    return mine.shape == stored.shape and column_digest(name, mine) == column_digest(name, stored)
