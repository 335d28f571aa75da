"""Rows that choose the best network, and what training lacks of what was asked for."""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np

from models.data.row_table import Choice, Table, choose
from models.data.store_reader import Reader
from pipeline.errors import StoreError

VAL = "val"


def validation_rows(
    others: Sequence[str],
    readers: Sequence[Reader],
    training: Choice,
    methods: Sequence[str],
    frames: int,
    trained: Collection[str] = (),
) -> Table:
    """Return the rows of the split `val`; of stores that only validate and have no such split, all rows.

    Parameters
    ----------
    others : sequence of str
        Stores given for validation alone; empty: those of training validate.
    readers : sequence of Reader
        The stores that validate.
    training : Choice
        How rows of training are chosen.
    methods : sequence of str
        Methods of validation; empty: those of training.
    frames : int
        Rows of each video; 0: all.
    trained : collection of str
        Digests of the stores that are trained on: without a split `val`, none of them may validate.

    Raises
    ------
    StoreError
        The stores have no validation split, or no row fits.
    """
    held = {reader.names["split"][code] for reader in readers for code in np.unique(reader.columns["split"])}
    if VAL not in held and not others:
        raise StoreError(
            f"{', '.join(reader.location for reader in readers)} has no validation split, and no best may be chosen "
            "by test: give a store that validates by --val-store."
        )
    if VAL not in held and (same := [reader.location for reader in readers if reader.digest in trained]):
        raise StoreError(
            f"{', '.join(same)} is trained on and has no validation split: all its rows would validate, "
            "those learnt and those of test among them. Give another --val-store."
        )
    split = VAL if VAL in held else ""
    return choose(
        readers, dataclasses.replace(training, split=split, methods=methods or training.methods, frames=frames)
    )


def lacking_methods(table: Table, methods: Sequence[str]) -> list[str]:
    """Return those of the methods asked for that no row has."""
    found = set(table.method.tolist())
    return [name for name in methods if name not in found]
