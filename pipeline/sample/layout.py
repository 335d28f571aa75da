"""Where FaceForensics++ keeps its files, and which split each belongs to."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from pipeline.errors import WriteError

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


def pair_up(names: Sequence[str]) -> Pairs:
    """Pair neighbours; the last of an odd number is paired with the one before it as well."""
    pairs = [(names[i], names[i + 1]) for i in range(0, len(names) - 1, 2)]
    if len(names) % 2 and len(names) > 1:
        pairs.append((names[-2], names[-1]))
    return pairs


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


def write_json(path: Path, value: object) -> None:
    """Write a JSON file that is there whole or not at all.

    Raises
    ------
    WriteError
        The folder cannot be made or written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error.strerror}.") from error
