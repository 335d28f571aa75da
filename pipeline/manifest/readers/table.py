"""Reader of files listed, with their labels, in a JSON, CSV or text file."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.manifest.folder import VIDEO_SUFFIXES, Folder, is_media, join, stem
from pipeline.manifest.leaks import some
from pipeline.manifest.paths import DEEP, Match, Vocabulary, fill, find, match_path, split_levels, template_fields
from pipeline.manifest.readers.source import Surroundings, make_entry
from pipeline.manifest.records import Entry, Findings, Missing

SHOWN = 60  # characters of a line that does not fit


def read(source: Mapping[str, Any], around: Surroundings) -> Iterator[Entry]:
    """Yield an entry for every row of the source's tables whose file is there.

    A row's fields are those of the table's own path, its columns, `key` (what a JSON object files it under), the
    fields of the first of the source's `keys` patterns that fits the key, those that `cut` patterns find in columns,
    and for each of them `<name>_stem`, its last level without ending. Videos beside a table that it does not list are
    strangers.

    Parameters
    ----------
    source : mapping
        `path` is the pattern of the tables, `file` the template of where a row's file is (or a list of templates, the
        usual one first; `folder/**/name`: at any depth below the folder), `cut` a table of columns to the patterns that
        take them apart, `columns` the names of the columns of a file without a first line of names, `separator` what
        parts its cells (default: a comma), `line` in their place a regular expression of a text file's lines, whose
        named groups are the columns, `required` whether a dataset without the table is incomplete.
    around : Surroundings
        The dataset's root and vocabulary.
    """
    findings = around.findings
    tables = list(find(around.folder, source["path"], around.vocabulary, findings))
    _untabled(source, tables, around)
    if not tables and source.get("required"):
        where = f" It comes from {source['from']}." if "from" in source else ""
        findings.problems.append(f"No {source['path']} under {around.folder.root}.{where}")
    everything = set[str]()
    for table in tables:
        listed = set[str]()
        for row in _rows(source, table.path, around):
            values = table.fields | row
            values |= _fields(values.get("key", ""), source.get("keys", ()), around.vocabulary)
            for column, patterns in source.get("cut", {}).items():
                patterns = [patterns] if isinstance(patterns, str) else patterns
                values |= _fields(values.get(column, ""), patterns, around.vocabulary)
            values |= {f"{name}_stem": stem(value) for name, value in values.items()}
            path = _locate(source, values, table.path, around)
            if path is not None:
                listed.add(path)
                entry = make_entry(source, path, values | {"stem": stem(path)}, findings)
                if entry is not None:
                    yield entry
        findings.strangers += _films(around.folder, table.path.rpartition("/")[0], listed)
        everything |= listed
    if tables:
        findings.strangers += _unlisted(source, everything, around.folder)


def _locate(source: Mapping[str, Any], values: Mapping[str, str], table: str, around: Surroundings) -> str | None:
    """Return where a row's file is; None, and a remark, where it is not."""
    templates = source["file"]
    known = dict(values) | {"table": table.rpartition("/")[0]}
    paths = [
        fill(template, known, table).lstrip("/")
        for template in _texts(templates)
        if template_fields(template) <= known.keys()
    ]
    if not paths:
        around.findings.problems.append(f"{table}: {values.get('key', values)} does not look like its other rows.")
        return None
    path = next((found for path in paths if (found := _place(path, table, around))), None)
    if path is None:
        around.findings.missing.append(Missing(paths[0], f"{table} lists it", kind="listed"))
    return path


def _place(path: str, table: str, around: Surroundings) -> str | None:
    """Return where a file lies, as it is spelled on disk; `**` stands for any number of folders."""
    top, deep, name = path.partition(f"{DEEP}/")
    if not deep:
        return around.folder.locate(path)
    found = around.folder.below(top.rstrip("/"), name)
    if len(found) > 1:
        around.findings.problems.append(f"{table}: {name} could be any of {some(found)}; keep one of them.")
    return found[0] if found else None


