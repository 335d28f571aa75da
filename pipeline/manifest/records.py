"""Records of a dataset and its videos, and the reserved names of methods and compressions."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.exclusions import Exclusion

REAL = "real"  # the method of a real video
NATIVE = "native"  # the compression of data that declares none
COMPRESSIONS = ("raw", "c23", "c40", NATIVE)  # least compressed first


@dataclass(frozen=True)
class Video:
    """One file of a dataset: a video, a still image or a folder of frames.

    `id`, `method` and `compression` together name it; the compressions of one video share their id.
    """

    id: str
    path: str  # relative to the dataset's root, with forward slashes; `archive.tar.gz#folder` inside an archive
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
    lost: frozenset[str] = frozenset()  # paths of `missing` whose rows are missing too: videos, not masks
    exclude: tuple[Exclusion, ...] = ()  # faces and files that are not used

    @property
    def methods(self) -> tuple[str, ...]:
        """REAL first, then the manipulations that occur: the manifest's order, then others by name."""
        return ordered_methods(self.manifest, {video.method for video in self.videos})

    @property
    def cropped(self) -> bool:
        """Whether the images are face crops already, to be used whole."""
        return bool(self.manifest.get("cropped", False))

    @property
    def compressions(self) -> tuple[str, ...]:
        """The amounts of compression that occur, the least first."""
        found = {video.compression for video in self.videos}
        return tuple(name for name in COMPRESSIONS if name in found)

    def exclusions_of(self, videos: Iterable[Video]) -> tuple[Exclusion, ...]:
        """Return the exclusions that name some of its files."""
        paths = {video.path for video in videos}
        return tuple(line for line in self.exclude if line.video in paths)


@dataclass(frozen=True)
class Entry:
    """One file as a reader found it, before pairing and splitting."""

    path: str  # as Video.path
    role: str  # real, fake or mask
    id: str
    method: str = REAL
    compression: str = NATIVE
    identity: str = ""  # "" for a fake: its target's
    targets: tuple[str, ...] = ()  # ids its real may have, the best guess first; `*` stands for anything
    donor: str = ""
    split: str = ""  # what the data themselves say, in their own words
    mask: str | None = None  # named by the data, not yet looked for


class Missing(NamedTuple):
    """A file that should be there."""

    path: str
    reason: str
    target: str = ""  # id of the real video it goes with, where that is known
    # file; listed: named by a list of the dataset; mask; pair: the file is here and kept, its real video is not
    kind: str = "file"


@dataclass
class Findings:
    """Remarks of the readers beside the entries; readers append to it."""

    problems: list[str] = field(default_factory=list)  # stop a run
    notes: list[str] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    deviations: dict[str, str] = field(default_factory=dict)  # (name on disk) -> (name it is read as)
    strangers: list[str] = field(default_factory=list)  # videos and images whose names fit no pattern


def ordered_methods(manifest: dict[str, Any], found: set[str]) -> tuple[str, ...]:
    """Return REAL and the found methods, the manifest's in its order before all others by name."""
    listed = [name for name in manifest.get("methods", []) if name in found]
    return (REAL, *listed, *sorted(found - set(listed) - {REAL}))
