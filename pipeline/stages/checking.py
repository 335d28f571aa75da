"""Shards read again after they were written: digests and counts of their rows, recorded in the store."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.config import Recipe
from pipeline.crew import Crew, Made
from pipeline.errors import DamageError
from pipeline.labels import NO_LABEL
from pipeline.progress import Progress
from pipeline.stages import labelling, trusting
from pipeline.stages.shards import Written, on_shards
from pipeline.store import seal
from pipeline.store.hashing import array_digest, row_digests
from pipeline.store.schema import IMAGE


@dataclass(frozen=True)
class ReadBack:
    """Digests and counts of a sharded array, read again after it was written."""

    damaged: list[int]  # shards that cannot be read; all else is of the sound ones
    rows: list[bytes]  # digests, in order
    ones: NDArray[np.int64]  # pixels of value 1 in each row
    possible: NDArray[np.bool_]  # rows that have a label


def read_back(
    workers: Crew,
    location: str,
    paths: Sequence[str],
    title: str,
    progress: Progress,
    written: Written | None = None,
    trusted: tuple[labelling.Rows, Recipe] | None = None,
) -> tuple[dict[str, ReadBack], trusting.Columns]:
    """Read arrays with the same rows again, every shard once: for digests and counts, and to measure the labels.

    Parameters
    ----------
    workers : Crew
    location : str
    paths : sequence of str
        Arrays.
    title : str
        Of all of them.
    progress : Progress
    written : mapping of (str, int) to bytes, optional
        Digests of shards, by array and number, from before they were written: what reads otherwise is damaged.
    trusted : tuple of Rows and Recipe, optional
        Measure the trust in the labels of these rows, all that the store has.

    Returns
    -------
    read : dict of str to ReadBack
    measured : dict of str to ndarray of shape (rows,)
        `trusting.COLUMNS`; empty where it is not asked for.
    """
    array = store.array_of(store.open_group(location), (*paths, IMAGE.name)[0])

    def task(number: int) -> tuple[Any, ...]:
        span = store.shard_rows(array, number)
        return location, tuple(paths), span, (trusted[0].take(*span), trusted[1]) if trusted else None

    total = store.shard_count(array)
    found = on_shards(workers, read_shard, Made(task, range(total)), total, f"check {title}", progress)
    measured = [each for _, each in found]
    columns = {name: np.concatenate([each[name] for each in measured]) for name in measured[0]}
    return {path: _joined(path, [read[path] for read, _ in found], written or {}) for path in paths}, columns


def _joined(path: str, found: Sequence["ShardRead | None"], written: Written) -> ReadBack:
    """Put together what one array's shards hold."""
    sound = {
        number: each
        for number, each in enumerate(found)
        if each is not None and each.rows == written.get((path, number), each.rows)
    }
    return ReadBack(
        [number for number in range(len(found)) if number not in sound],
        [each.rows for each in sound.values()],
        np.concatenate([np.empty(0, np.int64), *(each.ones for each in sound.values())]),
        np.concatenate([np.empty(0, bool), *(each.possible for each in sound.values())]),
    )


def record(group: store.Group, path: str, read: ReadBack) -> str:
    """Record a number for each row of one array, and return the digest of all its values; as for `digest_of`."""
    digest = digest_of(group, path, read)
    seal.write_numbers(group, path, seal.numbers_of(read.rows))
    return digest


def digest_of(group: store.Group, path: str, read: ReadBack) -> str:
    """Return the digest of one array's values.

    Raises
    ------
    DamageError
        Some of its shards cannot be read.
    """
    array = store.array_of(group, path)
    if read.damaged:
        low, high = store.shard_rows(array, read.damaged[0])
        raise DamageError(
            f"{path}: {len(read.damaged)} shards cannot be read back, the first holds rows {low} to {high - 1}; "
            "forgery-prep verify lists them all."
        )
    return array_digest(path, str(array.dtype), array.shape, read.rows)


@dataclass(frozen=True)
class ShardRead:
    """Digests and counts of one shard; the arrays have shape (rows,)."""

    rows: bytes  # digests, joined
    ones: NDArray[np.int64]  # pixels of value 1
    possible: NDArray[np.bool_]  # whether there is a label


def read_shard(
    location: str, paths: Sequence[str], span: tuple[int, int], trusted: tuple[labelling.Rows, Recipe] | None
) -> tuple[dict[str, ShardRead | None], trusting.Columns]:
    """Read the same shard of several arrays, None for one that is damaged; measure the labels of `trusted` rows."""
    group = store.open_group(location)
    read: dict[str, ShardRead | None] = {}
    labels: dict[str, NDArray[Any]] = {}  # kinds that are not there, or damaged, are left out: verify says so
    for path in dict.fromkeys([*paths, *(trusting.KINDS if trusted else ())]):
        values = _sound_values(group, path, span)
        if path in paths:
            read[path] = None if values is None else _summary(values)
        if path in trusting.KINDS and values is not None:
            labels[path] = values
    return read, trusting.measure_rows(group, labels, *trusted) if trusted else {}


def _sound_values(group: store.Group, path: str, span: tuple[int, int]) -> NDArray[Any] | None:
    with contextlib.suppress(DamageError):
        return store.gather(store.array_of(group, path), slice(*span)) if path in group else None
    return None


def _summary(values: NDArray[Any]) -> ShardRead:
    flat = values.reshape(len(values), -1)
    ones = [np.count_nonzero(row == 1) for row in flat]
    return ShardRead(row_digests(values), np.array(ones, np.int64), np.array([(row != NO_LABEL).any() for row in flat]))
