"""Verification of a whole store: every array complete and unchanged since it was written, every invariant kept."""

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.crew import Crew, Threads
from pipeline.errors import DamageError
from pipeline.inspect import invariants, metadata
from pipeline.labels import LABELS, NO_LABEL
from pipeline.progress import Progress, Silent
from pipeline.stages import labelling, thresholds
from pipeline.store import seal, stored_names, stored_recipe
from pipeline.store.hashing import array_digest, column_digest, row_digest
from pipeline.store.schema import BLENDS, IMAGE, REJECTS, ROWS, SPECIAL, THRESHOLD, VIDEOS, ArraySpec, label_spec

REQUIRED = (
    "dataset",
    "manifest",
    "manifest_digest",
    "recipe",
    "recipe_digest",
    "software",
    "seed",
    "counts",
    "digests",
)
METADATA_FIRST = "the values were not read: what they mean stands in the metadata; verify --repair puts that back first"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a store."""

    text: str  # one sentence
    path: str = ""  # of the array; empty where it is about several
    shard: int | None = None  # None: the whole array


def verify(
    location: str, *, workers: int = 2, scheduler: str | None = None, progress: Progress | None = None
) -> list[str]:
    """Check a store and return everything that is wrong with it, a sentence each; nothing is written.

    Parameters
    ----------
    location : str
    workers : int
        Threads of this process.
    scheduler : str, optional
        Address of a Dask scheduler to use instead.
    progress : Progress, optional

    Raises
    ------
    StoreError
        There is no store of this format at all.
    """
    found = metadata.look(location)
    if not found.finished:
        return [metadata.UNFINISHED]
    if found.written is not None and found.findings:
        return [*found.findings, METADATA_FIRST]
    with _crew(workers, scheduler) as crew:
        return [*found.findings, *(each.text for each in examine(crew, location, progress or Silent()))]


@contextlib.contextmanager
def _crew(workers: int, scheduler: str | None) -> Iterator[Crew]:
    """Give the threads of this process, or what an existing Dask scheduler has."""
    if not scheduler:
        yield Threads(workers)
        return
    from pipeline.stages.cluster import cluster  # Dask takes a second to load

    with cluster(workers, scheduler) as crew:
        yield crew


def examine(crew: Crew, location: str, progress: Progress) -> list[Finding]:
    """Check the values of a store whose metadata is sound."""
    group = store.open_group(location)
    attributes = store.attributes_of(group)
    if gone := [name for name in REQUIRED if name not in attributes]:
        return [Finding(f"attribute {name} is missing") for name in gone]  # what the store should hold stands in them
    specs = expected(group)
    findings = [Finding(text, path) for path, spec in specs.items() for text in _schema(group, path, spec)]
    readable = {path for path in specs if path in group}
    columns, found = _read_columns(group, {path for path in readable if not specs[path].sharded})
    findings += found
    digests = {path: column_digest(path, values) for path, values in _flat(columns)}
    # labels can be computed again where what they are made from can be read
    rows = labelling.rows_of(columns[""], stored_names(group)) if not findings else None
    pixels = [path for path in specs if specs[path].sharded and path in readable]
    for path, shards in _read_pixels(crew, location, pixels, rows, progress).items():
        digest, found = _judged(group, path, shards, attributes["digests"].get(path, ""))
        findings += found
        if digest:
            digests[path] = digest
    findings += _record_findings(group)
    told = {finding.path for finding in findings}
    findings += [
        Finding(f"{path}: the stored values are not those that were written (digest {digest[:12]})", path)
        for path, digest in digests.items()
        if attributes["digests"].get(path) != digest and path not in told
    ]
    if not findings:  # the promises are about values that can be trusted
        findings += [Finding(text) for text in invariants.check(group, columns, stored_recipe(group))]
    return findings


def _record_findings(group: store.Group) -> list[Finding]:
    """Say that the record of the dataset's files is damaged; stores made before there was one lack it."""
    path = seal.RECORD_PATH
    damaged = path in group and seal.record(group) is None
    return [Finding(f"{path}: the record of the dataset's files is missing or damaged", path)] if damaged else []


