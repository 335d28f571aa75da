"""Seeded splits that keep a person on one side: connected groups of identities and source videos, dealt out whole."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pipeline.config import SPLITS
from pipeline.manifest.records import REAL, Video

Key = tuple[str, str]  # (method, id): the compressions of one video are in one split


def groups(videos: Sequence[Video], *, donors: bool) -> dict[Key, str]:
    """Group videos that must not be parted: same identity, same source video and, on request, same donor.

    Parameters
    ----------
    videos : sequence of Video
        The videos of a dataset.
    donors : bool
        Whether a fake also ties its target to its donor.

    Returns
    -------
    dict
        (method, id) to the name of its group: the first of its identities by name.
    """
    parent: dict[Key, Key] = {}

    def root(node: Key) -> Key:
        while parent.setdefault(node, node) != node:
            parent[node] = node = parent[parent[node]]
        return node

    def tie(one: Key, other: Key) -> None:
        first, second = sorted((root(one), root(other)))
        parent[second] = first

    people = {video.identity for video in videos}
    for video in videos:
        person = ("identity", video.identity)
        if video.target:
            tie(person, ("video", video.target))
        if donors and video.donor:
            tie(person, ("identity" if video.donor in people else "video", video.donor))
    # "identity" sorts before "video", so a group's root is an identity
    return {(video.method, video.id): root(("identity", video.identity))[1] for video in videos}


def deal(
    members: Mapping[Key, str], shares: Mapping[str, float], seed: int, given: Mapping[Key, str] | None = None
) -> dict[Key, str]:
    """Deal whole groups out to splits so that the numbers of videos come near the shares.

    Parameters
    ----------
    members : mapping
        (method, id) to its group.
    shares : mapping
        Split to its share of the videos.
    seed : int
        Decides the order in which groups are dealt.
    given : mapping, optional
        Splits that some videos already have; their groups follow.

    Returns
    -------
    dict
        (method, id) to its split, for every member.
    """
    given = given or {}
    weight: dict[str, int] = defaultdict(int)
    fixed: dict[str, str] = {}
    for key, group in members.items():
        weight[group] += 1
        if key in given:
            fixed.setdefault(group, given[key])
    order = [group for group in shuffled(weight, seed) if group not in fixed]
    wanted = {split: shares[split] * len(members) for split in SPLITS if split in shares}
    dealt = dict(fixed)
    for group in dealt:
        wanted[dealt[group]] = wanted.get(dealt[group], 0.0) - weight[group]
    for group in order:
        split = max(shares, key=lambda name: (wanted[name], -SPLITS.index(name)))
        dealt[group] = split
        wanted[split] -= weight[group]
    _leave_none_empty(dealt, order, weight, shares)
    return {key: given.get(key, dealt[group]) for key, group in members.items()}


def deal_counts(members: Mapping[Key, str], counts: Mapping[str, int], rest: str, seed: int) -> dict[Key, str]:
    """Deal whole groups out until each split holds its count of real videos; the rest goes to `rest`."""
    reals: dict[str, int] = defaultdict(int)
    for (method, _), group in members.items():
        reals[group] += method == REAL
    dealt: dict[str, str] = {}
    order = shuffled(reals, seed)
    for split, count in counts.items():
        have = 0
        for group in order:
            if group not in dealt and have + reals[group] <= count:
                dealt[group] = split
                have += reals[group]
    return {key: dealt.get(group, rest) for key, group in members.items()}


def shuffled(names: Iterable[str], seed: int) -> list[str]:
    """Return names in an order that the seed decides and that names left out do not change."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())


def _leave_none_empty(
    dealt: dict[str, str], order: list[str], weight: Mapping[str, int], shares: Iterable[str]
) -> None:
    """Give every split at least one group where there are enough, moving the lightest of the fullest split."""
    for empty in shares:
        if empty in dealt.values():
            continue
        full = max(shares, key=lambda split: sum(dealt[group] == split for group in order))
        movable = [group for group in order if dealt[group] == full]
        if len(movable) > 1:
            dealt[min(movable, key=lambda group: weight[group])] = empty
