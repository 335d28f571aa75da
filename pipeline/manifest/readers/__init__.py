"""Readers of the ways in which datasets describe their files; each source of a manifest names one."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.manifest.readers import archives, crops, folders, pairs, patterns, table
from pipeline.manifest.readers.source import Surroundings
from pipeline.manifest.records import Entry

READERS: dict[str, Callable[[Mapping[str, Any], Surroundings], Iterator[Entry]]] = {
    "patterns": patterns.read,
    "archives": archives.read,
    "folders": folders.read,
    "table": table.read,
    "pairs": pairs.read,
    "crops": crops.read_folders,
    "deepfakebench": crops.read_bench,
}
