"""Leak check: persons, source videos, pairs, files and frames that stand on both sides of a split."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence

from pipeline.manifest.records import REAL, Video
from pipeline.video import likeness
from pipeline.video.archives import MARK

SHOWN = 3  # examples in a sentence


def pair_leaks(videos: Sequence[Video]) -> list[str]:
    """Say which fakes are in another split than the real video they were made from."""
    real = {video.id: video.split for video in videos if video.method == REAL}
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for video in _each(videos):
        other = real.get(video.target, video.split)
        if video.method != REAL and other != video.split:
            found[video.split, other].append(f"{video.method} {video.id}")
    return [
        f"fakes in {split} with their real video in {other}: {len(ids)} ({some(ids)})"
        for (split, other), ids in sorted(found.items())
    ]


def identity_leaks(videos: Sequence[Video]) -> list[str]:
    """Say which people have videos in more than one split."""
    splits: dict[str, set[str]] = defaultdict(set)
    for video in videos:
        splits[video.identity].add(video.split)
    leaking: dict[str, list[str]] = defaultdict(list)
    for identity, found in sorted(splits.items()):
        if len(found) > 1:
            leaking[" and ".join(sorted(found))].append(identity)
    return [f"identities in {both}: {len(people)} ({some(people)})" for both, people in sorted(leaking.items())]


def donor_leaks(videos: Sequence[Video]) -> list[str]:
    """Say which fakes show a donor whose own videos are in another split."""
    splits: dict[str, set[str]] = defaultdict(set)
    for video in videos:
        if video.method == REAL:
            splits[video.id].add(video.split)
            splits[video.identity].add(video.split)
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for video in _each(videos):
        if video.donor and video.method != REAL:
            for other in sorted(splits.get(video.donor, set()) - {video.split}):
                found[video.split, other].append(f"{video.method} {video.id} (donor {video.donor})")
    return [
        f"fakes in {split} with a donor whose own videos are in {other}: {len(ids)} ({some(ids)})"
        for (split, other), ids in sorted(found.items())
    ]


def file_leaks(files: Iterable[tuple[Video, str]]) -> list[str]:
    """Say which files of different splits hold the same bytes, whatever they are called.

    Parameters
    ----------
    files : iterable of tuple of Video and str
        A video and its SHA-256. Folders inside an archive have the archive's and are left out.
    """
    same: dict[str, list[Video]] = defaultdict(list)
    for video, digest in files:
        if MARK not in video.path:
            same[digest].append(video)
    found: dict[str, list[str]] = defaultdict(list)
    for videos in same.values():
        if len(splits := {video.split for video in videos}) > 1:
            found[" and ".join(sorted(splits))].append(_same(videos))
    return [f"the same file in {both}: {len(paths)} ({some(sorted(paths))})" for both, paths in sorted(found.items())]


def _same(videos: Sequence[Video]) -> str:
    """Name the first of some equal files in each split, and say how many more there are."""
    first: dict[str, str] = {}
    for video in sorted(videos, key=lambda video: video.path):
        first.setdefault(video.split, video.path)
    more = len(videos) - len(first)
    return " = ".join([*sorted(first.values()), *([f"{more} more"] if more else [])])


def frame_leaks(files: Iterable[tuple[Video, str]]) -> list[str]:
    """Say which videos of different splits show the same frames although they hold other bytes.

    Parameters
    ----------
    files : iterable of tuple of Video and str
        A video and its fingerprints, from `pipeline.video.likeness`. Videos without any are left out.
    """
    by_split: dict[str, dict[str, tuple[Video, str]]] = defaultdict(dict)
    for video, prints in files:
        if prints:
            by_split[video.split].setdefault(video.id, (video, prints))  # its compressions are alike
    told = []
    for one, other in itertools.combinations(sorted(by_split), 2):
        ours, theirs = (list(by_split[split].values()) for split in (one, other))
        pairs = likeness.alike([prints for _, prints in ours], [prints for _, prints in theirs])
        names = sorted(f"{ours[first][0].path} = {theirs[second][0].path}" for first, second in pairs)
        told += [f"the same frames in {one} and {other}: {len(names)} ({some(names)})"] if names else []
    return told


def suspects(files: Iterable[tuple[Video, int]]) -> list[Video]:
    """Return the videos that have as many bytes as one of another split: only these can be the same file.

    Parameters
    ----------
    files : iterable of tuple of Video and int
        A video and the size of its file.
    """
    sizes: dict[int, list[Video]] = defaultdict(list)
    for video, size in files:
        sizes[size].append(video)
    return [video for videos in sizes.values() if len({each.split for each in videos}) > 1 for video in videos]


def _each(videos: Sequence[Video]) -> Iterable[Video]:
    """Return one of the compressions of each video."""
    return {(video.method, video.id): video for video in videos}.values()


def some(names: Sequence[str]) -> str:
    """Return the first few names and how many there are beside them."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
