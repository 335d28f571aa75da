"""A watch over the files that a task has open: a decoder that hangs, or dies, is known by its file.

While a task is watched, a note on the disk names the files it has open; what a dead process leaves behind tells the
next one which of them to try by itself first (`trial`). A file from which nothing comes for `STALL` seconds ends the
process: a decoder that is stuck in native code hears of nothing else. Time that passes between two frames, in which the
caller does something with them, does not count.
"""

import contextlib
import faulthandler
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeVar

from pipeline.errors import DecodeError

STALL = 120.0  # seconds without a sign of life, after which a file is taken for stuck
FRAME = 1.0  # seconds that each frame may take, beyond those, on the average
FRESH = 10.0  # seconds for which a sign of life need not be told to the timer

Item = TypeVar("Item")


@dataclass(eq=False)
class _Watch:
    note: Path | None
    refused: Mapping[str, str]  # path -> reason
    timer: TextIO | None  # takes what the timer says; None where another thread has it
    opened: list[dict[str, Any]] = field(default_factory=list)
    running: bool = False  # the timer
    since: float = 0.0  # when it was started


_here = threading.local()  # its `watch` is this thread's
_timer = threading.Lock()  # there is one in a process


@contextlib.contextmanager
def watching(note: Path | None, refused: Mapping[str, str]) -> Iterator[None]:
    """Watch over every file that is read in a block.

    Parameters
    ----------
    note : Path, optional
        File that names what is open; it is gone when the block ends.
    refused : mapping of str to str
        Files that are not read, and why.
    """
    with contextlib.ExitStack() as stack:
        timer = None
        if _timer.acquire(blocking=False):
            stack.callback(_timer.release)
            timer = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
        if note:
            stack.callback(note.unlink, missing_ok=True)
        stack.callback(setattr, _here, "watch", _watch())
        _here.watch = _Watch(note, refused, timer)
        yield


def left_behind(note: Path) -> list[dict[str, Any]]:
    """Return what a process that died in a watched block had open: for each file `path`, `wanted` and `decoder`."""
    try:
        return list(json.loads(note.read_text(encoding="utf-8")))
    except (OSError, ValueError):  # none, or one that was not finished
        return []


def refusal(path: Path) -> str:
    """Return why a file is not read; empty where it is."""
    watch = _watch()
    return watch.refused.get(str(path), "") if watch else ""


@contextlib.contextmanager
def over(path: Path, wanted: Sequence[int] = (), decoder: str = "auto") -> Iterator[None]:
    """Watch over a file that is read in a block; raises DecodeError where it is refused."""
    if (watch := _watch()) is None:
        yield
        return
    if reason := watch.refused.get(str(path)):
        raise DecodeError(reason)
    about = {"path": str(path), "wanted": list(wanted), "decoder": decoder}
    watch.opened.append(about)
    _write(watch)
    running = watch.running
    _start(watch)
    try:
        yield
    finally:
        watch.opened.remove(about)
        if not running:
            _stop(watch)


def taking(path: Path, frames: Iterator[Item], wanted: Sequence[int], decoder: str) -> Iterator[Item]:
    """Give the wanted frames of a file, watching over it alone and not over what is done with them.

    Raises
    ------
    DecodeError
        The file is refused, or took longer than its length allows.
    """
    with over(path, wanted, decoder):
        watch, spent = _watch(), 0.0
        for place in [*wanted, -1]:
            begun = time.monotonic()
            if watch:
                _start(watch)
            frame = next(frames, None)
            if watch:
                _stop(watch)
            spent += time.monotonic() - begun
            if frame is None:
                return
            if spent > STALL + FRAME * (place + 1):
                raise DecodeError(f"{path} took {spent:.0f} seconds up to frame {place}, which is given up.")
            yield frame


def alive() -> None:
    """Tell that the file at hand gave something."""
    watch = _watch()
    if watch and watch.running and time.monotonic() - watch.since > FRESH:
        _start(watch)


def _watch() -> _Watch | None:
    return getattr(_here, "watch", None)


def _start(watch: _Watch) -> None:
    if watch.timer:
        faulthandler.dump_traceback_later(STALL, exit=True, file=watch.timer)
        watch.running, watch.since = True, time.monotonic()


def _stop(watch: _Watch) -> None:
    if watch.timer:
        faulthandler.cancel_dump_traceback_later()
        watch.running = False


def _write(watch: _Watch) -> None:
    if watch.note:
        with contextlib.suppress(OSError):  # a folder that cannot be written shows when the task is done
            watch.note.write_text(json.dumps(watch.opened), encoding="utf-8")
