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

from pipeline.errors import DecodeError, first_line
from pipeline.video import limits, stills, watch

MARK = "#"
BROKEN = (OSError, EOFError, ValueError, tarfile.TarError, zlib.error)  # what reading a damaged archive raises


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
    with _unpacking(archive) as members:
        found = {_folder(member.name) for member in members.each() if _is_image(member)}
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
        modified = archive.stat().st_mtime_ns
    except OSError as error:
        raise DecodeError(f"{archive} cannot be unpacked: {first_line(error)}.") from error
    held = _held(archive, modified)
    found = _folder_alone(archive, modified, folder) if held is None else held.get(folder)
    if not found:
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
def _held(archive: Path, modified: int) -> dict[str, dict[str, bytes]] | None:
    """Return an archive's images by folder and name; None where that is more than is held in memory."""
    del modified  # part of the key alone
    found: dict[str, dict[str, bytes]] = {}
    total = 0
    with _unpacking(archive) as members:
        for folder, name, content in _contents(members):
            total += len(content)
            if total > limits.HELD:
                return None
            found.setdefault(folder, {})[name] = content
    return {folder: _in_order(files) for folder, files in found.items()}


@functools.lru_cache(maxsize=1)
def _folder_alone(archive: Path, modified: int, wanted: str) -> dict[str, bytes]:
    """Return the images of one folder of an archive, by name."""
    del modified
    found: dict[str, bytes] = {}
    with _unpacking(archive) as members:
        for _, name, content in _contents(members, wanted):
            found[name] = content
            if sum(map(len, found.values())) > limits.SEQUENCE:
                raise tarfile.ReadError(f"its folder {wanted} holds more than {limits.SEQUENCE >> 20} MiB")
    return _in_order(found)


def _in_order(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: files[name] for name in sorted(files, key=natural)}


def _contents(members: "_Archive", wanted: str | None = None) -> Iterator[tuple[str, str, bytes]]:
    """Give folder, name and bytes of every image, or of those in one folder."""
    for member in members.each():
        folder = _folder(member.name)
        if not _is_image(member) or wanted not in (None, folder):
            continue
        if member.size > limits.IMAGE:
            raise tarfile.ReadError(f"{member.name} is of {member.size >> 20} MiB, which no image is")
        if content := members.extractfile(member):
            yield folder, PurePosixPath(member.name).name, content.read()


def natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key under which `2.png` comes before `10.png`."""
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"(\d+)", name) if piece]


def _folder(name: str) -> str:
    return str(PurePosixPath(name).parent)


def _is_image(member: tarfile.TarInfo) -> bool:
    path = PurePosixPath(member.name)
    return member.isfile() and path.suffix.lower() in stills.SUFFIXES and not path.name.startswith(".")


@contextlib.contextmanager
def _unpacking(archive: Path) -> Iterator["_Archive"]:
    """Open an archive for one pass; one that is cut off raises, which tarfile's own streams hide.

    Raises
    ------
    DecodeError
        It cannot be read to its end, or holds more than an archive of images would.
    """
    limits.check_regular(archive)
    try:
        with gzip.open(archive) as stream:
            most = limits.unpacked(archive.stat().st_size)
            bounded = _Bounded(stream, most)
            with _Archive.open(fileobj=bounded, mode="r|", tarinfo=_Member) as members:
                members.most = most
                yield members
            while bounded.read(1 << 20):  # to the end, where the checksum is
                pass
    except BROKEN as error:
        raise DecodeError(f"{archive} cannot be unpacked: {first_line(error)}.") from error


class _Archive(tarfile.TarFile):
    """An archive of which each file is looked at once."""

    most = 0  # bytes that it may unpack to

    def each(self) -> Iterator[tarfile.TarInfo]:
        """Give what it says of each file."""
        while (member := self.next()) is not None:
            if member.size > self.most:  # tarfile would count its way there, for hours
                raise tarfile.ReadError(f"{member.name} is of {member.size >> 20} MiB, which cannot be")
            yield member
            self.members: list[tarfile.TarInfo] = []  # else what is known of millions of files stays in memory


class _Bounded(io.RawIOBase):
    """A stream that ends with an error after so many bytes."""

    def __init__(self, stream: gzip.GzipFile, limit: int) -> None:
        self.stream, self.limit, self.given = stream, limit, 0

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes."""
        found = self.stream.read(size)
        watch.alive()
        self.given += len(found)
        if self.given > self.limit:
            raise tarfile.ReadError(f"it unpacks to more than {self.limit >> 20} MiB")
        return found


class _Member(tarfile.TarInfo):
    """What an archive says of a file; headers that are larger than any name are refused before they are read."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Member":
        """Read one header."""
        member = super().frombuf(buf, encoding, errors)
        if not member.isreg() and member.size > limits.HEADER:
            raise tarfile.ReadError(f"a header in it is of {member.size} bytes")
        return member