def _read_columns(
    group: store.Group, paths: Collection[str]
) -> tuple[dict[str, dict[str, NDArray[Any]]], list[Finding]]:
    """Read all columns, by group and name, and say which cannot be read."""
    columns: dict[str, dict[str, NDArray[Any]]] = {"": {}, store.BLENDS: {}, store.REJECTS: {}}
    findings = []
    for path in sorted(paths):
        parent, _, name = path.rpartition("/")
        array = store.array_of(group, path)
        findings += [
            Finding(f"{path}: rows {_span(array, number)} are missing", path) for number in store.missing_shards(array)
        ]
        try:
            columns[parent][name] = store.read(array)
        except DamageError as error:
            findings.append(Finding(str(error), path))
    return columns, findings


def expected(group: store.Group) -> dict[str, ArraySpec]:
    """Return what arrays a store must have, by path."""
    recipe = stored_recipe(group)
    specs = {spec.name: spec for spec in (IMAGE, *ROWS, *VIDEOS, *SPECIAL)}
    specs |= {THRESHOLD.name: THRESHOLD} if thresholds.wanted(recipe) else {}
    specs |= {kind: label_spec(kind) for kind in LABELS if kind in recipe.labelling.kinds}
    specs |= {f"{store.REJECTS}/{spec.name}": spec for spec in REJECTS}
    if store.BLENDS in group or store.attributes_of(group)["counts"]["blends"]:
        specs |= {f"{store.BLENDS}/{spec.name}": spec for spec in BLENDS}
    return specs


def _schema(group: store.Group, path: str, spec: ArraySpec) -> Iterator[str]:
    if path not in group:
        if not spec.added:
            yield f"{path}: the array is missing"
        return
    array: store.Array = store.array_of(group, path)
    if store.dimensions_of(array) != spec.dims:
        yield f"{path}: dimensions are {store.dimensions_of(array)}, not {spec.dims}"
    if spec.dtype != "string" and str(array.dtype) != spec.dtype:
        yield f"{path}: values are {array.dtype}, not {spec.dtype}"
    for name in ("description", "units", "reference", "parameters"):
        if name not in array.attrs:
            yield f"{path}: attribute {name} is missing"


@dataclass(frozen=True)
class Shard:
    """Digests of one shard's rows, none where it cannot be read, and what is wrong with it."""

    rows: bytes
    findings: tuple[str, ...]


def _read_pixels(
    crew: Crew, location: str, paths: Sequence[str], rows: labelling.Rows | None, progress: Progress
) -> dict[str, dict[int, Shard]]:
    """Read every shard of several arrays that is there, all as one list of tasks; return what was found in each."""
    group = store.open_group(location)
    tasks: list[tuple[str, str, int, labelling.Rows | None]] = []
    for path in paths:
        array = store.array_of(group, path)
        made = rows is not None and path in LABELS and LABELS[path].source != "mask"
        again = _last_rows(array, rows) if made and rows is not None else {}
        there = sorted({*range(store.shard_count(array))} - {*store.missing_shards(array)})
        tasks += [(location, path, number, again.get(number)) for number in there]
    found: dict[str, dict[int, Shard]] = {path: {} for path in paths}
    with progress.stage("values", len(tasks)) as advance:
        for outcome in crew.map(read_shard, tasks):
            _, path, number, _ = tasks[outcome.number]
            span = _span(store.array_of(group, path), number)
            found[path][number] = outcome.value or Shard(b"", (f"{path}: rows {span}: {outcome.failure}",))
            advance(1, "")
    return found


