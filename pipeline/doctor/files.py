"""Checks for unusable files: empty or unreadable videos, masks shorter than their video."""

import os
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from pipeline.errors import DecodeError
from pipeline.manifest import Dataset
from pipeline.manifest.folder import VIDEO_SUFFIXES
from pipeline.manifest.leaks import some
from pipeline.video import archives, frames


def empty(root: Path, paths: Iterable[str]) -> list[str]:
    """Return those paths whose files hold no byte."""
    found = []
    for path in dict.fromkeys(paths):
        file = archives.file_of(root / path)
        if file.is_file() and file.stat().st_size == 0:
            found.append(path)
    return found


def damaged(dataset: Dataset, skip: Collection[str] = ()) -> list[str]:
    """Open every file of a dataset and say which are unreadable, of one frame, or masks shorter than their video.

    Parameters
    ----------
    dataset : Dataset
        Its videos and masks are opened.
    skip : collection of str
        Paths known to be of no use.

    Returns
    -------
    list of str
        One sentence for each kind of damage.
    """
    masks = {video.mask for video in dataset.videos if video.mask}
    paths = sorted(({video.path for video in dataset.videos} | masks) - set(skip))
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # decoders leave the interpreter free
        results = dict(zip(paths, threads.map(lambda path: _probe(dataset.root / path), paths), strict=True))
    unreadable = [f"{path} ({result})" for path, result in results.items() if isinstance(result, str)]
    probes = {path: result for path, result in results.items() if isinstance(result, frames.Probe)}
    counts = {path: probe.frames for path, probe in probes.items()}
    cut = [f"{path} ({probe.damage})" for path, probe in probes.items() if probe.damage]
    single = [path for path, count in counts.items() if count == 1 and _is_video(path)]
    short = [
        f"{video.mask} ({counts[video.mask]} of {counts[video.path]} frames)"
        for video in dataset.videos
        if video.mask in counts and video.path in counts and counts[video.mask] < counts[video.path]
    ]
    sentences = {
        "files are unreadable": unreadable,
        "files are damaged": cut,
        "videos have one frame": single,
        "masks are shorter than their video": list(dict.fromkeys(short)),
    }
    return [f"{len(found)} {what}: {some(found)}" for what, found in sentences.items() if found]


def _is_video(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in VIDEO_SUFFIXES


def _probe(path: Path) -> frames.Probe | str:
    try:
        return frames.probe(path)
    except DecodeError as error:
        return str(error).rstrip(".")
