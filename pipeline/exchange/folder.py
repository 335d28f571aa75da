"""Folder of an export: it is there whole or not at all, and nothing that another program wrote is ever replaced."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.files import refused, write_json

MARK = "export.json"  # in every folder that an export wrote: what it holds
PROGRAM = "forgery-prep export"


@contextlib.contextmanager
def whole(out: Path, about: Mapping[str, Any], overwrite: bool = False) -> Iterator[Path]:
    """Write a folder beside its place and move it there when the block ends well; else nothing is left of it.

    Parameters
    ----------
    out : Path
        Must not be there, or be empty, or be an earlier export that `overwrite` allows to replace.
    about : mapping
        Plain values that tell what the folder holds.
    overwrite : bool

    Yields
    ------
    Path
        The folder to write into.

    Raises
    ------
    ConfigError
        There is something at `out`, or at the place beside it, that may not be replaced.
    WriteError
        No space or no permission.
    """
    part, old = (out.with_name(f".{out.name}.{word}") for word in ("part", "old"))
    if out.exists() and not _empty(out) and not (overwrite and _ours(out)):
        what = "an earlier export; --overwrite replaces it" if _ours(out) else "not an export; choose another folder"
        raise ConfigError(f"{out} is there already and is {what}.")
    for left in (part, old):
        if left.exists() and not (_empty(left) or _ours(left)):
            raise ConfigError(f"{left} is there already and is not an export's; move it away.")
    try:
        for left in (part, old):  # of a process that was killed
            if left.exists():
                shutil.rmtree(left)
        part.mkdir(parents=True)
        write_json(part / MARK, {"program": PROGRAM, **about})
        yield part
        if out.exists():
            out.replace(old)
        part.replace(out)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise refused(str(out), error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _ours(folder: Path) -> bool:
    file = folder / MARK
    return file.is_file() and PROGRAM in file.read_text(encoding="utf-8", errors="replace")
