"""`forgery-prep` that kills its whole process group once so many steps of a stage are done: STAGE STEPS ARGUMENTS..."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

import cli.prep
from pipeline.progress import Advance, Silent


class Deadly(Silent):
    """Progress that ends everything."""

    def __init__(self, stage: str, steps: int) -> None:
        self.fatal, self.steps = stage, steps

    @contextlib.contextmanager
    def stage(self, title: str, total: int) -> Iterator[Advance]:
        """Count steps; those of earlier runs come first, in one call."""
        done = 0

        def advance(steps: int, remark: str) -> None:
            nonlocal done
            done += steps
            if title == self.fatal and done >= self.steps:
                os.killpg(0, signal.SIGKILL)

        yield advance


if __name__ == "__main__":
    stage, steps = sys.argv[1], int(sys.argv[2])
    del sys.argv[1:3]
    cli.prep.Bars = lambda: Deadly(stage, steps)  # type: ignore[assignment,misc]
    cli.prep.main()
