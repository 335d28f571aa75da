"""Folders of frames inside `.tar.gz` archives, addressed as `archive.tar.gz#folder`."""

import contextlib
import functools
import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DecodeError
from pipeline.video import stills

MARK = "#"
BROKEN = (OSError, EOFError, tarfile.TarError, zlib.error)  # what reading a damaged archive raises


def split_path(path: Path) -> tuple[Path, str] | None:
    """Return the archive's own path and the folder inside it, or None for a path that is in no archive."""
    archive, mark, folder = str(path).partition(".tar.gz" + MARK)
    return (Path(archive + ".tar.gz"), folder) if mark else None


def file_of(path: Path) -> Path:
    """Return the file or folder on disk that holds a path: its archive where it is in one."""
    inside = split_path(path)
    return inside[0] if inside else path


def folders(archive: Path) -> list[str]:
    """Return the folders of an archive that hold images, in natural order.

    Raises
    ------
    DecodeError
        The archive cannot be read to its end.
    """
    found = set()
    try:
        with _members(archive) as members:
            for member in members:
                if _is_image(member):
                    found.add(_folder(member.name))
    except BROKEN as error:
        raise DecodeError(f"{archive} cannot be unpacked: {error}.") from error
    return sorted(found, key=natural)


def names(path: Path) -> list[str]:
    """Return the names of the images that `images` returns, in the same order; raises DecodeError as that does."""
    return list(_images(path))


def images(path: Path) -> tuple[bytes, ...]:
    """Return the encoded images of one folder in an archive, in natural order of their names.

    Parameters
    ----------
    path : Path
        `archive.tar.gz#folder`, the folder one of `folders(archive)`.

    Returns
    -------
    tuple of bytes
        One still image each.

    Raises
    ------
    DecodeError
        The archive cannot be read to its end, or holds no such folder.
    """
    return tuple(_images(path).values())


def _images(path: Path) -> dict[str, bytes]:
    """Return the images of one folder in an archive by their names, in natural order."""
    inside = split_path(path)
    if inside is None:
        raise DecodeError(f"{path} is in no archive.")
    archive, folder = inside
    try:
        found = _unpacked(archive, archive.stat().st_mtime_ns).get(folder)
    except BROKEN as error:
        raise DecodeError(f"{archive} cannot be unpacked: {error}.") from error
    if found is None:
        raise DecodeError(f"{archive} holds no folder {folder} of images.")
    return found


def measure(path: Path) -> tuple[int, int, int]:
    """Return the number of frames of a folder in an archive and the width and height of the first.

    Raises
    ------
    DecodeError
        The archive cannot be read, holds no such folder, or its first frame is no image.
    """
    found = images(path)
    height, width, _ = stills.load(path, io.BytesIO(found[0])).shape
    return len(found), width, height


def read(path: Path, wanted: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield the index and RGB pixels, shape (H, W, 3), of the wanted frames of a folder in an archive.

    Raises
    ------
    DecodeError
        A wanted frame does not exist or cannot be read; those before it have been given.
    """
    found = images(path)
    for index in wanted:
        if index >= len(found):
            raise DecodeError(f"{path} has {len(found)} frames; frame {index} does not exist.")
        yield index, stills.load(path, io.BytesIO(found[index]))


@functools.lru_cache(maxsize=1)  # the sequences of one archive are read one after another
def _unpacked(archive: Path, modified: int) -> dict[str, dict[str, bytes]]:
    del modified  # part of the key alone
    found: dict[str, dict[str, bytes]] = {}
    with _members(archive) as members:
        for member in members:
            content = members.extractfile(member) if _is_image(member) else None
            if content is not None:
                found.setdefault(_folder(member.name), {})[PurePosixPath(member.name).name] = content.read()
    return {folder: {name: files[name] for name in sorted(files, key=natural)} for folder, files in found.items()}


def natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key under which `2.png` comes before `10.png`."""
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"(\d+)", name) if piece]


def _folder(name: str) -> str:
    return str(PurePosixPath(name).parent)


def _is_image(member: tarfile.TarInfo) -> bool:
    path = PurePosixPath(member.name)
    return member.isfile() and path.suffix.lower() in stills.SUFFIXES and not path.name.startswith(".")


@contextlib.contextmanager
def _members(archive: Path) -> Iterator[tarfile.TarFile]:
    """Open an archive for one pass; one that is cut off raises, which tarfile's own streams hide."""
    with gzip.open(archive) as stream:
        with tarfile.open(fileobj=stream, mode="r|") as members:
            yield members
        while stream.read(1 << 20):  # to the end, where the checksum is
            pass
