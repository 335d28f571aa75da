"""One writer at a time for each store."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import StoreError
from pipeline.store import is_local, lease
from pipeline.store.writing import writing

STAGING = "FORGERY_STAGING"  # folder that all workers see, for stores in a bucket


def staging_of(location: str) -> Path:
    """Return the folder for what a run has not stored yet.

    It is beside a local store; for one in a bucket in the folder that FORGERY_STAGING names, else in `stores/`. One
    place has one folder, however it is spelt (relative, through a link), and two buckets never share one.
    """
    if is_local(location):
        return Path(f"{Path(location).resolve()}.parts")
    whole = location.rstrip("/")
    place = hashlib.sha256(whole.encode()).hexdigest()[:8]
    folder = Path(os.environ.get(STAGING) or "stores").resolve()
    return folder / f"{whole.rsplit('/', 1)[-1]}-{place}.parts"


def lock_of(location: str) -> Path:
    """Return the file that is there while a process writes the store."""
    return staging_of(location).with_suffix(".lock")


@contextlib.contextmanager
def alone(location: str) -> Iterator[Callable[[], None]]:
    """Keep others from writing a store: by a locked file on this machine, and for a bucket by a lease in it.

    The lock of a killed process is free at once; of leases see `pipeline.store.lease`.

    Yields
    ------
    callable
        Raises StoreError once the lease is lost; to be called now and then.

    Raises
    ------
    StoreError
        Another process is writing it.
    WriteError
        The lock's folder cannot be written.
    AwayError
        The bucket does not answer.
    """
    with _locked(location):
        if is_local(location):
            yield lambda: None
        else:
            with lease.held(location) as check:
                yield check


@contextlib.contextmanager
def _locked(location: str) -> Iterator[None]:
    path = lock_of(location)
    lock = FileLock(path)
    with writing(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass  # a folder that takes no file would look like one that is locked
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise StoreError(f"Another run is writing {location}; wait for it, or choose another --store.") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # where an open file cannot be deleted it may stay
            path.unlink(missing_ok=True)  # while the lock is held: whoever waits sees that the file is gone
        lock.release()
