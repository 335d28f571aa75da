"""Whoever works off a list of tasks: the processes of `stages.cluster`, threads of this process, or it alone."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol


@dataclass(frozen=True)
class Outcome:
    """Outcome of one task: its value, or why there is none."""

    number: int
    value: Any = None
    failure: str = ""


RunAll = Callable[[Callable[..., Any], Sequence[tuple[Any, ...]]], Iterable[Outcome]]  # such as the `map` of a crew


class Made(Sequence[tuple[Any, ...]]):
    """Tasks that are made when they are given out: those of a large store never stand in memory together.

    Parameters
    ----------
    make : callable
        Makes the task of a number.
    numbers : sequence of int
    """

    def __init__(self, make: Callable[[int], tuple[Any, ...]], numbers: Sequence[int]) -> None:
        self._make = make
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return Made(self._make, self._numbers[place])
        return self._make(self._numbers[place])


def one_by_one(function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]]) -> Iterator[Outcome]:
    """Call a function once per task in this process."""
    return (Outcome(number, function(*task)) for number, task in enumerate(tasks))


class Crew(Protocol):
    """Works off tasks, several at a time."""

    def map(self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]]) -> Iterator[Outcome]:
        """Call a function once per task, yielding outcomes as they come."""


@contextlib.contextmanager
def started_when_needed(start: Callable[[], contextlib.AbstractContextManager[Crew]]) -> Iterator[RunAll]:
    """Give the `map` of a crew that starts with its first task and ends with the block; without tasks, never."""
    with contextlib.ExitStack() as stack:
        crews: list[Crew] = []

        def run_all(function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]]) -> Iterable[Outcome]:
            if not tasks:
                return ()
            if not crews:
                crews.append(stack.enter_context(start()))
            return crews[0].map(function, tasks)

        yield run_all


class Threads:
    """Threads of this process: no start-up, for tasks that read, decode and hash, which compiled code does.

    Parameters
    ----------
    number : int
        Tasks at a time.
    """

    def __init__(self, number: int) -> None:
        self._number = number

    def map(self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]]) -> Iterator[Outcome]:
        """Call a function once per task, yielding outcomes as they come; an exception stops the rest."""
        waiting = iter(enumerate(tasks))
        with ThreadPoolExecutor(self._number) as pool:
            flying: dict[Future[Any], int] = {}
            while True:
                for number, task in islice(waiting, self._number + 1 - len(flying)):  # one more keeps all of them busy
                    flying[pool.submit(function, *task)] = number
                if not flying:
                    return
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    yield Outcome(flying.pop(future), future.result())