def _judged(group: store.Group, path: str, found: Mapping[int, Shard], recorded: str) -> tuple[str, list[Finding]]:
    """Return the digest of one array, if it could be read whole, and what is wrong with it; `found` by shard."""
    array = store.array_of(group, path)
    findings = [
        Finding(f"{path}: rows {_span(array, number)} are missing or cut short", path, number)
        for number in range(store.shard_count(array))
        if number not in found
    ]
    findings += [Finding(text, path, number) for number in sorted(found) for text in found[number].findings]
    digests = {number: each.rows for number, each in sorted(found.items()) if each.rows}
    whole = len(digests) == store.shard_count(array)
    digest = array_digest(path, str(array.dtype), array.shape, digests.values()) if whole else ""
    written = seal.numbers(group, path)
    other = [] if written is None else list(_other_rows(array, path, digests, written))
    if digest == recorded:  # the values are right, so it is the numbers that are not
        name = f"{store.CHECKS}/{seal.array_name(path)}"
        if other or (written is None and store.CHECKS in group):
            findings.append(Finding(f"{name}: the numbers of the rows of {path} are missing or damaged", name))
        return digest, findings
    return digest, findings + other


def _other_rows(
    array: store.Array, path: str, digests: Mapping[int, bytes], written: seal.Numbers
) -> Iterator[Finding]:
    """Name the rows whose values are not those that were recorded, by shard; `digests` has those that can be read."""
    for number, rows in digests.items():
        low, high = store.shard_rows(array, number)
        expected = written[low:high]
        if len(expected) == high - low and len(other := np.flatnonzero(seal.numbers_of([rows]) != expected)):
            yield Finding(f"{path}: rows {ranges(other + low)} are not those that were written", path, number)


def ranges(rows: Sequence[int] | NDArray[np.int64]) -> str:
    """Name increasing row numbers by their ranges.

    >>> ranges([3, 4, 5, 9])
    '3 to 5, 9'
    """
    runs = np.split(np.asarray(rows), np.flatnonzero(np.diff(rows) > 1) + 1)
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def read_shard(location: str, path: str, number: int, again: labelling.Rows | None) -> Shard:
    """Read one shard and check its values; for a label that follows from stored pixels, compute its last row again."""
    group = store.open_group(location)
    array: store.Array = store.array_of(group, path)
    span = _span(array, number)
    name = path.rpartition("/")[2]
    flags = name in LABELS and LABELS[name].flags
    try:
        rows = store.map_rows(array, number, lambda row: (row_digest(row), not flags or _binary(row)))
    except DamageError as error:
        return Shard(b"", (f"{path}: rows {span} are damaged: {error}",))
    digests = [digest for digest, _ in rows]
    findings = []
    if not all(binary for _, binary in rows):
        findings.append(f"{path}: rows {span} hold values that are neither 0, 1 nor {NO_LABEL}")
    last = store.shard_rows(array, number)[1] - 1
    if again is not None:
        with contextlib.suppress(DamageError):  # what it is made from has a finding of its own
            if row_digest(_again(group, path, last, again)) != digests[-1]:
                findings.append(f"{path}: row {last} is not what its crop gives")
    return Shard(b"".join(digests), tuple(findings))


def _binary(row: NDArray[np.uint8]) -> bool:
    """Tell whether all values are 0, 1 or `NO_LABEL`, which is the largest of its type: one more is 0 again."""
    return bool(((row + np.uint8(1)) <= 2).all())


def _last_rows(array: store.Array, rows: labelling.Rows) -> dict[int, labelling.Rows]:
    """Return what the last row of every shard is made from."""
    ends = {number: store.shard_rows(array, number)[1] for number in range(store.shard_count(array))}
    return {number: rows.take(end - 1, end) for number, end in ends.items()}


def _again(group: store.Group, kind: str, row: int, about: labelling.Rows) -> NDArray[Any]:
    recipe = stored_recipe(group)
    task = labelling.LabelTask((kind,), (row, row + 1), about, recipe.labelling, recipe.cropping, Path())
    return np.asarray(labelling.label_rows(group, task)[kind][0])


def _span(array: store.Array, number: int) -> str:
    low, high = store.shard_rows(array, number)
    return f"{low} to {high - 1}"


def _flat(columns: Mapping[str, Mapping[str, NDArray[Any]]]) -> Iterator[tuple[str, NDArray[Any]]]:
    for parent, members in columns.items():
        for name, values in members.items():
            yield f"{parent}/{name}".lstrip("/"), values
