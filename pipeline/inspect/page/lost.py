"""Rejects for the page: counted by reason, and some of the frames themselves, from the dataset's files."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DecodeError
from pipeline.faces import near
from pipeline.inspect.page.gallery import jpeg
from pipeline.video import frames
from pipeline.video.numbering import numbering

SHOWN = 24  # pictures on the page
HEIGHT = 120  # pixels of a picture
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Lost:
    """One rejected frame, or video, and how it looks."""

    stage: str
    reason: str
    video: str
    frame: int  # -1: the whole video, of which the middle frame is shown
    picture: str  # a data URL; empty where there is none
    without: str  # why there is none

    @property
    def place(self) -> str:
        """Return which frame of which file it is, in words."""
        return self.video if self.frame < 0 else f"{self.video}, frame {self.frame}"


def reasons(rejects: Columns) -> list[tuple[str, str, int, str]]:
    """Return stage, reason, rows lost and an example's video and frame, most rows first."""
    rows: Counter[tuple[str, str]] = Counter()
    example: dict[tuple[str, str], str] = {}
    for stage, reason, number, video, frame in _entries(rejects):
        key = (stage, near.untold(reason))
        rows[key] += number
        example.setdefault(key, video if frame < 0 else f"{video}, frame {frame}")
    return [(*key, number, example[key]) for key, number in rows.most_common()]


def pictures(rejects: Columns, root: Path) -> list[Lost]:
    """Return the frames of some rejects: of each reason in turn, the reason that cost most rows first.

    Parameters
    ----------
    rejects : mapping of str to ndarray
        Columns of the store's group `rejected`.
    root : Path
        The dataset's folder. A file that is not there, or does not decode, has no picture.
    """
    of_reason: dict[tuple[str, str], list[tuple[str, str, str, int]]] = defaultdict(list)
    for stage, reason, _, video, frame in _entries(rejects):
        of_reason[stage, near.untold(reason)].append((stage, reason, video, frame))
    turns = [(number, key) for key, entries in of_reason.items() for number in range(min(len(entries), SHOWN))]
    order = {key: place for place, key in enumerate((stage, reason) for stage, reason, _, _ in reasons(rejects))}
    turns = sorted(turns, key=lambda turn: (turn[0], order[turn[1]]))[:SHOWN]
    wanted = Counter(key for _, key in turns)
    found = []
    for key in sorted(wanted, key=order.__getitem__):
        entries = of_reason[key]
        for place in np.linspace(0, len(entries) - 1, wanted[key]).round().astype(int).tolist():
            found.append(_pictured(entries[place], root))
    return found


def _entries(rejects: Columns) -> list[tuple[str, str, int, str, int]]:
    names = ("stage", "reason", "rows", "video", "frame")
    return list(zip(*(rejects[name].tolist() for name in names), strict=True))


def _pictured(entry: tuple[str, str, str, int], root: Path) -> Lost:
    stage, reason, video, frame = entry
    try:
        picture, without = _frame(root / video, frame), "it has no such frame"
    except (DecodeError, OSError) as error:
        picture, without = None, str(error).replace(f"{root}/", "").rstrip(".")
    if picture is None:
        return Lost(stage, reason, video, frame, "", without)
    width = max(round(picture.shape[1] * HEIGHT / picture.shape[0]), 1)
    small = np.asarray(cv2.resize(picture, (width, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
    return Lost(stage, reason, video, frame, jpeg(small), "")


def _frame(path: Path, frame: int) -> NDArray[np.uint8] | None:
    """Return one frame of a file, the middle one of a whole file; None where there is no such frame."""
    count = frames.probe(path).frames
    place = numbering(path, count).places([frame]).get(frame) if frame >= 0 else count // 2
    read = () if place is None or place >= count else frames.read(path, [place])
    return next((picture for _, picture in read), None)
