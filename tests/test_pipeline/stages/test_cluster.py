"""The map over processes: every outcome once, whatever becomes of the processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tasks
from distributed import LocalCluster

from pipeline.errors import ForgeryPrepError
from pipeline.stages import cluster as module
from pipeline.stages import needs
from pipeline.stages.cluster import Workers, cluster


@pytest.fixture(scope="module")
def crew():
    with cluster(2) as workers:
        yield workers


MANY = 3000  # tasks of a tenth of a second: a busy machine may take minutes to start a worker


def values(crew: Workers, function, arguments) -> dict[int, object]:
    outcomes = list(crew.map(function, arguments))
    assert sorted(outcome.number for outcome in outcomes) == list(range(len(arguments)))
    return {outcome.number: outcome.failure or outcome.value for outcome in outcomes}


def test_every_task_has_its_outcome(crew):
    assert values(crew, tasks.square, [(number,) for number in range(20)]) == {n: n * n for n in range(20)}
    assert values(crew, tasks.square, []) == {}


def test_an_exception_stops_the_map_and_the_next_one_works(crew):
    with pytest.raises(LookupError, match="number 3"):
        list(crew.map(tasks.fail, [(3,)]))
    assert values(crew, tasks.square, [(4,)]) == {0: 16}


def test_libraries_start_no_threads_of_their_own(crew):
    assert values(crew, tasks.threads, [()]) == {0: (1, "1")}


def test_a_task_whose_process_is_killed_is_done_again(crew, tmp_path):
    mark = tmp_path / "mark"
    assert values(crew, tasks.die_once, [(n, 2, mark) for n in range(6)]) == {n: n for n in range(6)}
    assert mark.exists()


def test_a_task_that_always_kills_its_process_fails_alone(crew):
    found = values(crew, tasks.die_at, [(n, 0) for n in range(5)])
    assert "died" in str(found.pop(0))
    assert found == {n: n for n in range(1, 5)}, "those that waited for the same process are not to blame"


@pytest.mark.slow
def test_processes_that_do_not_come_back_are_replaced(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 4.0)
    with cluster(1) as crew:
        (nanny,) = crew._local.workers.values()
        crew._local.sync(nanny.close)
        assert values(crew, tasks.square, [(n,) for n in range(4)]) == {n: n * n for n in range(4)}


def test_processes_that_never_stop_do_not_hold_up_the_end(monkeypatch):
    async def never(self):
        await asyncio.sleep(3600)

    monkeypatch.setattr(module, "CLOSING", 0.5)
    with cluster(1) as crew:
        (process,) = (nanny.pid for nanny in crew._local.workers.values())
        monkeypatch.setattr(LocalCluster, "_correct_state", never)
    patiently(lambda: not alive(process))


def alive(process):
    try:
        return "zombie" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_a_task_that_hangs_is_stopped_and_the_others_are_done(crew):
    outcomes = {o.number: o for o in crew.map(tasks.hang_at, [(n, 1) for n in range(4)], deadline=10)}
    assert "longer than 10 seconds" in outcomes[1].failure
    assert [outcomes[n].value for n in (0, 2, 3)] == [0, 2, 3]


@pytest.mark.slow
def test_a_task_that_waits_is_not_taken_for_the_one_that_hangs(monkeypatch):
    with cluster(1) as crew:
        monkeypatch.setattr(crew, "_sound", lambda: {"one", "two"})  # four tasks in flight on one process
        submit = crew._client.submit

        def last_first(function, *arguments, **options):  # as one that was taken from another process overtakes
            return submit(function, *arguments, priority=arguments[2], **options)

        monkeypatch.setattr(crew._client, "submit", last_first)
        outcomes = {o.number: o for o in crew.map(tasks.hang_at, [(n, 3, 1.0) for n in range(4)], deadline=10)}
    assert "longer than 10 seconds" in outcomes[3].failure
    assert [outcomes[n].value for n in range(3)] == [0, 1, 2]


def test_processes_are_deaf_to_ctrl_c_also_those_started_later(crew, tmp_path):
    assert values(crew, tasks.deaf, [()] * 4) == dict.fromkeys(range(4), True)
    values(crew, tasks.die_once, [(0, 0, tmp_path / "mark")])
    assert values(crew, tasks.deaf, [()] * 4) == dict.fromkeys(range(4), True)


STARTING = """
import time
from pipeline.stages.cluster import cluster
print("starting", flush=True)
with cluster(2):
    print("started", flush=True)
    time.sleep(60)
"""


def hear():
    """Hear Ctrl-C also in a suite that was itself started in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.6])  # it takes more than a second
