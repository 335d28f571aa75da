"""Files and folders that are there whole or not at all, also after a crash of the machine."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import WriteError, first_line


@contextlib.contextmanager
def replacing(path: Path, part: Path | None = None) -> Iterator[Path]:
    """Write a file or a folder beside its place and move it there when the block ends well.

    What was there before stays until then; when the block fails nothing is left. The bytes are on the disk before the
    name is, so that not even a power cut leaves the name with half of them.

    Parameters
    ----------
    path : Path
        Where it belongs; its folder is made. A file replaces what is there; a folder that is there already stays.
    part : Path, optional
        Where it is written until then, in the same folder. Two processes that may write the same `path` at once each
        need one of their own.

    Yields
    ------
    Path
        The place to write: nothing is there, or what a killed process left of the same file.
    """
    part = part or path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        for file in (*part.rglob("*"), part):
            flush(file)
        _move(part, path)
        flush(path.parent)
    finally:
        with contextlib.suppress(OSError):  # after the move nothing is there; a folder may refuse to be changed
            if part.is_dir():
                shutil.rmtree(part)
            else:
                part.unlink(missing_ok=True)


def _move(part: Path, path: Path) -> None:
    try:
        part.replace(path)
    except OSError:
        if not (part.is_dir() and path.is_dir()):
            raise  # else another process made the same folder meanwhile: it is whole


def write_json(path: Path, values: Any) -> None:
    """Write plain values as a JSON file that is there whole or not at all.

    Raises
    ------
    WriteError
        The folder cannot be made or written.
    ValueError
        A value is NaN or infinite, which JSON cannot express.
    """
    text = json.dumps(values, indent=2, allow_nan=False) + "\n"
    try:
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise refused(str(path), error) from error


def refused(location: str, error: BaseException) -> WriteError:
    """Return the error, in one clear sentence, for a place that the system refuses to write."""
    return WriteError(
        f"{location} cannot be written ({first_line(error)}); make room or choose another place, "
        "then run the same command again: it goes on where it stopped."
    )


def flush(path: Path) -> None:
    """Have the system write a file's bytes, or a folder's names, to the disk."""
    if path.is_dir():
        with contextlib.suppress(OSError):  # some systems keep no folder open, and need no flush
            _flush_open(os.open(path, os.O_RDONLY))
    else:
        _flush_open(os.open(path, os.O_RDWR))


def _flush_open(number: int) -> None:
    try:
        os.fsync(number)
    finally:
        os.close(number)
