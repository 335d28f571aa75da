"""Staged results of one group of videos: crops as raw bytes, columns as `.npz`, moved into place in one atomic step."""

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.files import replacing
from pipeline.manifest import Video
from pipeline.registration.mapping import Followed, in_pixels, square
from pipeline.store.schema import IMAGE
from pipeline.store.writing import writing

CROPS, COLUMNS_FILE, ABOUT = "image.raw", "columns.npz", "about.json"  # files of one part
BLOCK = 2**26  # bytes; the allocator of C gives what is larger than half of it back at once
LENDER = "lender.txt"  # in the place of CROPS: the finished store in which they stay, `offset` counts its rows
COLUMNS: dict[str, tuple[Any, tuple[int, ...]]] = {  # of one part: type, and shape of one row
    "video": (np.int32, ()),  # counts in Part.sources
    "frame": (np.int32, ()),
    "track": (np.int32, ()),
    "offset": (np.int64, ()),  # counts crops in the file of crops
    "box": (np.float32, (4,)),
    "score": (np.float32, ()),
    "alignment": (np.float32, ()),
    "landmarks": (np.float32, (68, 2)),
}


def unplaced() -> NDArray[np.float32]:
    """Return the landmarks of a face in which none were found, or are not yet: NaN, of shape (68, 2)."""
    return np.full((68, 2), np.nan, np.float32)


@dataclass(frozen=True, eq=False)
class Row:
    """One cropped face: an entry of every column."""

    video: int
    frame: int
    track: int
    offset: int
    box: NDArray[np.float32]  # (4,), pixels of the row's own video
    score: float
    alignment: float
    landmarks: NDArray[np.float32] = field(default_factory=unplaced)  # (68, 2), crop pixels


@dataclass(frozen=True)
class Source:
    """A readable video with its measured properties."""

    video: Video
    frames: int  # presented frames; of a folder, those up to its last image, missing ones included
    width: int
    height: int
    sha256: str
    first: int = 0  # number, in the names of a folder's images, that is frame 0
    mask_first: int = 0  # the same of its mask
    mask_inverted: bool = False  # untouched pixels of its mask are white
    people: int = 0  # most faces that one sampled frame of the real shows; 0 where nobody looked
    chosen: str = ""  # with several people: how many are manipulated, and what decided
    prints: str = ""  # fingerprints of some frames, of a group's main video; from `video.likeness`
    turn: int = 0  # degrees clockwise by which frames are turned when they are read; width and height are those then
    followed: Followed | None = None  # of a fake: where moved, width and height are its real's

    @property
    def enlarged(self) -> float:
        """By how much the fake's own pixels are enlarged when its frames are moved into its real's."""
        if self.followed is None or not self.followed.moved:
            return 1.0
        move = in_pixels(square(self.followed.transform), self.followed.size, (self.width, self.height))
        return math.sqrt(abs(float(np.linalg.det(move))))

    def own(self, frame: int) -> int | None:
        """Return which of its own frames is read for a frame of its real; None where it has none."""
        own = frame if self.followed is None else self.followed.timing.shown_by(frame)
        return own if own is not None and 0 <= own < self.frames else None


@dataclass(frozen=True)
class Reject:
    """A requested frame, or with `frame` -1 a whole video, that is not in the store, and why."""

    video: Video
    frame: int
    stage: str
    reason: str
    rows: int = 1


@dataclass(frozen=True)
class Part:
    """Result of one group's task."""

    sources: tuple[Source, ...]
    rejects: tuple[Reject, ...]
    columns: dict[str, NDArray[Any]]


def as_columns(rows: Sequence[Row]) -> dict[str, NDArray[Any]]:
    """Return the columns of a part, each of shape (rows, *shape of `COLUMNS`); also for no rows."""
    return {
        name: np.asarray([getattr(row, name) for row in rows], dtype=kind).reshape(-1, *shape)
        for name, (kind, shape) in COLUMNS.items()
    }


@dataclass
class Crops:
    """Appends crops of one shape to a file, so that a long video never stands in memory."""

    file: BinaryIO
    count: int = 0
    shape: tuple[int, ...] = ()
    hash: Any = field(default_factory=hashlib.blake2b)

    def append(self, crop: NDArray[np.uint8]) -> int:
        """Write one crop of shape (size, size, 3) and return its offset, counted in crops."""
        values, self.shape = crop.tobytes(), crop.shape
        self.file.write(values)
        self.hash.update(values)
        self.count += 1
        return self.count - 1

    def read(self, offset: int) -> NDArray[np.uint8]:
        """Return a crop that was written."""
        self.file.flush()
        size = math.prod(self.shape)
        return np.frombuffer(os.pread(self.file.fileno(), size, offset * size), np.uint8).reshape(self.shape)


def part_path(folder: Path, number: int) -> Path:
    """Return the path of the part of one group."""
    return folder / f"{number:06d}"


@contextlib.contextmanager
def new_part(folder: Path, number: int) -> Iterator[tuple[Crops, list[Part]]]:
    """Collect one part and move it to its place when the block ends well.

    Yields
    ------
    crops : Crops
        Takes the crops.
    done : list
        Must hold exactly one Part when the block ends.
    """
    final = part_path(folder, number)
    # a task that was given up for dead may still run beside its second try: each has a draft of its own
    own = folder / f"draft-{number:06d}-{os.getpid()}"
    with writing(str(folder)), replacing(final, own) as draft:
        draft.mkdir()
        done: list[Part] = []
        with (draft / CROPS).open("w+b") as file:
            crops = Crops(file)
            yield crops, done
        (part,) = done
        _describe(draft, part, {CROPS: crops.hash.hexdigest()})


