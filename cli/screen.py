"""Terminal output: progress bars or, without a terminal, a plain line now and then; errors in one sentence."""

import contextlib
import sys
import time
from collections.abc import Iterator

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pipeline.errors import ForgeryPrepError
from pipeline.progress import Advance

EVERY = 10.0  # seconds between two lines where there is no terminal
WRONG, INTERRUPTED = 2, 130  # exit statuses

# no markup, no emoji codes: paths and reasons may hold any character
out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


class Bars:
    """Progress on the standard error stream, so that results can be piped."""

    def say(self, text: str) -> None:
        """Tell one thing in a plain line."""
        err.print(text)

    @contextlib.contextmanager
    def stage(self, title: str, total: int) -> Iterator[Advance]:
        """Show one stage: a live bar on a terminal, else lines with rate and time left."""
        with _bar(title, total) if err.is_terminal else _lines(title, total) as advance:
            yield advance


@contextlib.contextmanager
def _bar(title: str, total: int) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description:<16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("[yellow]{task.fields[remark]}"),
    )
    with Progress(*columns, console=err) as progress:
        task = progress.add_task(title, total=total, remark="", rate="")

        def advance(steps: int, remark: str) -> None:
            progress.update(task, advance=steps, remark=remark, rate=_rate(progress.tasks[0].speed))

        yield advance


@contextlib.contextmanager
def _lines(title: str, total: int) -> Iterator[Advance]:
    start = last = time.monotonic()
    done = fresh = 0
    note = ""

    def advance(steps: int, remark: str) -> None:
        nonlocal last, done, fresh, note
        first = not done and not fresh
        done, note = done + steps, remark or note
        fresh += (
            0 if first and not remark and steps != 1 else steps
        )  # what an earlier run had done says nothing of speed
        now = time.monotonic()
        if now - last >= EVERY and done < total:
            last = now
            rate = fresh / (now - start)
            left = f", {(total - done) / rate:.0f} s left" if rate else ""
            err.print(f"{title}: {done} of {total}, {_rate(rate)}{left}{f', {note}' if note else ''}")

    yield advance
    if total:
        err.print(f"{title}: {done} of {total} in {time.monotonic() - start:.0f} s{f', {note}' if note else ''}")


def _rate(speed: float | None) -> str:
    return f"{speed:.1f}/s" if speed else ""


def run_app(app: typer.Typer, go_on: str = "run the same command again to go on") -> None:
    """Run a Typer application and leave with the exit status of the contract; `go_on` says what to do after Ctrl-C."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except SystemExit as leave:
        if leave.code == INTERRUPTED:
            err.print(f"Interrupted; {go_on}.")
        raise
    except ForgeryPrepError as error:
        if debug:
            raise
        _fail(str(error))
    except Exception as error:
        if debug:
            raise
        _fail(f"unexpected {type(error).__name__}: {error} (--debug shows where)")


def _fail(text: str) -> None:
    err.print(f"Error: {text}", markup=False)
    sys.exit(WRONG)
