"""Threads that work off tasks: every outcome, few at a time, and the first error ends it."""

import threading
import time

import pytest

from pipeline.crew import Threads


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
