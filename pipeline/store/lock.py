"""One writer at a time for each store."""

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import StoreError
from pipeline.store import is_local
from pipeline.store.writing import writing


def staging_of(location: str) -> Path:
    """Return the folder for what a run has not stored yet: beside a local store, in `stores/` for one in a bucket.

    One place has one folder, however it is spelt (relative, through a link), and two buckets never share one.
    """
    if is_local(location):
        return Path(f"{Path(location).resolve()}.parts")
    whole = location.rstrip("/")
    place = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return Path("stores").resolve() / f"{whole.rsplit('/', 1)[-1]}-{place}.parts"


def lock_of(location: str) -> Path:
    """Return the file that is there while a process writes the store."""
    return staging_of(location).with_suffix(".lock")


@contextlib.contextmanager
def alone(location: str) -> Iterator[None]:
    """Keep others from writing a store; the lock of a killed process is free at once.

    Raises
    ------
    StoreError
        Another process on this machine is writing it.
    WriteError
        The lock's folder cannot be written.
    """
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