def _untabled(source: Mapping[str, Any], tables: Iterable[Match], around: Surroundings) -> None:
    """Record folders where a table should be, holding videos, that have none."""
    levels = split_levels(source["path"])
    if len(levels) < 2 or levels[-2].startswith(("[", DEEP)):  # the root itself: `required` says if it needs the table
        return
    have = {table.path.rpartition("/")[0] for table in tables}
    for match in find(around.folder, "/".join(levels[:-1]), around.vocabulary, Findings()):
        films = _films(around.folder, match.path, set()) if match.path not in have else []
        if films:
            reason = f"without it nobody knows which of the {len(films)} videos beside it are fake: {some(films)}"
            around.findings.missing.append(Missing(join(match.path, levels[-1]), reason))


def _unlisted(source: Mapping[str, Any], listed: set[str], folder: Folder) -> list[str]:
    """Return the videos in the folders in which, at any depth, a source's files lie, that are not listed."""
    parts = [file.partition(DEEP) for file in _texts(source["file"])]
    tops = {top.rstrip("/") for top, deep, _ in parts if deep}
    return [film for top in sorted(tops) if not template_fields(top) for film in _films(folder, top, listed)]


def _texts(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _films(folder: Folder, here: str, listed: set[str]) -> list[str]:
    """Return the videos, and the folders of images, below a folder that are not listed."""
    beside = {path.rpartition(".")[0] for path in listed if "." in path.rpartition("/")[2]}
    above = {path.rpartition("/")[0] for path in listed}

    def below(here: str) -> Iterator[str]:
        for name, is_folder in folder.names(here).items():
            path = join(here, name)
            if path in listed or (is_folder and path in beside):  # frames of a video that is listed
                continue
            if is_folder:
                films = list(below(path))
                images = any(is_media(inner) and not deep for inner, deep in folder.names(path).items())
                yield from films or ([path] if images and path not in above else [])
            elif Path(name).suffix.lower() in VIDEO_SUFFIXES:
                yield path

    return list(below(here))


def _rows(source: Mapping[str, Any], name: str, around: Surroundings) -> Iterator[dict[str, str]]:
    path = around.folder.root / name
    try:
        if path.suffix.lower() == ".json":
            listed = json.loads(path.read_text(encoding="utf-8"))
            for key, row in listed.items():
                yield {"key": key} | {field: "" if value is None else str(value) for field, value in row.items()}
            return
        with path.open(encoding="utf-8-sig", newline="") as lines:
            if "line" in source:
                yield from _matched(source["line"], name, lines, around)
                return
            table = csv.DictReader(lines, source.get("columns"), delimiter=source.get("separator", ","))
            for row in table:
                yield {field: (value or "").strip() for field, value in row.items() if field}
    except (OSError, ValueError, AttributeError, csv.Error) as error:
        around.findings.problems.append(f"{name} cannot be read as a table: {error}.")


def _matched(expression: str, name: str, lines: Iterable[str], around: Surroundings) -> Iterator[dict[str, str]]:
    """Take lines apart by a regular expression; those that do not fit are counted and left out."""
    pattern, others = re.compile(expression), list[str]()
    for line in filter(None, map(str.strip, lines)):
        if found := pattern.fullmatch(line):
            yield {field: value or "" for field, value in found.groupdict().items()}
        else:
            others.append(line[:SHOWN])
    if others:
        around.findings.notes.append(f"{name}: {len(others)} lines do not fit and are left out: {some(others)}.")


def _fields(text: str, patterns: Iterable[str], vocabulary: Vocabulary) -> dict[str, str]:
    """Match a text with the patterns in turn, as if it were a path on disk."""
    found = (match_path(text, pattern, vocabulary) for pattern in patterns)
    return next((fields for fields in found if fields is not None), {})
