"""Interrupts: Ctrl-C and SIGTERM noted, so that the work in hand is finished and saved before the run ends."""

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Interrupt:
    """Whether somebody asked the run to stop."""

    asked: bool = False


@contextlib.contextmanager
def deferred(interrupt: Interrupt) -> Iterator[None]:
    """Note the first SIGINT or SIGTERM in `interrupt`; a second one raises KeyboardInterrupt at once."""

    def note(number: int, frame: object) -> None:
        if interrupt.asked:
            raise KeyboardInterrupt
        interrupt.asked = True

    try:
        before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread, which alone gets signals
        before = {}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
