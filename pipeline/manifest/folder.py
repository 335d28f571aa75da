"""Listing of a dataset's folder, made once, and the files behind its names."""

import functools
import os
from pathlib import Path, PurePosixPath

from pipeline.video import stills

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})
HEIF_SUFFIXES = frozenset({".heic", ".heif"})  # read as videos are: one picture, or, in tiles, a refusal
MEDIA_SUFFIXES = VIDEO_SUFFIXES | HEIF_SUFFIXES | stills.SUFFIXES
DEPTH = 12  # folders in folders that are looked into for `**`: a link to a folder above ends there


class Folder:
    """A dataset's root; every folder in it is listed at most once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names = functools.cache(self._names)
        self._spelling = functools.cache(self._spellings)
        self._index = functools.cache(self._indexed)

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

    def _indexed(self, top: str) -> dict[str, list[str]]:
        """List everything below a folder by its name without ending, in lower case."""
        found: dict[str, list[str]] = {}
        inside = [(top, 0)]
        while inside:
            here, depth = inside.pop()
            for name, is_folder in self.names(here).items():
                path = join(here, name)
                found.setdefault(stem(name).casefold(), []).append(path)
                if is_folder and depth < DEPTH:
                    inside.append((path, depth + 1))
        return found

    def below(self, top: str, name: str) -> list[str]:
        """Return the paths of a name at any depth below a folder, sorted; a video's or image's under any ending.

        Folders of frames count where there is no file of that name.
        """
        known = self._index(top).get(stem(name).casefold(), [])
        if not is_media(name):
            return sorted(path for path in known if PurePosixPath(path).name.casefold() == name.casefold())
        files = [path for path in known if is_media(path)]
        return sorted(files or known)

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
