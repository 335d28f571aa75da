"""Dask: a local cluster of single-threaded processes and a map over it with progress. The only importer of dask."""

import contextlib
import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import CancelledError
from multiprocessing import resource_tracker
from typing import Any

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, Reschedule, wait
from distributed.client import FuturesCancelledError
from distributed.diagnostics.plugin import WorkerPlugin

from pipeline.crew import Outcome
from pipeline.errors import ForgeryPrepError, first_line
from pipeline.stages.needs import Needs, fit, look

# glibc must keep its large blocks: with the nanny's own trim setting every crop is paged in anew, 1.4 times the time
WORKER_ENVIRONMENT = {
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
SETTINGS = {
    "distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT,
    "distributed.scheduler.allowed-failures": 1,
    "distributed.worker.memory.terminate": False,  # a task is small; the system's own limit decides
    "distributed.comm.timeouts.connect": "60s",
    "distributed.admin.log-format": "%(message)s",
}
DEADLINE = 3600.0  # seconds for one task: decoders have been seen to hang for ever in native code
POLL = 1.0
PATIENCE = 30.0  # seconds for a process to start again, or for a worker to join
LEAVING = 0.5  # seconds that a worker without what it needs waits before it gives a task back
CLOSING = 30.0  # seconds for the processes to stop at the end
LOST = (CancelledError, FuturesCancelledError, OSError)  # what calls raise once the scheduler is gone


class Workers:
    """A running cluster; `map` is all the rest of the project knows of Dask."""

    def __init__(
        self,
        client: Client,
        local: LocalCluster | None = None,
        wanted: Needs | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._client = client
        self._local = local
        self._needs = wanted
        self._say = say or (lambda _: None)
        self._known: set[str] = set()  # addresses of workers that were looked at
        self._wanted = len(local.worker_spec) if local else 0  # processes
        self._complete = time.monotonic()  # when all of them were last seen
        self._served = time.monotonic()  # when a worker was last there, or its lack was told

    def map(
        self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], deadline: float = DEADLINE
    ) -> Iterator[Outcome]:
        """Call a function once per task, yielding outcomes as they come.

        A task that outlives its deadline, whose process dies each time, or that lacks memory has a failure for an
        outcome. Any other exception of the function itself is raised here and stops the rest. As many tasks are given
        out as the workers there are at the time can take; one that joins and lacks what it needs is sent away.

        Parameters
        ----------
        function : callable
            Importable by its name: it is sent to the processes.
        tasks : sequence of tuple
            Its arguments, one tuple a task.
        deadline : float
            Seconds.

        Raises
        ------
        ForgeryPrepError
            The scheduler is gone.
        """
        waiting = deque(range(len(tasks)))
        suspects: deque[int] = deque()
        tried: set[int] = set()
        flying: dict[Future, int] = {}
        try:
            while waiting or suspects or flying:
                with self.scheduler_there():
                    sound = len(self._sound())
                    slots = 2 * max(1, self._wanted, sound)
                self._tell_of_none(sound)
                # a dead process is blamed on every task it had been given: a suspect is tried again alone
                while (waiting and len(flying) < slots) or (suspects and not flying):
                    number = (waiting or suspects).popleft()
                    flying[self._client.submit(_call, self._needs, function, *tasks[number], pure=False)] = number
                with self.scheduler_there(), contextlib.suppress(TimeoutError):
                    wait(list(flying), timeout=POLL, return_when="FIRST_COMPLETED")
                for future in [future for future in flying if future.done()]:
                    with self.scheduler_there():
                        error = future.exception()
                    outcome = _outcome(future, flying.pop(future), error)
                    if outcome.failure and outcome.number not in tried:
                        tried.add(outcome.number)
                        suspects.append(outcome.number)
                    else:
                        yield outcome
                with self.scheduler_there():
                    late = self._overdue(flying, deadline)
                for future in late:
                    failure = f"took longer than {deadline:.0f} seconds and was stopped"
                    yield Outcome(flying.pop(future), failure=failure)
                with self.scheduler_there():
                    self._replace_lost()
        finally:
            with contextlib.suppress(*LOST):
                self._client.cancel(list(flying), force=True)

    def check(self) -> None:
        """Refuse workers that lack what they need.

        Raises
        ------
        ForgeryPrepError
            The sentence names the worker and what it lacks.
        """
        addresses = self._addresses()
        self._known |= addresses
        for address, lack in self._lacks(addresses).items():
            raise ForgeryPrepError(
                f"The worker {address} cannot take part: {lack}. Nothing was begun: see to it, or stop that worker."
            )

    def _addresses(self) -> set[str]:
        return set(self._client.scheduler_info(n_workers=-1)["workers"])

    def _sound(self) -> set[str]:
        """Return the workers there are, having sent away those that are new and lack something."""
        addresses = self._addresses()
        if self._needs is None or addresses <= self._known:
            return addresses
        lacks = self._lacks(addresses - self._known)
        self._known |= addresses
        for address, lack in lacks.items():
            self._say(f"The worker {address} joined and is sent away: {lack}.")
            self._client.retire_workers([address])
        return addresses - set(lacks)

    def _tell_of_none(self, workers: int) -> None:
        """Say from time to time that nothing happens because no worker is there, and go on waiting for one."""
        now = time.monotonic()
        if workers:
            self._served = now
        elif now - self._served > PATIENCE:
            self._say("No worker is there that can take part; waiting for one to join.")
            self._served = now

    def _lacks(self, addresses: Collection[str]) -> dict[str, str]:
        """Return for each worker that lacks something what it is."""
        if self._needs is None or not addresses:
            return {}
        found = self._client.run(look, self._needs, workers=list(addresses), on_error="return")
        # a worker that does not answer, because it is starting again, lacks nothing; one that cannot import this does
        said = {
            where: first_line(lack) if isinstance(lack, ImportError) else lack
            for where, lack in found.items()
            if isinstance(lack, str | ImportError)
        }
        return {address: lack for address, lack in said.items() if lack}

    @contextlib.contextmanager
    def scheduler_there(self) -> Iterator[None]:
        """Say in one sentence that the scheduler is gone."""
        try:
            yield
        except LOST as error:
            raise ForgeryPrepError(
                f"The Dask scheduler at {self._client.scheduler.address} is gone. All that is finished is kept: start "
                "a scheduler and run the same command again."
            ) from error

    def _running(self) -> int:
        return len(self._addresses())

    def _replace_lost(self) -> None:
        """Start processes in place of those that stay away: a nanny gives up on one that dies while it starts."""
        lost = self._wanted - self._running()
        if lost <= 0:
            self._complete = time.monotonic()
        elif self._local and time.monotonic() - self._complete > PATIENCE:
            self._local.scale(len(self._local.worker_spec) + lost)
            self._complete = time.monotonic()

    def _overdue(self, flying: dict[Future, int], deadline: float) -> list[Future]:
        """Stop the tasks that run for longer than the deadline, not those that wait behind them."""
        late = []
        for worker, running in self._client.run_on_scheduler(_running_tasks()).items():
            for future in flying:
                if running.get(future.key, 0) > deadline:
                    late.append(future)
                    self._client.cancel([future], force=True)
                    self._client.run(_kill, workers=[worker], nanny=True, on_error="ignore")
        return late


def _running_tasks() -> Callable[..., dict[str, dict[Any, float]]]:
    """Return a function for the scheduler that gives, by worker, each running task's seconds as the worker told them.

    The order in which tasks were given to a worker does not tell which of them runs: one that was taken from another
    worker may overtake. A process too stuck to tell anything is given up by the scheduler after some minutes.
    """

    def look(dask_scheduler: Any) -> dict[str, dict[Any, float]]:  # nested: an existing scheduler lacks this module
        return {
            address: {task.key: seconds for task, seconds in worker.executing.items()}
            for address, worker in dask_scheduler.workers.items()
        }

    return look


def _kill(dask_worker: Any) -> None:
    """Kill the process of a nanny, which starts another: one that hangs in native code hears of nothing else."""
    os.kill(dask_worker.pid, signal.SIGKILL)


@contextlib.contextmanager
def cluster(
    workers: int,
    scheduler: str | None = None,
    wanted: Needs | None = None,
    say: Callable[[str], None] | None = None,
) -> Iterator[Workers]:
    """Start worker processes, or join a running scheduler, and stop them at the end.

    Parameters
    ----------
    workers : int
        Processes, one thread each.
    scheduler : str, optional
        Address of an existing Dask scheduler, such as `tcp://host:8786`.
    wanted : Needs, optional
        What the workers of that scheduler must have.
    say : callable, optional
        Told of workers that join and are sent away.

    Raises
    ------
    ForgeryPrepError
        No scheduler answers there, or one of its workers lacks something.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(SETTINGS))
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # a lost worker is told by the outcome
        local = None
        if scheduler:
            try:
                client = stack.enter_context(Client(scheduler, timeout=10))
            except OSError as error:
                raise ForgeryPrepError(f"No Dask scheduler answers at {scheduler}: {error}.") from error
        else:
            with _interrupts_put_off():
                local = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    dashboard_address="127.0.0.1:0",  # any free port: another run may have the usual one
                    silence_logs=logging.CRITICAL,
                )
                stack.callback(_stop, local)
                client = stack.enter_context(Client(local))
        crew = Workers(client, local, wanted if scheduler else None, say)
        with crew.scheduler_there():
            crew.check()  # first: a worker without this project could not load the plugin either
            client.register_plugin(SingleThread())
        yield crew


def _stop(local: LocalCluster) -> None:
    """Stop the processes of a cluster, whose own way to do so may wait for ever for one that died as it started."""
    try:
        local.close(timeout=CLOSING)
    except TimeoutError:
        for nanny in local.workers.values():
            if nanny.pid:
                os.kill(nanny.pid, signal.SIGKILL)


@contextlib.contextmanager
def _interrupts_put_off() -> Iterator[None]:
    """Hear Ctrl-C only once the processes run; whatever starts meanwhile is deaf to it for good.

    A terminal sends it to every process, but the first one tells the others to stop; and Dask cannot stop processes
    that are still starting without a page of errors.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    usual = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))  # another thread may be hit
    resource_tracker.ensure_running()  # started by the first process, it would unblock the signal
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # threads and processes inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, usual)
    if caught:
        signal.raise_signal(signal.SIGINT)


def _call(wanted: Needs | None, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function on a worker; an error of ours leaves its causes behind.

    Exceptions of compiled libraries cannot be sent, and would turn the error that names them into one without a type.
    A worker that lacks something gives the task back: it has joined a moment ago and is about to be sent away.
    """
    if wanted is not None and not fit(wanted):
        time.sleep(LEAVING)
        raise Reschedule
    try:
        return function(*arguments)
    except ForgeryPrepError as error:
        ours = error
    ours.__cause__ = ours.__context__ = None
    raise ours


def _outcome(future: Future, number: int, error: BaseException | None) -> Outcome:
    if error is None:
        return Outcome(number, value=future.result())
    if isinstance(error, KilledWorker):
        return Outcome(number, failure="the process working on it died each time")
    if isinstance(error, MemoryError):
        return Outcome(number, failure="it needs more memory than there is")
    raise error


class SingleThread(WorkerPlugin):  # type: ignore[misc]  # distributed has no types
    """Sets up every process that joins, also one restarted after a crash."""

    name = "single-thread"

    def setup(self, worker: object) -> None:
        """Keep libraries from starting threads of their own: there is one process a core."""
        import cv2

        cv2.setNumThreads(1)