def test_ctrl_c_while_processes_start_waits_for_them(seconds):
    command = [sys.executable, "-c", STARTING]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hear
    ) as run:
        assert run.stdout.readline() == "starting\n"
        time.sleep(seconds)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to every process
        said, errors = run.communicate(timeout=120)
    assert said == ""
    assert errors.count("Traceback") == 1, "the first process alone hears it"
    assert errors.endswith("KeyboardInterrupt\n")


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_a_sentence():
    with (
        pytest.raises(ForgeryPrepError, match=r"No Dask scheduler answers at tcp://127.0.0.1:9"),
        cluster(1, "tcp://127.0.0.1:9"),
    ):
        pass


def test_a_task_without_memory_fails_alone(crew):
    (outcome,) = crew.map(tasks.fill_memory, [(3,)])
    assert outcome.failure == "it needs more memory than there is"


@pytest.fixture
def elsewhere(tmp_path):
    """Yield a scheduler's address and a function that adds a worker started in a working folder of its own."""
    started = []

    def begin(*words, folder):
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        started.append(process)
        return process

    file = tmp_path / "scheduler.json"
    scheduler = begin("dask_scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(file), folder=tmp_path)
    patiently(file.exists)
    address = json.loads(file.read_text())["address"]

    def join(name):
        folder = tmp_path / name
        folder.mkdir()
        words = ("--no-dashboard", "--nthreads", "1", "--no-nanny", "--name", name, address)
        return begin("dask_worker", *words, folder=folder)

    yield address, join, scheduler
    for process in started:
        process.kill()
        process.wait()


def patiently(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
def test_a_worker_that_lacks_a_folder_is_refused_by_name(elsewhere, tmp_path):
    address, join, _ = elsewhere
    join("one")
    wanted = needs.needs(folder_of_the_dataset=tmp_path / "nowhere")
    with pytest.raises(ForgeryPrepError, match=r"worker tcp://.* does not see the folder of the dataset, .*nowhere"):
        refused(address, wanted)


def refused(address, wanted):
    end = time.monotonic() + 60
    while time.monotonic() < end:  # until the worker has joined
        with cluster(1, address, wanted):
            time.sleep(0.2)


@pytest.mark.slow
def test_a_worker_with_other_software_is_refused_by_name(elsewhere):
    address, join, _ = elsewhere
    join("one")
    software = tuple(needs.versions().items())
    other = tuple((name, "0.0" if name == "numpy" else version) for name, version in software)
    with pytest.raises(ForgeryPrepError, match=r"worker tcp://.* it has numpy .* in place of 0\.0"):
        refused(address, needs.Needs((), other))


@pytest.mark.slow
def test_a_worker_that_joins_and_lacks_something_is_sent_away(elsewhere, tmp_path):
    address, join, _ = elsewhere
    here = tmp_path / "one"  # a relative path: the first worker alone sees it
    said = []
    join("one")
    with cluster(1, address, None) as crew:
        patiently(lambda: crew._running() == 1)
    (here / "data").touch()
    wanted = needs.Needs((("folder of the dataset", "data"),))
    folders = []
    with cluster(1, address, wanted, said.append) as crew:
        for outcome in crew.map(tasks.slow, [(n, 0.1) for n in range(MANY)]):
            folders.append(outcome.value)
            if len(folders) == 1:
                join("two")
            if said and crew._running() == 1:  # sent away
                break
    assert set(folders) == {str(here)}
    assert "joined and is sent away: it does not see the folder of the dataset" in said[0]


@pytest.mark.slow
def test_a_scheduler_without_workers_is_told(elsewhere, monkeypatch):
    address, join, _ = elsewhere
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    said = []

    def say(text):
        said.append(text)
        if len(said) == 1:
            join("one")

    with cluster(1, address, say=say) as crew:
        assert values(crew, tasks.square, [(4,)]) == {0: 16}
    assert set(said) == {"No worker is there that can take part; waiting for one to join."}


@pytest.mark.slow
def test_workers_that_join_are_given_tasks(elsewhere, tmp_path):
    address, join, _ = elsewhere
    join("one")
    with cluster(1, address) as crew:
        patiently(lambda: crew._running() == 1)
        folders = []
        for outcome in crew.map(tasks.slow, [(n, 0.1) for n in range(MANY)]):
            folders.append(outcome.value)
            if len(folders) == 1:
                join("two")
            if len(set(folders)) == 2:
                break
    assert set(folders) == {str(tmp_path / "one"), str(tmp_path / "two")}


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_one_sentence(elsewhere):
    address, join, scheduler = elsewhere
    join("one")
    with cluster(1, address) as crew:
        patiently(lambda: crew._running() == 1)
        outcomes = crew.map(tasks.slow, [(n, 0.2) for n in range(1000)])
        next(outcomes)
        scheduler.kill()
        with pytest.raises(ForgeryPrepError, match=f"scheduler at {address} is gone. All that is finished is kept"):
            list(outcomes)
