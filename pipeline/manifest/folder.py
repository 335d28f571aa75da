"""Listing of a dataset's folder, made once, and the files behind its names."""

import functools
import os
from pathlib import Path, PurePosixPath

from pipeline.video import stills

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})
MEDIA_SUFFIXES = VIDEO_SUFFIXES | stills.SUFFIXES


class Folder:
    """A dataset's root; every folder in it is listed at most once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names = functools.cache(self._names)
        self._spelling = functools.cache(self._spellings)

    def _names(self, folder: str) -> dict[str, bool]:
        """Return the names in a folder, sorted, each with whether it is a folder; hidden files are left out."""
        try:
            with os.scandir(self.root / folder) as entries:
                return {e.name: e.is_dir() for e in sorted(entries, key=lambda e: e.name) if not e.name.startswith(".")}
        except (FileNotFoundError, NotADirectoryError):
            return {}

    def _spellings(self, folder: str) -> dict[str, list[str]]:
        spelled: dict[str, list[str]] = {}
        for name in self.names(folder):
            spelled.setdefault(name.casefold(), []).append(name)
        return spelled

    def spellings(self, folder: str, name: str) -> list[str]:
        """Return the names in a folder that equal `name` but for case; `name` itself alone where it is there."""
        return [name] if name in self.names(folder) else self._spelling(folder).get(name.casefold(), [])

    def locate(self, path: str) -> str | None:
        """Return a path as it is spelled on disk, or None; another ending or a folder of frames serves for a video."""
        folder = ""
        *above, last = PurePosixPath(path).parts
        for level in above:
            found = self.spellings(folder, level)
            if not found:
                return None
            folder = join(folder, found[0])
        for name in (last, *(stem(last) + suffix for suffix in ("", *sorted(MEDIA_SUFFIXES)) if is_media(last))):
            if found := self.spellings(folder, name):
                return join(folder, found[0])
        return None


def there(path: Path) -> bool:
    """Tell whether something is at a path that somebody wrote down, which may be none that a system can have."""
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with a zero byte in it
        return False


def is_media(name: str) -> bool:
    """Say whether a name ends like a video or an image."""
    return PurePosixPath(name).suffix.lower() in MEDIA_SUFFIXES


def stem(path: str) -> str:
    """Return the last level of a path without the ending of a video, an image or an archive."""
    name = PurePosixPath(path).name
    if name.lower().endswith(".tar.gz"):
        return name[: -len(".tar.gz")]
    return PurePosixPath(name).stem if is_media(name) else name


def join(folder: str, name: str) -> str:
    """Return the path of a name in a folder; the root is the empty string."""
    return f"{folder}/{name}" if folder else name
