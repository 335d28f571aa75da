"""Sampler: the rows of each batch of an epoch, a pure function of table, plan and seed.

A resumed run therefore needs only its position.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.data.row_table import NO_ROW, REAL, Table
from models.detectors.base import SOURCES
from models.detectors.spec import Epoch
from pipeline.errors import StoreError

Ints = NDArray[np.int64]
FIXES = {
    "real": "training needs real faces too",
    "fake": "training needs fakes too",
    "rr": "`forgery-prep blend` makes blends, `--set blend=fr` or `--set blend=none` does without",
    "fr": "`forgery-prep blend` makes blends, `--set blend=rr` or `--set blend=none` does without",
}


def batches(table: Table, epoch: Epoch, batch: int, seed: Sequence[int]) -> list[Ints]:
    """Return the rows of each batch of one epoch.

    Parameters
    ----------
    table : Table
        Training rows, with blends where the epoch mixes them in.
    epoch : Epoch
        Rows to show, and their mix.
    batch : int
        Rows of a batch; a shorter epoch is one batch. An incomplete last batch is left out.
    seed : sequence of int
        Of this epoch.

    Returns
    -------
    list of ndarray of shape (batch,), int64
        Rows of `table`; at least one batch.

    Raises
    ------
    StoreError
        A source that the mix needs has no row.
    """
    pools = _pools(table, epoch)
    total = _length(table, epoch, pools)
    side = min(batch, total)
    count = total // side
    if not epoch.mix:
        rows = _draw(table, epoch, next(iter(pools.values())), total, np.random.default_rng([*seed, len(SOURCES)]))
        return list(rows[: count * side].reshape(count, side))
    counts = np.stack(composition(epoch.mix, side, count))  # (batches, sources)
    drawn: dict[str, Sequence[Ints]] = {}
    for place, (source, pool) in enumerate(pools.items()):
        rng = np.random.default_rng([*seed, SOURCES.index(source)])
        rows = _draw(table, epoch, pool, int(counts[:, place].sum()), rng)
        drawn[source] = np.split(rows, np.cumsum(counts[:, place])[:-1])
    if epoch.pairs:
        drawn = _paired(table, drawn)
    return [np.concatenate(parts) for parts in zip(*drawn.values(), strict=True)]


def composition(mix: Mapping[str, float], batch: int, batches: int) -> list[Ints]:
    """Return how many rows of each source every batch has: largest remainder, carried over from batch to batch.

    Parameters
    ----------
    mix : mapping
        Shares of the sources; they need not add up to 1.
    batch, batches : int

    Returns
    -------
    list of ndarray of shape (sources,), int64
        One for each batch; its entries add up to `batch`.

    Examples
    --------
    >>> composition({"real": 16, "fake": 5, "rr": 5, "fr": 6}, 32, 1)
    [array([16,  5,  5,  6])]
    >>> np.sum(composition({"real": 16, "fake": 5, "rr": 5, "fr": 6}, 2, 16), axis=0)
    array([16,  5,  5,  6])
    """
    shares = np.array(list(mix.values()), dtype=np.float64)
    shares /= shares.sum()
    given = np.zeros(len(shares))
    result = []
    for number in range(1, batches + 1):
        owed = np.maximum(number * batch * shares - given, 0)
        owed *= batch / owed.sum()
        counts = np.floor(owed + 1e-9).astype(np.int64)
        counts[np.argsort(counts - owed, kind="stable")[: batch - counts.sum()]] += 1
        given += counts
        result.append(counts)
    return result


def kin(table: Table, rows: Ints) -> Ints:
    """Map each batch index to the first index with the same source face; they share one augmentation draw.

    Parameters
    ----------
    table : Table
    rows : ndarray of shape (B,), int64
        Rows of the table in a batch.

    Returns
    -------
    ndarray of shape (B,), int64
    """
    faces = np.stack([table.store[rows], table.origin[rows]], 1)
    _, first, group = np.unique(faces, axis=0, return_index=True, return_inverse=True)
    alone = table.origin[rows] == NO_ROW
    return np.where(alone, np.arange(len(rows)), first[group.reshape(-1)])


def steps_of(table: Table, epoch: Epoch, batch: int) -> int:
    """Return the number of batches of an epoch; raises StoreError as `batches` does."""
    total = _length(table, epoch, _pools(table, epoch))
    return total // min(batch, total)


def _pools(table: Table, epoch: Epoch) -> dict[str, Ints]:
    """Return the rows of each source that the epoch shows."""
    if not epoch.mix:
        return {"": np.arange(len(table), dtype=np.int64)}
    pools = {source: np.flatnonzero(table.source == SOURCES.index(source)) for source in epoch.mix}
    for source, rows in pools.items():
        if not len(rows):
            raise StoreError(f"There is no row of source {source} to train on: {FIXES[source]}.")
    return pools


def _length(table: Table, epoch: Epoch, pools: Mapping[str, Ints]) -> int:
    """Return the number of rows of an epoch, which ends when the source with the most rows for its share was shown."""
    sizes = {source: _size(table, epoch, rows) for source, rows in pools.items()}
    if not epoch.mix:
        return sizes[""]
    whole = sum(epoch.mix.values())
    if epoch.frames == "one":
        return max(1, int(sizes["real"] * whole / epoch.mix["real"]))
    return max(1, int(max(size * whole / epoch.mix[source] for source, size in sizes.items()) + 1e-9))


def _size(table: Table, epoch: Epoch, rows: Ints) -> int:
    return len(np.unique(table.video[rows])) if epoch.frames == "one" else len(rows)


def _draw(table: Table, epoch: Epoch, rows: Ints, count: int, rng: np.random.Generator) -> Ints:
    """Draw `count` rows of a pool; every row comes once before any comes again."""
    if epoch.frames == "one":
        return _one_of_each(table.video[rows], rows, count, rng)
    if epoch.even and (table.label[rows] == 1).all():
        return _evenly((table.method[rows].astype(str), table.video[rows]), rows, count, rng)
    return rows[_rounds(len(rows), count, rng)]


def _paired(table: Table, drawn: Mapping[str, Sequence[Ints]]) -> dict[str, Sequence[Ints]]:
    """Replace the first reals of each batch by those that its other rows were made from."""
    real_of = _real_of(table)
    paired = []
    for real, *others in zip(drawn["real"], *(rows for source, rows in drawn.items() if source != "real"), strict=True):
        origins = real_of[np.concatenate(others)]
        known = origins[origins != NO_ROW][: len(real)]
        paired.append(np.concatenate([known, real[len(known) :]]))
    return {**drawn, "real": paired}


def _real_of(table: Table) -> Ints:
    """Return for each row the table row of its real face; `NO_ROW` where the table has none."""
    width = max(table.row.max(), table.origin.max()) + 1
    reals = np.flatnonzero((table.source == REAL) & (table.origin == table.row))
    keys, wanted = table.store[reals] * width + table.row[reals], table.store * width + table.origin
    order = np.argsort(keys)
    place = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    found = reals[order[place]]
    there = (table.origin != NO_ROW) & (keys[order[place]] == wanted)
    return np.where(there, found, NO_ROW)


def _rounds(size: int, count: int, rng: np.random.Generator) -> Ints:
    """Return `count` numbers below `size`: shuffled rounds, each of all numbers."""
    repeats = -(-count // size)
    return np.concatenate([rng.permutation(size) for _ in range(repeats)] or [np.empty(0, np.int64)])[:count]


def _one_of_each(video: Ints, rows: Ints, count: int, rng: np.random.Generator) -> Ints:
    """Draw one random row of each video, repeatedly until there are `count`."""
    order = np.argsort(video, kind="stable")
    _, starts, sizes = np.unique(video[order], return_index=True, return_counts=True)
    chosen = _rounds(len(starts), count, rng)
    drawn: Ints = rows[order[starts[chosen] + rng.integers(sizes[chosen])]]
    return drawn


def _evenly(keys: Sequence[NDArray[np.generic]], rows: Ints, count: int, rng: np.random.Generator) -> Ints:
    """Draw evenly over the values of the first key, within each value evenly over the next key, then over rows."""
    if not keys:
        return rows[_rounds(len(rows), count, rng)]
    _, group = np.unique(keys[0], return_inverse=True)
    group = group.reshape(-1)
    turns = _rounds(int(group.max()) + 1, count, rng)
    drawn = np.empty(count, np.int64)
    for value in np.unique(turns):
        members, places = group == value, np.flatnonzero(turns == value)
        drawn[places] = _evenly([key[members] for key in keys[1:]], rows[members], len(places), rng)
    return drawn
