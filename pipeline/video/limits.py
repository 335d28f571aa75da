"""What is read at all, judged before anything is decoded: a header may ask for any amount of memory or time."""

import stat
from pathlib import Path

from pipeline.errors import DecodeError

PIXELS = 40_000_000  # of one picture: 8K has 33 million
IMAGE = 128 << 20  # bytes of one encoded image in an archive: 40 million pixels that are not compressed
HEADER = 1 << 20  # bytes of one header in an archive: a name, times
HELD = 512 << 20  # bytes of an archive's images in memory: its other folders, if they are more, are unpacked again
SEQUENCE = 1 << 30  # and of one folder's


def unpacked(packed: int) -> int:
    """Return how many bytes an archive of so many bytes may unpack to: images are packed already."""
    return max(1 << 30, 20 * packed)


def check_size(path: Path, width: int, height: int) -> None:
    """Refuse a picture or a video by the size that its header states.

    Raises
    ------
    DecodeError
        It has more than `PIXELS` pixels.
    """
    if width * height > PIXELS:
        raise too_large(path, f"{width} x {height}")


def too_large(path: Path, pixels: str = "far too many") -> DecodeError:
    """Return the error that says so."""
    most = f"more than {PIXELS // 1_000_000} million are not read"
    return DecodeError(f"{path} is of {pixels} pixels; {most}: scale it down.")


def check_regular(path: Path) -> None:
    """Refuse what is no file: a pipe or a device may never answer, or never end.

    A path that does not exist, or may not be looked at, passes: opening it says so.

    Raises
    ------
    DecodeError
        It is something else than a file or a folder.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise DecodeError(f"{path} is no regular file but {_kind(mode)}: it is not opened.")


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return kinds.get(stat.S_IFMT(mode), "something else")
