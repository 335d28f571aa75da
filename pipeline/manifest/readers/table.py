"""Reader of files listed, with their labels, in a JSON or CSV file."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.manifest.folder import stem
from pipeline.manifest.paths import Vocabulary, fill, find, match_path, template_fields
from pipeline.manifest.readers.source import Surroundings, make_entry
from pipeline.manifest.records import Entry, Missing


def read(source: Mapping[str, Any], around: Surroundings) -> Iterator[Entry]:
    """Yield an entry for every row of the source's tables whose file is there.

    A row's fields are those of the table's own path, its columns, `key` (what a JSON object files it under), the
    fields of the first of the source's `keys` patterns that fits the key, and for each of them `<name>_stem`, its last
    level without ending.

    Parameters
    ----------
    source : mapping
        `path` is the pattern of the tables, `file` the template of where a row's file is (or a list of templates, the
        usual one first), `required` whether a dataset without the table is incomplete.
    around : Surroundings
        The dataset's root and vocabulary.
    """
    findings = around.findings
    tables = list(find(around.folder, source["path"], around.vocabulary, findings))
    if not tables and source.get("required"):
        where = f" It comes from {source['from']}." if "from" in source else ""
        findings.problems.append(f"No {source['path']} under {around.folder.root}.{where}")
    for table in tables:
        for row in _rows(around.folder.root / table.path, table.path, around):
            values = table.fields | row
            values |= _key_fields(values.get("key", ""), source.get("keys", ()), around.vocabulary)
            values |= {f"{name}_stem": stem(value) for name, value in values.items()}
            yield from _entry(source, values, table.path, around)


def _entry(source: Mapping[str, Any], values: dict[str, str], table: str, around: Surroundings) -> Iterator[Entry]:
    templates = source["file"]
    known = values | {"table": table.rpartition("/")[0]}
    paths = [
        fill(template, known, table).lstrip("/")
        for template in (templates if isinstance(templates, list) else [templates])
        if template_fields(template) <= known.keys()
    ]
    if not paths:
        around.findings.problems.append(f"{table}: {values.get('key', values)} does not look like its other rows.")
        return
    path = next((found for path in paths if (found := around.folder.locate(path))), None)
    if path is None:
        around.findings.missing.append(Missing(paths[0], f"{table} lists it"))
        return
    entry = make_entry(source, path, values | {"stem": stem(path)}, around.findings)
    if entry is not None:
        yield entry


def _rows(path: Path, name: str, around: Surroundings) -> Iterator[dict[str, str]]:
    try:
        if path.suffix.lower() == ".json":
            listed = json.loads(path.read_text(encoding="utf-8"))
            for key, row in listed.items():
                yield {"key": key} | {field: "" if value is None else str(value) for field, value in row.items()}
            return
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for row in csv.DictReader(lines):
                yield {field: value or "" for field, value in row.items() if field}
    except (OSError, ValueError, AttributeError, csv.Error) as error:
        around.findings.problems.append(f"{name} cannot be read as a table: {error}.")


def _key_fields(key: str, patterns: Iterable[str], vocabulary: Vocabulary) -> dict[str, str]:
    """Match a row's key with the patterns in turn, as if it were a path on disk."""
    found = (match_path(key, pattern, vocabulary) for pattern in patterns)
    return next((fields for fields in found if fields is not None), {})
