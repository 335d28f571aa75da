"""A damaged store under repair: what is still damaged in it, and the steps that every repair is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.errors import ForgeryPrepError
from pipeline.inspect import sources
from pipeline.inspect.verify import expected
from pipeline.progress import Progress
from pipeline.stages.cluster import Workers
from pipeline.stages.finalize import FOLLOWING
from pipeline.store import seal
from pipeline.store.hashing import column_digest


@dataclass
class Bench:
    """A damaged store under repair."""

    crew: Workers
    location: str
    root: Path | None
    progress: Progress
    damage: dict[str, set[int]]  # shards by array; 0 alone for a column
    suspects: frozenset[str] = frozenset()  # arrays that were damaged when the repair began
    done: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def group(self) -> store.Group:
        """The store, open for writing."""
        return store.open_group(self.location, "r+")

    def digest(self, path: str) -> str:
        """Return the digest that an array had."""
        return str(store.attributes_of(self.group)["digests"].get(path, ""))

    def mended(self, path: str, text: str) -> None:
        """Cross one array off."""
        del self.damage[path]
        self.done.append(f"{path}: {text}")


def put_column(bench: Bench, path: str, values: Any) -> None:
    """Write a column that has, by its digest, the values that it had; otherwise say that it cannot be put back."""
    array = store.array_of(bench.group, path)
    column = np.asarray(values, dtype=object if array.dtype.kind in "OT" else array.dtype)
    if column_digest(path, column) != bench.digest(path):
        bench.notes.append(f"{path}: made again it has other values, which were not written")
        return
    parent, _, name = path.rpartition("/")
    store.write_column(store.group_of(bench.group, parent) if parent else bench.group, name, column)
    bench.mended(path, "made again")


def put_record(bench: Bench, path: str, lines: Sequence[str]) -> None:
    """Write the record of the dataset's files if it is what it was; otherwise say that it cannot be put back."""
    if seal.digest_of_record(lines) != seal.record_digest(bench.group):
        bench.notes.append(f"{path}: made again it has other values, which were not written")
        return
    seal.write_record(bench.group, lines)
    bench.mended(path, "made again")


def sound(bench: Bench) -> dict[str, NDArray[Any]]:
    """Read the columns of the rows and the videos that are not damaged."""
    group = bench.group
    names = [path for path, spec in expected(group).items() if not spec.sharded and "/" not in path and path in group]
    return {name: store.read(store.array_of(group, name)) for name in names if name not in bench.damage}


def lacks_columns(bench: Bench, what: str) -> bool:
    """Tell whether columns are damaged that decide the rows, and say that `what` has to wait for them."""
    lost = [path for path in bench.damage if "/" not in path and path not in FOLLOWING and is_column(bench.group, path)]
    if lost:
        bench.notes.append(f"{what}: the columns {', '.join(lost)} have to be put back first")
    return bool(lost)


def is_column(group: store.Group, path: str) -> bool:
    """Tell whether an array is a column of the rows, the videos or the rejects."""
    return not path.startswith((f"{store.BLENDS}/", f"{store.CHECKS}/")) and store.array_of(group, path).shards is None


def with_files(bench: Bench, what: str, work: Callable[[sources.Sources], None]) -> None:
    """Do work that needs the dataset's files; where it cannot be done, a note says so of `what`."""
    if bench.root is None:
        bench.notes.append(f"{what}: made from the dataset's files; name their folder with --root")
        return
    try:
        dataset = sources.dataset_of(bench.group, bench.root)
        files = sources.Sources(bench.crew, bench.location, dataset, bench.progress)
        try:
            work(files)
        finally:
            files.clean()
    except ForgeryPrepError as error:
        bench.notes.append(f"{what}: {error}")
