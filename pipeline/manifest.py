"""Read `manifests/*.toml` and a dataset's folder: which videos there are, and what each was made from."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SPLITS = ("train", "val", "test")
REAL = "real"  # the method of a real video
NATIVE = "native"  # the compression of data that declares none


@dataclass(frozen=True)
class Video:
    """One file of a dataset: a video, a still image or a folder of frames.

    `id`, `method` and `compression` together name it; the compressions of one video share their id.
    """

    id: str
    path: str  # relative to the dataset's root, with forward slashes
    method: str  # REAL, or the manipulation's name
    compression: str  # raw, c23, c40 or NATIVE
    split: str  # one of SPLITS
    identity: str  # the person whose video it is (for a fake: the target's)
    target: str  # id of the real video it was made from; own id for a real; "" when not known
    donor: str = ""  # whose face or expression was put in, in the dataset's own words
    mask: str | None = None  # path of the mask video, still or folder, relative to the root


@dataclass(frozen=True)
class Dataset:
    """Every usable file of one dataset, in a fixed order, and what is worth saying about it."""

    name: str
    root: Path
    videos: tuple[Video, ...]
    manifest: dict[str, Any]  # the TOML file as plain values
    notes: tuple[str, ...] = field(default=())  # leaks of official splits and the like: reported, not fatal
    missing: tuple[tuple[str, str], ...] = field(default=())  # (path, reason) of files that should be there
