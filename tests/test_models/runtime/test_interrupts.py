"""Interrupts: the first is noted, the second ends the work at once, and the handlers of before come back."""

import os
import signal
import threading

import pytest

from models.runtime.interrupts import Interrupt, deferred


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_one_ends_the_work(number):
    before, interrupt = signal.getsignal(number), Interrupt()

    def work():
        with deferred(interrupt):
            os.kill(os.getpid(), number)
            assert interrupt.asked
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert signal.getsignal(number) is before


def test_other_threads_get_no_signals():
    done = []

    def work():
        with deferred(Interrupt()):
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done
