"""Threads that work off tasks: every outcome, few at a time, and the first error ends it."""

import contextlib
import threading
import time

import pytest

from pipeline.crew import Made, Threads, one_by_one, started_when_needed


def test_every_task_has_its_outcome_and_few_are_begun_ahead():
    begun: list[int] = []

    def square(number: int) -> int:
        begun.append(number)
        return number * number

    outcomes = Threads(2).map(square, [(number,) for number in range(40)])
    first = next(outcomes)
    assert len(begun) <= 4
    found = {outcome.number: outcome.value for outcome in [first, *outcomes]}
    assert found == {number: number * number for number in range(40)}
    assert list(Threads(2).map(square, [])) == []


def test_tasks_run_side_by_side():
    both = threading.Barrier(2, timeout=30)
    assert {outcome.value for outcome in Threads(2).map(lambda number: both.wait(), [(0,), (1,)])} == {0, 1}


def test_an_error_is_raised_and_the_rest_is_not_begun():
    begun: list[int] = []

    def fail(number: int) -> None:
        begun.append(number)
        time.sleep(0.01)
        raise LookupError(str(number))

    with pytest.raises(LookupError):
        list(Threads(2).map(fail, [(number,) for number in range(20)]))
    assert len(begun) <= 3


def test_a_crew_starts_with_its_first_task_and_ends_with_the_block():
    told: list[str] = []

    @contextlib.contextmanager
    def start():
        told.append("started")
        yield Threads(1)
        told.append("ended")

    with started_when_needed(start) as run_all:
        assert list(run_all(abs, [])) == []
        assert told == []
        assert [outcome.value for outcome in run_all(abs, [(-1,)])] == [1]
        assert [outcome.value for outcome in run_all(abs, [(-2,), (3,)])] == [2, 3]
        assert told == ["started"]
    assert told == ["started", "ended"]
    with started_when_needed(start):
        pass
    assert told == ["started", "ended"]


def test_tasks_are_made_when_they_are_given_out() -> None:
    made = []

    def make(number: int) -> tuple[int]:
        made.append(number)
        return (number,)

    tasks = Made(make, [4, 7, 9])
    outcomes = one_by_one(lambda number: number + 1, tasks)
    assert (len(tasks), made) == (3, [])
    assert (next(outcomes).value, made) == (5, [4])
    assert [outcome.value for outcome in outcomes] == [8, 10]
    assert list(tasks[1:]) == [(7,), (9,)]
