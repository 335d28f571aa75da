"""The order of a dataset's videos, and its first few."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from typing import Any

from pipeline.config import SPLITS
from pipeline.manifest.records import COMPRESSIONS, REAL, Dataset, Missing, Video, ordered_methods


def ordered(manifest: dict[str, Any], videos: Sequence[Video]) -> tuple[Video, ...]:
    """Sort videos by split, target, method, compression and id."""
    methods = ordered_methods(manifest, {video.method for video in videos})
    method_rank = {name: rank for rank, name in enumerate(methods)}
    split_rank = {name: rank for rank, name in enumerate((*SPLITS, ""))}

    def rank(video: Video) -> tuple[int, str, int, int, str]:
        compression = COMPRESSIONS.index(video.compression)
        return split_rank[video.split], video.target or video.id, method_rank[video.method], compression, video.id

    return tuple(sorted(videos, key=rank))


def first(dataset: Dataset, limit: int, missing: Sequence[Missing] = ()) -> Dataset:
    """Return the first real videos with all their fakes, for unpaired data the first videos of every method.

    The splits take turns, so that a small trial has some of each; real videos that have fakes come before others.

    Parameters
    ----------
    dataset : Dataset
        In its usual order.
    limit : int
        Number of real videos, for unpaired data of videos per method.
    missing : sequence of Missing
        The dataset's missing files; those that go with no video kept are dropped.
    """
    busy = {video.target for video in dataset.videos if video.method != REAL} - {""}
    if busy:
        reals = [video for video in dataset.videos if video.method == REAL]
        turns = _turns([video for video in reals if video.id in busy])
        turns += _turns([video for video in reals if video.id not in busy])
        kept = set(turns[:limit])
        videos = tuple(video for video in dataset.videos if (video.target or video.id) in kept)
    else:
        by_method = {name: [video for video in dataset.videos if video.method == name] for name in dataset.methods}
        keys = {(name, id_) for name, mine in by_method.items() for id_ in _turns(mine)[:limit]}
        videos = tuple(video for video in dataset.videos if (video.method, video.id) in keys)
        kept = {id_ for _, id_ in keys}
    gone = tuple((absent.path, absent.reason) for absent in missing if absent.target in kept)
    return replace(dataset, videos=videos, missing=gone)


def _turns(videos: Sequence[Video]) -> list[str]:
    """Return the ids of videos, taking one of each split in turn."""
    queues = [list(dict.fromkeys(video.id for video in videos if video.split == split)) for split in (*SPLITS, "")]
    return [id_ for id_ in chain.from_iterable(zip_longest(*queues)) if id_ is not None]
