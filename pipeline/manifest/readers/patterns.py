"""Reader of files that are described by their paths."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.manifest.paths import find, template_fields
from pipeline.manifest.readers.source import Surroundings, make_entry
from pipeline.manifest.records import Entry


def read(source: Mapping[str, Any], around: Surroundings) -> Iterator[Entry]:
    """Yield an entry for every video, image and folder of frames that fits the source's path pattern.

    Parameters
    ----------
    source : mapping
        Its `path` is a pattern, its other keys are templates over the pattern's fields and `stem`; `folders = false`
        leaves folders of frames out.
    around : Surroundings
        The dataset's root and vocabulary.
    """
    left_out = dict.fromkeys(template_fields(source["path"]), "")  # fields of levels that a copy does without
    for match in find(around.folder, source["path"], around.vocabulary, around.findings):
        above, _, last = match.path.rpartition("/")
        if not source.get("folders", True) and around.folder.names(above)[last]:
            continue
        entry = make_entry(source, match.path, left_out | match.fields | {"stem": match.stem}, around.findings)
        if entry is not None:
            yield entry
