"""Archives (`.tar.gz`) of folders of frames: one entry for every folder inside."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pipeline.errors import DecodeError
from pipeline.manifest.paths import Match, find, template_fields
from pipeline.manifest.readers.source import Surroundings, make_entry
from pipeline.manifest.records import Entry, Missing
from pipeline.video.archives import MARK, folders

THREADS = 4  # unpacking is single-threaded per archive and leaves the interpreter free


def read(source: Mapping[str, Any], around: Surroundings) -> Iterator[Entry]:
    """Yield an entry for every folder of frames in every archive that fits the source's path pattern.

    Parameters
    ----------
    source : mapping
        Its `path` is a pattern, its other keys are templates over the pattern's fields, `stem` (the archive's name
        without ending) and `folder` (the path inside the archive).
    around : Surroundings
        The dataset's root and vocabulary. With `open_archives` false, an archive counts as one entry.

    Notes
    -----
    A compressed archive has no table of contents, so each is read to its end.
    """
    matches = list(find(around.folder, source["path"], around.vocabulary, around.findings))
    paths = [around.folder.root / match.path for match in matches]
    with ThreadPoolExecutor(THREADS) as threads:
        listed = threads.map(_folders, paths) if around.open_archives else ([""] for _ in paths)
        for match, inside in zip(matches, listed, strict=True):
            if isinstance(inside, DecodeError):
                around.findings.missing.append(Missing(match.path, str(inside)))
            else:
                yield from _entries(source, match, inside, around)


def _entries(source: Mapping[str, Any], match: Match, inside: list[str], around: Surroundings) -> Iterator[Entry]:
    left_out = dict.fromkeys(template_fields(source["path"]), "")
    for folder in inside:
        values = left_out | match.fields | {"stem": match.stem, "folder": folder}
        path = f"{match.path}{MARK}{folder}" if folder else match.path
        entry = make_entry(source, path, values, around.findings)
        if entry is not None:
            yield entry


def _folders(path: Path) -> list[str] | DecodeError:
    try:
        return folders(path)
    except DecodeError as error:
        return error
