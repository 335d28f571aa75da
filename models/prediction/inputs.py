"""Files to judge: named one by one, listed in a file, or found in folders."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError, first_line
from pipeline.manifest.folder import MEDIA_SUFFIXES
from pipeline.video import animations, archives, stills

SUFFIXES = MEDIA_SUFFIXES | animations.SUFFIXES


@dataclass(frozen=True)
class Input:
    """One file, or folder of frames, to judge; `problem` says why it cannot be."""

    path: Path
    problem: str = ""


def gather(paths: Sequence[Path], lists: Sequence[Path] = (), sequences: bool = False) -> list[Input]:
    """Find the files that some paths stand for.

    Parameters
    ----------
    paths : sequence of Path
        Videos and images, whatever their ending; folders, searched with all folders in them for videos and images;
        folders of frames in archives (`archive.tar.gz#folder`).
    lists : sequence of Path
        Text files that name more of them, one a line; relative ones start at the list's own folder.
    sequences : bool
        The images of one folder are the frames of one video, and not each a picture of its own.

    Returns
    -------
    list of Input
        In the order given, folders in natural order of their names; each file once. Hidden files and those of other
        endings are left out of folders. A path that leads nowhere, and a folder without any such file, says so.

    Raises
    ------
    ConfigError
        A list cannot be read, or nothing is named at all.
    """
    named = [*paths, *(path for file in lists for path in _listed(file))]
    if not named:
        raise ConfigError("There is nothing to judge: name videos, images or folders, or a --list of them.")
    found: dict[str, Input] = {}
    for each in (each for path in named for each in _meant(path, sequences)):
        found.setdefault(os.path.abspath(each.path), each)
    return list(found.values())


def _listed(file: Path) -> list[Path]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The list {file} cannot be read: {first_line(error)}.") from error
    return [file.parent / line.strip() for line in lines if line.strip()]


def _meant(path: Path, sequences: bool) -> list[Input]:
    if archives.split_path(path):
        there = archives.file_of(path).is_file()
        return [Input(path, "" if there else f"{archives.file_of(path)} does not exist.")]
    if not path.is_dir():
        return [Input(path, "" if path.exists() else f"{path} does not exist.")]
    found = [Input(each) for each in _inside(path, sequences)]
    return found or [Input(path, f"The folder {path} holds no video and no image.")]


def _inside(folder: Path, sequences: bool) -> list[Path]:
    """List the files to judge below a folder, in natural order."""
    found: list[Path] = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=archives.natural)
        media = [name for name in files if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")]
        pictures = [name for name in media if Path(name).suffix.lower() in stills.SUFFIXES]
        if sequences and pictures:
            found.append(Path(place))
            media = [name for name in media if name not in pictures]
        found += [Path(place) / name for name in sorted(media, key=archives.natural)]
    return found
