"""Checks of files: empty or unreadable videos, masks shorter than their video, one video in two splits."""

import os
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from pipeline.errors import DecodeError
from pipeline.manifest import REAL, Dataset
from pipeline.manifest.folder import VIDEO_SUFFIXES
from pipeline.manifest.leaks import file_leaks, frame_leaks, some, suspects
from pipeline.video import archives, checksum, frames, likeness
from pipeline.video.archives import MARK


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


def leaks(dataset: Dataset, deep: bool, skip: Collection[str] = ()) -> list[str]:
    """Say which files of two splits hold the same bytes, and with `deep` which real videos show the same frames.

    Only files of one size are read whole.

    Parameters
    ----------
    dataset : Dataset
    deep : bool
        Decode three frames of every real video, and of every fake without one.
    skip : collection of str
        Paths known to be of no use.
    """
    videos = [video for video in dataset.videos if video.path not in skip]
    files = [(video, dataset.root / video.path) for video in videos if MARK not in video.path]
    sizes = [(video, path.stat().st_size) for video, path in files if path.is_file()]
    found = file_leaks((video, checksum.sha256(dataset.root / video.path)) for video in suspects(sizes))
    if deep:
        mains = [video for video in videos if video.method == REAL or not video.target]
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            prints = threads.map(lambda video: _fingerprints(dataset.root / video.path), mains)
            found += frame_leaks(zip(mains, prints, strict=True))
    return [f"Training and test are not apart: {leak}" for leak in found]


def _fingerprints(path: Path) -> str:
    try:
        return likeness.of_file(path)
    except DecodeError:
        return ""  # `damaged` says so


def _is_video(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in VIDEO_SUFFIXES


def _probe(path: Path) -> frames.Probe | str:
    try:
        return frames.probe(path)
    except DecodeError as error:
        return str(error).rstrip(".")
