"""Work for worker processes: it has to be importable there."""

import os
import signal
import sys
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from pipeline.crop.groups import Group, index_group
from pipeline.store.lock import alone
from pipeline.video import frames, trial


def square(number: int) -> int:
    return number * number


def fail(number: int) -> int:
    raise LookupError(f"number {number}")


def fill_memory(number: int) -> int:
    raise MemoryError(number)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(number: int, fatal: int) -> int:
    """Kill the process that works on one of the numbers, always."""
    if number == fatal:
        die()
    return number


def die_once(number: int, fatal: int, mark: Path) -> int:
    """Kill the process that works on one of the numbers, the first time."""
    if number == fatal and not mark.exists():
        mark.touch()
        die()
    return number


def hang_at(number: int, fatal: int, pause: float = 0) -> int:
    """Never return for one of the numbers, and after a pause for the others."""
    time.sleep(pause)
    while number == fatal:
        time.sleep(0.05)
    return number


def threads() -> tuple[int, str]:
    """Return how many threads OpenCV uses in this process, and what OpenMP was told."""
    import cv2

    return cv2.getNumThreads(), os.environ["OMP_NUM_THREADS"]


def deaf() -> bool:
    """Tell whether this process has Ctrl-C blocked."""
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def hold(location: str, ready: Event) -> None:
    """Hold a store's lock until killed."""
    with alone(location):
        ready.set()
        time.sleep(600)


def index_or_die(group: Group, root: Path, *more: Any) -> tuple[int, int]:
    """Gather a group of videos, but die on the first one the first time and on the second one always."""
    mark = root.parent / "died-once"
    if group.number == 1 or (group.number == 0 and not mark.exists()):
        mark.touch()
        die()
    return index_group(group, root, *more)


DEADLY = "Warp/c40"  # videos whose decoder crashes


def make_deadly() -> None:
    """Have reading some videos kill this process, and others in which they are tried."""
    read = frames._frames

    def deadly(path: Path, *more: Any) -> Any:
        if DEADLY in path.as_posix():
            os.kill(os.getpid(), signal.SIGSEGV)
        yield from read(path, *more)

    frames._frames = deadly
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    trial.PROGRAM = "import tasks; tasks.make_deadly(); tasks.trial.attempt()"


def index_beside_deadly(group: Group, root: Path, *more: Any) -> tuple[int, int]:
    """Gather a group of videos some of which crash their decoder."""
    make_deadly()
    return index_group(group, root, *more)


def slow(number: int, seconds: float) -> str:
    """Take some time and return the working folder."""
    time.sleep(seconds)
    return os.getcwd()
