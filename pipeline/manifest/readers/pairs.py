"""A CSV file of pairs: a real and a fake in every row, and what is known of them."""

import csv
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from pipeline.manifest.folder import stem, there
from pipeline.manifest.readers.source import Surroundings, name
from pipeline.manifest.records import COMPRESSIONS, NATIVE, REAL, Entry, Missing

FILE = "pairs.csv"  # where --root is a folder
NEEDED = ("real", "fake")
KNOWN = (*NEEDED, "mask", "method", "split", "compression", "identity", "name")
SEPARATORS = ",;\t"
METHOD = "fake"  # of rows that name none


@dataclass(frozen=True)
class Row:
    """One line of the file; paths relative to its folder where they lie below it, else absolute."""

    line: int
    real: str
    fake: str
    mask: str
    method: str
    split: str
    compression: str
    identity: str
    name: str


def read(source: Mapping[str, Any], around: Surroundings) -> Iterator[Entry]:
    """Yield the reals and fakes of a CSV file of pairs.

    Columns: `real` and `fake` are videos, still images or folders of frames, relative to the file's folder or
    absolute; a row without `fake` adds a real alone, one without `real` a fake of an unknown real.
    The other columns may be left out or empty: `mask`; `method`
    (default `fake`); `split` (default: seeded by identity); `compression` (default `native`); `identity` (default: the
    name of the real's file without ending); `name` (rows that share it are compressions of one fake, and their reals
    of one real).

    Parameters
    ----------
    source : mapping
        Has no keys.
    around : Surroundings
        Its `root` is the CSV file, or a folder that holds `pairs.csv`.
    """
    del source
    rows = list(_rows(around))
    if not rows and not around.findings.problems:
        around.findings.problems.append(f"{around.root.name} lists no pair.")
    reals = _real_ids(rows)
    fakes = _fake_ids(rows)
    identities: dict[str, str] = {}
    for row in rows:
        if row.real and row.identity and identities.setdefault(reals[row.real], row.identity) != row.identity:
            around.findings.problems.append(f"line {row.line}: {row.real} has another identity in an earlier line.")
    splits: dict[str, str] = {}
    for row in rows:
        splits[row.real] = splits.get(row.real) or row.split
    seen: dict[str, str] = {}
    for row in rows:
        if row.real and seen.setdefault(row.real, row.compression) != row.compression:
            problem = f"line {row.line}: {row.real} is {row.compression} here and {seen[row.real]} in an earlier line."
            around.findings.problems.append(problem)
    for real, compression in seen.items():
        id_ = reals[real]
        if _here(real, f"{around.root.name} lists it", around):
            yield Entry(real, "real", id_, REAL, compression, identities.get(id_, id_), split=splits[real])
    for row in rows:
        if row.fake and _here(
            row.fake, f"{around.root.name}, line {row.line}, names it, but there is no such file", around
        ):
            yield Entry(
                path=row.fake,
                role="fake",
                id=fakes[row.line],
                method=row.method,
                compression=row.compression,
                identity="" if row.real and _there(row.real, around) else row.identity,
                targets=(reals[row.real],) if row.real else (),
                split=row.split,
                mask=row.mask or None,
            )


def _there(path: str, around: Surroundings) -> bool:
    return there(around.folder.root / path)


def _here(path: str, reason: str, around: Surroundings) -> bool:
    there = _there(path, around)
    if not there:
        around.findings.missing.append(Missing(path, reason))
    return there


def _rows(around: Surroundings) -> Iterator[Row]:
    problems = around.findings.problems
    try:
        path = around.root / FILE if around.root.is_dir() else around.root
        with path.open(encoding="utf-8-sig", newline="") as lines:
            table = csv.DictReader(lines, delimiter=_separator(lines))
            columns = {column: column.strip().casefold() for column in table.fieldnames or ()}
            times = Counter(columns[column] for column in table.fieldnames or ())
            twice = {column: count for column, count in times.items() if count > 1}
            problems += [f"{around.root.name} has {count} columns {column}." for column, count in twice.items()]
            problems += [f"{around.root.name} has no column {need}." for need in NEEDED if need not in columns.values()]
            for column in columns.values():
                if column not in KNOWN:
                    problems.append(f"{around.root.name}: no column is called {column}; known are {', '.join(KNOWN)}.")
            if problems:
                return
            for values in table:
                if None in values:
                    problems.append(f"line {table.line_num} has more cells than the first line.")
                    continue
                cells = {columns[column]: (value or "").strip() for column, value in values.items()}
                if any(cells.values()):
                    yield _row(table.line_num, cells, around)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.append(f"{around.root} cannot be read: {error}.")


def _separator(lines: TextIO) -> str:
    """Return what parts the cells: what the first line has most of, since spreadsheets of some languages write `;`."""
    first = lines.readline()
    lines.seek(0)
    return max(SEPARATORS, key=first.count)


def _row(line: int, cells: Mapping[str, str], around: Surroundings) -> Row:
    compression = cells.get("compression") or NATIVE
    compression = {"c0": "raw"}.get(compression.casefold(), compression.casefold())
    if compression not in COMPRESSIONS:
        around.findings.problems.append(f"line {line}: compression {compression}; known are {', '.join(COMPRESSIONS)}.")
        compression = NATIVE  # the file is refused; until then the other lines are read for their problems
    method = cells.get("method") or METHOD
    if method == REAL:
        around.findings.problems.append(f"line {line}: a fake's method cannot be called {REAL}.")
    paths = {column: _relative(cells.get(column, ""), around.folder.root) for column in ("real", "fake", "mask")}
    if not paths["real"] and not paths["fake"]:
        around.findings.problems.append(f"line {line} names neither a real nor a fake.")
    further = {column: cells.get(column, "") for column in ("split", "identity", "name")}
    return Row(line=line, method=method, compression=compression, **paths, **further)


def _relative(text: str, root: Path) -> str:
    """Return a path below the root relative to it and any other one absolute, without `.` and `..`."""
    if not text:
        return ""
    path = Path(os.path.abspath(root / os.path.expanduser(text)))  # of somebody unknown it stays `~name`
    base = Path(os.path.abspath(root))
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()


def _real_ids(rows: list[Row]) -> dict[str, str]:
    """Give every real's path an id: reals of rows that share a name are one video, others are named by their file."""
    first: dict[tuple[str, str], str] = {}
    leader: dict[str, str] = {}
    for row in rows:
        if row.real:
            known = first.setdefault((row.method, row.name), row.real) if row.name else row.real
            leader.setdefault(row.real, leader.get(known, known))
    files: dict[tuple[str, str], set[str]] = defaultdict(set)
    compression = {row.real: row.compression for row in rows}
    for real, led in leader.items():
        files[stem(led), compression[real]].add(real)
    clashing = {word for (word, _), paths in files.items() if len(paths) > 1}
    return {real: _long(led) if stem(led) in clashing else stem(led) for real, led in leader.items()}


def _fake_ids(rows: list[Row]) -> dict[int, str]:
    """Give every row's fake an id: its name, else its file's, else its path where files share a name."""
    files: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for row in rows:
        files[row.method, row.compression, row.name or stem(row.fake)].add(row.fake)
    clashing = {(method, word) for (method, _, word), paths in files.items() if len(paths) > 1}
    ids = {}
    for row in rows:
        clash = not row.name and (row.method, stem(row.fake)) in clashing
        ids[row.line] = name(row.name) if row.name else _long(row.fake) if clash else stem(row.fake)
    return ids


def _long(path: str) -> str:
    """Return a path without ending as one name."""
    return name(str(Path(path).with_name(stem(path))).strip("/"))
