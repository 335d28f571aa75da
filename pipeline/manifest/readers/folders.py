"""Folders of folders of frames, at any depth: an archive that was unpacked where it lay."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.manifest.folder import Folder, is_media, join
from pipeline.manifest.paths import find, template_fields
from pipeline.manifest.readers.source import Surroundings, make_entry
from pipeline.manifest.records import Entry

ARCHIVE = ".tar.gz"


def read(source: Mapping[str, Any], around: Surroundings) -> Iterator[Entry]:
    """Yield an entry for every folder that holds images, in the folders that fit the source's path pattern.

    Parameters
    ----------
    source : mapping
        Its `path` is a pattern of folders, its other keys are templates over the pattern's fields, `stem` (the
        folder's name) and `folder` (the path of the images' folder inside it, `.` for itself). A folder whose archive
        lies beside it is left out: the archive is read.
    around : Surroundings
        The dataset's root and vocabulary.
    """
    left_out = dict.fromkeys(template_fields(source["path"]), "")
    for match in find(around.folder, source["path"], around.vocabulary, around.findings):
        above, _, last = match.path.rpartition("/")
        if not around.folder.names(above)[last] or f"{last}{ARCHIVE}" in around.folder.names(above):
            continue
        for inside in _with_images(around.folder, match.path):
            values = {"stem": match.stem, "folder": inside[len(match.path) + 1 :] or "."}
            entry = make_entry(source, inside, left_out | match.fields | values, around.findings)
            if entry is not None:
                yield entry


def _with_images(folder: Folder, here: str) -> Iterator[str]:
    names = folder.names(here)
    if any(not is_folder and is_media(name) for name, is_folder in names.items()):
        yield here
    for name, is_folder in names.items():
        if is_folder:
            yield from _with_images(folder, join(here, name))
