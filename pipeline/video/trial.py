"""A file that a process died with is tried in a process of its own before it is opened again."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import SourceError
from pipeline.video import checksum, frames, watch

PROGRAM = "from pipeline.video import trial; trial.attempt()"
BEGUN, READ = "begun", "read"  # what it says: it runs; the file's bytes came
STUCK, MEMORY = 1, 98  # its exit states: ended by the watch; memory was refused
CRASHES = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS"})


def judge(about: Mapping[str, Any]) -> str:
    """Read a file in a process of its own, as it was read when another process died.

    Parameters
    ----------
    about : mapping
        One of `watch.left_behind`.

    Returns
    -------
    str
        Why it must not be opened again, in one sentence; empty where it is not to blame.

    Raises
    ------
    SourceError
        Its bytes do not come: its disk or server is to blame.
    MemoryError
        It, or the whole machine, lacks memory.
    """
    path, program = about["path"], [sys.executable, "-c", PROGRAM]
    done = subprocess.run(program, input=json.dumps(dict(about)), capture_output=True, text=True, check=False)
    stuck = done.returncode == STUCK and BEGUN in done.stdout
    if stuck and READ not in done.stdout:
        raise SourceError(
            f"{path} does not answer: nothing came for {watch.STALL:.0f} seconds. All that is finished is kept: bring "
            "its disk or server back and run the same command again."
        )
    if stuck:
        return f"{path} hangs its decoder: nothing came for {watch.STALL:.0f} seconds, tried alone as well."
    name = signal.Signals(-done.returncode).name if done.returncode < 0 else ""
    if name in CRASHES:
        return f"{path} crashes its decoder ({name}), tried alone as well."
    if name == "SIGKILL" or done.returncode == MEMORY:
        raise MemoryError
    return ""


def attempt() -> None:
    """Read a file as standard input says; how the process ends tells `judge` what came of it."""
    about = json.loads(sys.stdin.read())
    path = Path(about["path"])
    _say(BEGUN)
    try:
        with watch.watching(None, {}):
            checksum.sha256(path)
            _say(READ)
            frames.probe(path)
            for _ in frames.read(path, about["wanted"], about["decoder"]):
                pass
    except OSError:
        pass  # a DecodeError, most often: no process dies of what is said in words
    except MemoryError:
        sys.exit(MEMORY)


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()