def lend_part(folder: Path, number: int, part: Part, lender: str) -> None:
    """Stage one part whose crops are those of a finished store: its column `offset` counts rows of that store."""
    final = part_path(folder, number)
    with writing(str(folder)), replacing(final, folder / f"draft-{number:06d}-{os.getpid()}") as draft:
        draft.mkdir()
        (draft / LENDER).write_text(lender, encoding="utf-8")
        _describe(draft, part, {LENDER: _digest(draft / LENDER)})


def _describe(draft: Path, part: Part, digests: dict[str, str]) -> None:
    """Write everything of a part but its crops; `digests` has theirs."""
    np.savez(draft / COLUMNS_FILE, **part.columns)  # type: ignore[arg-type]
    about: dict[str, Any] = {
        name: [dataclasses.asdict(item) for item in getattr(part, name)] for name in ("sources", "rejects")
    }
    about["digests"] = {**digests, COLUMNS_FILE: _digest(draft / COLUMNS_FILE)}
    (draft / ABOUT).write_text(json.dumps(about), encoding="utf-8")


def lender_of(folder: Path, number: int) -> str:
    """Return the finished store in which the crops of a part stay; empty where they are staged themselves."""
    file = part_path(folder, number) / LENDER
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, hashlib.blake2b).hexdigest()


def is_sound(folder: Path, number: int) -> bool:
    """Tell whether one part is there and holds what was written into it."""
    path = part_path(folder, number)
    try:
        about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
        whole = {COLUMNS_FILE, LENDER if (path / LENDER).exists() else CROPS} == about["digests"].keys()
        return whole and all(_digest(path / name) == digest for name, digest in about["digests"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def discard(folder: Path, number: int) -> None:
    """Delete one part, so that it is made again."""
    shutil.rmtree(part_path(folder, number), ignore_errors=True)


def note_failure(folder: Path, number: int, reason: str) -> None:
    """Remember that the task of one part could not finish."""
    with writing(str(folder)):
        _failure(folder, number).write_text(reason, encoding="utf-8")


def has_failed(folder: Path, number: int) -> bool:
    """Tell whether an earlier run could not finish one part."""
    return _failure(folder, number).exists()


def _failure(folder: Path, number: int) -> Path:
    return folder / f"failed-{number:06d}"


def note(folder: Path, number: int) -> Path:
    """Return the file that names what the task of one part has open."""
    return folder / f"open-{number:06d}.json"


def clean(folder: Path) -> None:
    """Delete what a killed run left behind: drafts, and notes of what its tasks had open, who died with it alone."""
    for draft in folder.glob("draft-*"):
        shutil.rmtree(draft, ignore_errors=True)
    for left in folder.glob("open-*.json"):
        if not has_failed(folder, int(left.stem.removeprefix("open-"))):
            left.unlink(missing_ok=True)


def read_part(folder: Path, number: int) -> Part:
    """Read one part, without its crops."""
    path = part_path(folder, number)
    about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
    with np.load(path / COLUMNS_FILE) as columns:
        return Part(
            sources=tuple(map(source_from, about["sources"])),
            rejects=tuple(Reject(**{**reject, "video": Video(**reject["video"])}) for reject in about["rejects"]),
            columns={name: columns[name] for name in COLUMNS},
        )


def in_blocks(parts: Iterable[Part]) -> list[Part]:
    """Return all parts, the landmarks of neighbours laid into one block of memory.

    A block goes back to the system when they are taken out of the parts; many small arrays would not.
    """
    found: list[Part] = []
    first = size = 0
    for part in parts:
        found.append(part)
        size += part.columns["landmarks"].nbytes
        if size >= BLOCK:
            _join(found[first:])
            first, size = len(found), 0
    return found


def _join(parts: Sequence[Part]) -> None:
    joined = np.concatenate([part.columns["landmarks"] for part in parts])
    ends = np.cumsum([len(part.columns["landmarks"]) for part in parts])
    for part, values in zip(parts, np.split(joined, ends[:-1]), strict=True):
        part.columns["landmarks"] = values


def source_from(about: dict[str, Any]) -> Source:
    """Return the source that plain values, as of `dataclasses.asdict`, describe."""
    followed: dict[str, Any] | None = about.get("followed")
    if followed:
        followed = {name: tuple(value) if isinstance(value, list) else value for name, value in followed.items()}
    return Source(**{**about, "video": Video(**about["video"]), "followed": followed and Followed(**followed)})


def read_crops(folder: Path, number: int, offsets: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    """Read crops of one part by their offsets.

    Returns
    -------
    ndarray of shape (len(offsets), size, size, 3), uint8
        RGB.
    """
    if lender := lender_of(folder, number):
        return np.asarray(store.gather(store.array_of(store.open_group(lender), IMAGE.name), offsets), np.uint8)
    crops = np.memmap(part_path(folder, number) / CROPS, dtype=np.uint8, mode="r").reshape(-1, size, size, 3)
    return np.asarray(crops[offsets])
