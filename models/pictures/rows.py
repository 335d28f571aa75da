"""Which rows pictures are of: so many of each method and compression, evenly spaced; and batches of them."""

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from models.data.collate import to_device
from models.data.loader import in_order
from models.data.row_table import Ints, Table
from models.evaluation.evaluate import REAL, Evaluation

PART = 32  # rows that a network sees at once


def some(table: Table, most: int) -> Ints:
    """Return the numbers of at most so many rows of each method and compression, in the table's order."""
    kinds = np.array([f"{method} {level}" for method, level in zip(table.method, table.compression, strict=True)])
    chosen = []
    for kind in dict.fromkeys(kinds.tolist()):
        rows = np.flatnonzero(kinds == kind)
        places = np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(np.int64)
        chosen.append(rows[places])
    return np.sort(np.concatenate(chosen))


def methods(table: Table, rows: Ints) -> list[str]:
    """Return the methods of some rows, real first."""
    held = set(table.method[rows].tolist())
    return [name for name in dict.fromkeys((REAL, *table.method[rows].tolist())) if name in held]


def batches(evaluation: Evaluation, rows: Ints) -> Iterator[tuple[Ints, dict[str, Tensor]]]:
    """Yield rows of the table and what the network sees of them, a part at a time."""
    table = evaluation.judged[0].condition.table
    device = next(evaluation.network.parameters()).device
    for part in in_order(len(rows), PART):
        loaded = evaluation.loading.load(table, rows[part])
        yield rows[part], to_device(loaded, evaluation.plan.size, device)
