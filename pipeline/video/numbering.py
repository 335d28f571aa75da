"""Frame numbers: which frame of its video an image of a folder is, by the number in its name.

Tools that write one image a frame leave out frames (those without a face, say), so the images of a real video, of its
fake and of its mask cannot be paired by their positions. What is paired is the number in the name. Only where the
numbers cannot decide (a video beside a folder, folders that count from different numbers) do counts say which number
is frame 0; where they cannot either, the folder is refused.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DecodeError
from pipeline.video import archives, stills

Numbers = NDArray[np.int64]
LARGEST = 2**31 - 1  # `frame` of a store has 32 bits


@dataclass(frozen=True, eq=False)
class Numbering:
    """Numbers of a file's frames, in the order in which they are read, and which of them is frame 0."""

    numbers: Numbers  # (n,), increasing
    named: bool  # by the images' names; else counted from 0
    first: int = 0  # the number that is frame 0

    def starting(self, first: int) -> "Numbering":
        """Return the same numbers with another number as frame 0."""
        return replace(self, first=first)

    @property
    def indexes(self) -> Numbers:
        """Return the frame index of every image, of shape (n,), increasing; negative before frame 0."""
        return self.numbers - self.first

    @property
    def end(self) -> int:
        """Return the frame index after the last one: the number of frames where none is missing."""
        return int(self.indexes[-1]) + 1

    def places(self, wanted: Iterable[int]) -> dict[int, int]:
        """Return, for each wanted frame index that has an image, the position at which that is read."""
        known = {index: place for place, index in enumerate(self.indexes.tolist())}
        return {int(index): known[int(index)] for index in wanted if int(index) in known}


def numbering(path: Path, count: int) -> Numbering:
    """Return which frames a file has, judged by itself.

    Parameters
    ----------
    path : Path
        A video, a still, or a folder of images, also one in an archive.
    count : int
        Frames that can be read.

    Returns
    -------
    Numbering
        By the names in a folder whose names have numbers, no two the same; else 0, 1, 2, ... Frame 0 is the first
        image of a folder without gaps, and else number 0, or 1 where the smallest number is 1.
    """
    names = _names(path)
    found = numbers(names) if names else None
    if found is None:
        return Numbering(np.arange(count, dtype=np.int64), named=False)
    low = int(found[0])
    return Numbering(found, named=True, first=low if _gapless(found) else int(low == 1))


def numbers(names: Sequence[str]) -> Numbers | None:
    """Return the frame number that is in each name.

    Parameters
    ----------
    names : sequence of str
        Of a folder's images in natural order.

    Returns
    -------
    ndarray of shape (n,), int64, or None
        The first number in which no two names agree; of a single image the last number in its name. None where there
        is no such number, or it does not increase with the names.

    Examples
    --------
    >>> numbers(["7_frame2.png", "7_frame3.png", "7_frame10.png"]), numbers(["2_a.png", "2_b.png"])
    (array([ 2,  3, 10]), None)
    """
    stems = [PurePosixPath(name).stem for name in names]
    found = [[int(digits) for digits in re.findall(r"\d+", stem)] for stem in stems]
    columns = [found[0][-1:]] if len(names) == 1 else [list(column) for column in zip(*found, strict=False)]
    for column in columns:
        if column and len(set(column)) == len(names):
            return np.array(column, np.int64) if column == sorted(column) and column[-1] <= LARGEST else None
    return None


def beside(own: Numbering, reference: Numbering, what: str) -> Numbering:
    """Return which frames a file has, counted as those of the video that it goes with.

    Parameters
    ----------
    own : Numbering
        Of a fake, a mask, or another compression.
    reference : Numbering
        Of the video it goes with.
    what : str
        Names the file in an error sentence.

    Returns
    -------
    Numbering
        `own` with another `first`: equal indexes are the same frame. Numbers in names are compared as they are. Where
        both have no gap and are equally long but count from different numbers, and where one of the two has no
        numbers (a video), positions decide, if counts leave no doubt.

    Raises
    ------
    DecodeError
        It cannot be told which image is frame 0.
    """
    if own.named and reference.named:
        alike = len(own.numbers) == len(reference.numbers) and _gapless(own.numbers) and _gapless(reference.numbers)
        shift = int(own.numbers[0] - reference.numbers[0]) if alike else 0
        return own.starting(reference.first + shift)
    if own.named:
        return own.starting(_origin(own.numbers, reference.end, what))
    if reference.named:
        return own.starting(reference.first - _origin(reference.numbers, len(own.numbers), what))
    return own


def _origin(named: Numbers, count: int, what: str) -> int:
    """Return which number of a folder is frame 0 of a video of `count` frames."""
    low, high = int(named[0]), int(named[-1])
    rules = (
        (low == 0, 0),
        (_gapless(named) and len(named) == count, low),
        (high == count, 1),
        (high == count - 1, 0),
        (_gapless(named) and low == 1, 1),
    )
    for holds, first in rules:
        if holds:
            return first
    raise DecodeError(
        f"{what}: the images of the folder are numbered {low} to {high} with gaps, the video beside it has {count} "
        "frames; which number is its first frame cannot be told."
    )


def _gapless(found: Numbers) -> bool:
    return int(found[-1] - found[0]) == len(found) - 1


def _names(path: Path) -> list[str]:
    if archives.split_path(path):
        return archives.names(path)
    return [file.name for file in stills.members(path)] if path.is_dir() else []
