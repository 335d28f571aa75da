"""A lease in the bucket: one writer, whatever machine it is on; a dead one's can be taken over."""

import contextlib
import multiprocessing
import os
import signal

import obstore
import pytest
import tasks
from bucket import faulty

from pipeline.errors import StoreError
from pipeline.store import cloud, lease
from pipeline.store.lease import Lease, held

pytestmark = pytest.mark.slow

LOCATION = "s3://bucket/folder/leased.zarr"


def of(location=LOCATION):
    """Return a lease as another machine would take it."""
    folder, name = cloud.connect_beside(location)
    return Lease(location, folder, f"{name}.lease")


@pytest.fixture
def other(s3_env, monkeypatch):
    """Return the lease that another machine holds; released in the end."""
    found = of()
    with monkeypatch.context() as there:
        there.setattr(lease, "machine", lambda: "other")
        found.take()
    yield found
    with contextlib.suppress(FileNotFoundError):
        obstore.delete(found.bucket, found.key)


def test_a_second_machine_is_refused_in_one_sentence_until_the_first_is_done(other):
    with pytest.raises(StoreError, match=r"Another run is writing s3://bucket/folder/leased.zarr: .*its lease ends in"):
        held(LOCATION).__enter__()
    other.release()
    with held(LOCATION) as check:
        check()
    assert not [each for each in obstore.list(other.bucket).collect() if ".lease" in each["path"]], (
        "nothing is left lying about"
    )


def test_a_lease_that_was_not_renewed_is_taken_over_and_its_holder_stops(other, monkeypatch):
    later = other._now() + other.seconds + 1
    with monkeypatch.context() as clock:
        clock.setattr(Lease, "_now", lambda self: later)
        with held(LOCATION):
            other.renew()
            with pytest.raises(StoreError, match="was lost: it was taken over by another run"):
                other.check()


def test_a_renewed_lease_stays(other, monkeypatch):
    before = other.version
    other.renew()
    assert other.version != before
    other.check()


def test_a_holder_that_cannot_renew_in_time_stops(other):
    other.seen -= other.seconds + 1
    with pytest.raises(StoreError, match="was lost: it could not be renewed for 300 seconds"):
        other.check()


def test_the_lease_of_a_process_killed_on_this_machine_is_free_at_once(s3_env, tmp_path, monkeypatch):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=tasks.hold, args=(LOCATION, ready))
    monkeypatch.setenv("FORGERY_STAGING", str(tmp_path))
    holder.start()
    assert ready.wait(60)
    monkeypatch.setenv("FORGERY_STAGING", str(tmp_path / "elsewhere"))
    with pytest.raises(StoreError, match=f"Another run is writing .*process {holder.pid}"):
        held(LOCATION).__enter__()
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with held(LOCATION):
        pass


def test_an_answer_that_got_lost_does_not_lose_the_lease(s3_env, monkeypatch):
    with faulty(s3_env, lambda number: "cut" if number < 2 else "") as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with held(LOCATION) as check:
            check()
        assert of()._read() is None


def test_a_server_without_conditional_writes_is_told(s3_env, monkeypatch):
    write = obstore.put
    monkeypatch.setattr(obstore, "put", lambda place, key, content, mode=None: write(place, key, content))
    with pytest.raises(StoreError, match=r"knows no conditional writes .*FORGERY_LEASE=off"):
        held(LOCATION).__enter__()
    monkeypatch.setenv("FORGERY_LEASE", "off")
    with held(LOCATION) as check:
        check()
