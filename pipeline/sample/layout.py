"""FaceForensics++'s folder layout and split files."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

CRF = {"raw": 0, "c23": 23, "c40": 40}
SHARE = 0.2  # of the pairs for validation, and as many for the test

Pairs = list[tuple[str, str]]
Item = TypeVar("Item")


def real_path(name: str, compression: str) -> str:
    """Return a real video's path under the root."""
    return f"original_sequences/youtube/{compression}/videos/{name}.mp4"


def fake_path(method: str, target: str, donor: str, compression: str) -> str:
    """Return a fake's path under the root."""
    return f"manipulated_sequences/{method}/{compression}/videos/{target}_{donor}.mp4"


def mask_path(method: str, target: str, donor: str) -> str:
    """Return a mask video's path under the root."""
    return f"manipulated_sequences/{method}/masks/videos/{target}_{donor}.mp4"


def pair_up(names: Sequence[str], rounds: int = 1) -> Pairs:
    """Pair neighbours, and in further rounds everyone with someone new, as a round-robin tournament does.

    The last of an odd number is paired in the first round with the one before it as well, and one sits out each
    further round. Rounds beyond the last one that brings a new pair add none.

    Examples
    --------
    >>> pair_up(["a", "b", "c", "d"])
    [('a', 'b'), ('c', 'd')]
    >>> pair_up(["a", "b", "c", "d"], rounds=2)
    [('a', 'b'), ('c', 'd'), ('a', 'c'), ('b', 'd')]
    """
    if len(names) < 2:
        return []
    count = len(names) + len(names) % 2  # with one nobody is paired with, where the number is odd
    ring = [1, *range(2, count, 2), *range(count - 1, 2, -2)]  # everyone but the first, who stays while the others turn
    places = []
    for turn in range(min(rounds, count - 1)):
        turned = ring[turn:] + ring[:turn]
        places += [(0, turned[0]), *zip(turned[1 : count // 2], reversed(turned[count // 2 :]), strict=True)]
        if len(names) % 2 and turn == 0:
            places.append((len(names) - 2, len(names) - 1))
    unlike = dict.fromkeys(tuple(sorted(pair)) for pair in places if max(pair) < len(names))
    return [(names[one], names[other]) for one, other in unlike]


def shuffled(clips: Sequence[Item], seed: int) -> list[Item]:
    """Bring clips into random order: by name, those of one source would fall into one split together."""
    return [clips[i] for i in np.random.default_rng([seed, 6]).permutation(len(clips))]


def divide(names: Sequence[str]) -> dict[str, list[str]]:
    """Divide identities, in their order, into train, val and test; val and test hold whole pairs.

    Examples
    --------
    >>> {split: len(names) for split, names in divide([f"{i:03d}" for i in range(20)]).items()}
    {'train': 12, 'val': 4, 'test': 4}
    >>> {split: len(names) for split, names in divide([f"{i:03d}" for i in range(12)]).items()}
    {'train': 8, 'val': 2, 'test': 2}
    """
    couples = len(names) // 2
    held_out = 2 * max(1, round(SHARE * couples)) if couples >= 3 else 0
    first = len(names) - 2 * held_out
    return {
        "train": list(names[:first]),
        "val": list(names[first : first + held_out]),
        "test": list(names[first + held_out :]),
    }
