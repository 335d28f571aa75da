"""Seeded damage to the bytes of a file, as disks, networks and malice do it; how much of it, `FUZZ=20` says."""

import os
from collections.abc import Callable

import numpy as np

TIMES = int(os.environ.get("FUZZ", "1"))  # how many times as much as the suite does

ABSURD = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x00", b"\x80\x00\x00\x00")


def flip(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip some bits anywhere."""
    changed = bytearray(content)
    for place in rng.integers(len(content), size=int(rng.integers(1, 30))).tolist():
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def flip_ends(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip some bits near the beginning or the end, where headers are."""
    changed = bytearray(content)
    near = min(len(content), 1000)
    for place in rng.integers(near, size=int(rng.integers(1, 6))).tolist():
        changed[place if rng.integers(2) else -1 - place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    """Keep a beginning."""
    return content[: int(rng.integers(len(content)))]


def absurd(content: bytes, rng: np.random.Generator) -> bytes:
    """Put the largest, least or no number in some places, most of them in headers."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        near = min(len(content), int(rng.choice([100, 1000, len(content)])))
        place = int(rng.integers(max(1, near - 4)))
        if rng.integers(2):
            place = max(0, len(content) - near + place)
        changed[place : place + 4] = ABSURD[int(rng.integers(len(ABSURD)))]
    return bytes(changed)


def hole(content: bytes, rng: np.random.Generator) -> bytes:
    """Take a piece out."""
    start, length = int(rng.integers(len(content))), int(rng.integers(1, max(2, len(content) // 4)))
    return content[:start] + content[start + length :]


def twice(content: bytes, rng: np.random.Generator) -> bytes:
    """Put a piece in once more, somewhere else."""
    start, place = (int(each) for each in rng.integers(len(content), size=2))
    return content[:place] + content[start : start + int(rng.integers(1, 2000))] + content[place:]


def noise(content: bytes, rng: np.random.Generator) -> bytes:
    """Put random bytes in the place of a piece."""
    start, length = int(rng.integers(len(content))), int(rng.integers(1, 200))
    return content[:start] + rng.bytes(length) + content[start + length :]


DAMAGES: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    flip, flip_ends, flip_ends, cut, absurd, absurd, hole, twice, noise,
)  # fmt: skip


def damaged(content: bytes, seed: int) -> bytes:
    """Return the bytes of a file with the damage of this seed."""
    if not content:
        return content
    rng = np.random.default_rng(seed)
    return DAMAGES[seed % len(DAMAGES)](content, rng)


WORDS = (
    "", " ", "..", "../../x", "/etc/passwd", "~nobody/x", "a\x00b", "x" * 300, "a/b", "C:\\x", '"', "'", "{", "{x", "[",
    "(", "\\", "*", "é", "\u202e", "#", ".tar.gz#..", "-1", "1e999", "nan", "True", "null", "0", "real", "=1+1", "a;b",
    "\r\n",
)  # fmt: skip
VALUES = (None, True, -1, 0, 2**70, 1e308, float("nan"), [], {}, [[]], [1, "a"], {"a": []}, *WORDS)


def altered(value: object, rng: np.random.Generator) -> object:
    """Return plain values with one of them replaced by another, of any type, or left out."""
    if isinstance(value, dict) and value and rng.integers(4):
        key = str(rng.choice(sorted(map(str, value))))
        if not rng.integers(8):
            return {name: each for name, each in value.items() if name != key}
        if not rng.integers(8):
            return value | {str(rng.choice(WORDS)): value[key]}
        return value | {key: altered(value[key], rng)}
    if isinstance(value, list) and value and rng.integers(4):
        place = int(rng.integers(len(value)))
        return [*value[:place], altered(value[place], rng), *value[place + 1 :]]
    return VALUES[int(rng.integers(len(VALUES)))]
