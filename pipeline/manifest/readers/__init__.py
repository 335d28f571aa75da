"""The ways in which datasets say what their files are; a manifest's sources each name one."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.manifest.readers import archives, pairs, patterns, table
from pipeline.manifest.readers.source import Surroundings
from pipeline.manifest.records import Entry

READERS: dict[str, Callable[[Mapping[str, Any], Surroundings], Iterator[Entry]]] = {
    "patterns": patterns.read,
    "archives": archives.read,
    "table": table.read,
    "pairs": pairs.read,
}
