"""Progress reports of long work."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

Advance = Callable[[int, str], None]  # (steps done, short remark such as the rejects so far)


class Progress(Protocol):
    """Shows one stage at a time."""

    def stage(self, title: str, total: int) -> AbstractContextManager[Advance]:
        """Open a stage of `total` steps; the value is called after each."""

    def say(self, text: str) -> None:
        """Tell one thing in a plain line."""


class Silent:
    """Shows nothing: for calls from a program."""

    @contextlib.contextmanager
    def stage(self, title: str, total: int) -> Iterator[Advance]:
        """Open a stage that nobody sees."""
        yield lambda steps, remark: None

    def say(self, text: str) -> None:
        """Keep quiet."""


class Checked:
    """Shows what another shows, and checks at every step that the work may go on."""

    def __init__(self, shown: Progress, check: Callable[[], None]) -> None:
        self._shown = shown
        self._check = check

    @contextlib.contextmanager
    def stage(self, title: str, total: int) -> Iterator[Advance]:
        """Open a stage whose every step raises what the check raises."""
        self._check()
        with self._shown.stage(title, total) as advance:

            def step(steps: int, remark: str) -> None:
                self._check()
                advance(steps, remark)

            yield step

    def say(self, text: str) -> None:
        """Tell one thing in a plain line."""
        self._shown.say(text)
