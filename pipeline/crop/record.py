"""Record of a dataset's files in a store: what lets another store take over its rows without looking at the files."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.crop.staging import Source, source_from
from pipeline.manifest import Video

Sizes = Mapping[str, Sequence[int]]  # path -> bytes of a file, entries of a folder; empty for what is not there


@dataclass(frozen=True)
class File:
    """One file of the dataset that a store was made from."""

    video: Video
    size: tuple[int, ...]  # as in `Sizes`
    mask_size: tuple[int, ...]  # of its mask
    source: Source | None  # what was measured on it; None where it could not be read


def lines(videos: Sequence[Video], sizes: Sizes, sources: Sequence[Source]) -> list[str]:
    """Return one line of text for each file of a dataset, in its order.

    Parameters
    ----------
    videos : sequence of Video
        The dataset's.
    sizes : mapping
        Of the videos and of their masks.
    sources : sequence of Source
        Those that can be read.
    """
    measured = {source.video.path: source for source in sources}
    found = []
    for video in videos:
        source = measured.get(video.path)
        file = File(video, _size(sizes, video.path), _size(sizes, video.mask or ""), source)
        found.append(json.dumps(_plain(file), sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    return found


def files(text: Sequence[str]) -> list[File]:
    """Return the files that lines of text, from `lines`, tell of."""
    return [_file(json.loads(line)) for line in text]


def _size(sizes: Sizes, path: str) -> tuple[int, ...]:
    return tuple(sizes.get(path, ()))


def _plain(file: File) -> dict[str, Any]:
    plain = dataclasses.asdict(file)
    if file.source and file.source.video == file.video:  # else its mask turned out to be none
        del plain["source"]["video"]
    return plain


def _file(plain: dict[str, Any]) -> File:
    measured: dict[str, Any] | None = plain["source"]
    source = source_from({"video": plain["video"], **measured}) if measured else None
    return File(Video(**plain["video"]), tuple(plain["size"]), tuple(plain["mask_size"]), source)
