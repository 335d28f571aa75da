"""A lease in the bucket: one writer at a time for a store there, whichever machines the runs are on.

The lease is an object beside the store, made only if there is none and replaced only if it is still the one that was
read. Its holder renews it; one that was not renewed for its time may be taken over, and so may at once one whose
process was on this machine and is gone. Ages are taken from the server's clock alone.
"""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError, PreconditionError

from pipeline.errors import StoreError
from pipeline.store import cloud

BEAT = 30  # seconds between renewals
OFF = "FORGERY_LEASE"  # set to "off": no lease, for object stores without conditional writes
UNCONDITIONAL = (
    "The object store of {0} knows no conditional writes (If-None-Match), so two runs could write one store; "
    "FORGERY_LEASE=off runs without this protection."
)

_HELD: set[str] = set()  # by this process now


@dataclass
class Lease:
    """A lease that this process holds, or held.

    Attributes
    ----------
    location : str
        URL of the store.
    bucket : obstore's object
        The folder that the store is in.
    key : str
        Of the lease in it.
    version : mapping
        What the server calls the lease as this process wrote it last.
    seconds : float
        That it holds without being renewed: longer than a request is tried again.
    """

    location: str
    bucket: Any
    key: str
    version: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = field(default_factory=lambda: 2 * (cloud.settings().retry + BEAT))
    holder: str = field(default_factory=lambda: uuid.uuid4().hex)
    beats: int = 0
    seen: float = 0.0  # when it was renewed last, on this process's own clock
    lost: str = ""  # why it is held no more

    def check(self) -> None:
        """Stop a run that holds the lease no more.

        Raises
        ------
        StoreError
            Another run has taken it over, or it could not be renewed in its time.
        """
        if not self.lost and time.monotonic() - self.seen > self.seconds:
            self.lost = f"it could not be renewed for {self.seconds:.0f} seconds"
        if self.lost:
            raise StoreError(
                f"The lease on {self.location} was lost: {self.lost}. This run stops here; nothing is damaged, the "
                "same command again goes on."
            )

    def take(self) -> None:
        """Make the lease, or take over a dead one.

        Raises
        ------
        StoreError
            Another run holds it; the object store cannot keep runs apart.
        """
        try:
            self._write("create")
            self._check_conditions()
        except AlreadyExistsError:
            self._take_over()
        except NotSupportedError:
            raise StoreError(UNCONDITIONAL.format(self.location)) from None

    def renew(self) -> None:
        """Write the lease again, noting that it was lost if it is another's by now."""
        with contextlib.suppress(BaseError):  # away: tried again at the next beat, until the time is over
            try:
                self._write(self.version)
            except (PreconditionError, FileNotFoundError):
                now = self._read()
                if now is None or now[0].get("holder") != self.holder:
                    self.lost = "it was taken over by another run, or deleted"
                else:  # the answer to an earlier write of ours did not arrive
                    self.version = now[1]

    def release(self) -> None:
        """Delete the lease, if it is still this process's."""
        if not self.lost and time.monotonic() - self.seen < self.seconds:
            with contextlib.suppress(BaseError, FileNotFoundError):
                now = self._read()
                if now is not None and now[0].get("holder") == self.holder:
                    obstore.delete(self.bucket, self.key)

    def _write(self, mode: Any) -> None:
        self.beats += 1  # other bytes each time: some servers name a version by its bytes
        about = {
            "holder": self.holder,
            "beats": self.beats,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "machine": machine(),
            "seconds": self.seconds,
        }
        asked = time.monotonic()
        self.version = _version(obstore.put(self.bucket, self.key, json.dumps(about).encode(), mode=mode))
        self.seen = asked

    def _check_conditions(self) -> None:
        """Refuse a server that overlooks the condition of a write."""
        with contextlib.suppress(AlreadyExistsError):
            self._write("create")
            self.release()
            raise StoreError(UNCONDITIONAL.format(self.location))

    def _take_over(self) -> None:
        found = self._read()
        if found is None:  # released in this very moment
            self._write_or_refuse("create", "it has just begun")
            return
        about, version, written = found
        if about.get("holder") == self.holder:  # the answer to our own write did not arrive
            self.version, self.seen = version, time.monotonic()
            return
        age = self._now() - written
        left = float(about.get("seconds", self.seconds)) - age
        who = f"{about.get('host', 'an unknown machine')}, process {about.get('process', 'unknown')}"
        if left > 0 and not is_dead(about):
            raise StoreError(
                f"Another run is writing {self.location}: {who}, last heard of {max(age, 0):.0f} seconds ago. Wait for "
                f"it, or choose another --store; if it is dead, its lease ends in {left:.0f} seconds."
            )
        self._write_or_refuse(version, "it has taken over a dead lease in this very moment")

    def _write_or_refuse(self, mode: Any, why: str) -> None:
        try:
            self._write(mode)
        except (AlreadyExistsError, PreconditionError):
            raise StoreError(
                f"Another run is writing {self.location}: {why}. Wait for it, or choose another --store."
            ) from None

    def _read(self) -> tuple[dict[str, Any], dict[str, Any], float] | None:
        """Return what the lease says, its version, and when it was written by the server's clock; None without one."""
        try:
            found = obstore.get(self.bucket, self.key)
            text, meta = bytes(found.bytes()), found.meta
        except FileNotFoundError:
            return None
        try:
            about = json.loads(text)
        except ValueError:
            about = {}
        return about if isinstance(about, dict) else {}, _version(meta), meta["last_modified"].timestamp()

    def _now(self) -> float:
        """Return the server's time: that of an object written now."""
        probe = f"{self.key}.{self.holder}"
        obstore.put(self.bucket, probe, b"now")
        try:
            return obstore.head(self.bucket, probe)["last_modified"].timestamp()
        finally:
            obstore.delete(self.bucket, probe)


def _version(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a server calls one state of an object: some by one name, some by the other."""
    return {name: about[name] for name in ("e_tag", "version") if about.get(name) is not None}


def machine() -> str:
    """Return what tells this machine, and the set of process numbers on it, from any other; empty where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def is_dead(about: Mapping[str, Any]) -> bool:
    """Tell whether a lease's holder was a process of this machine that is gone."""
    number = about.get("process")
    if not isinstance(number, int) or not about.get("machine") or about["machine"] != machine():
        return False
    if number == os.getpid():  # ours, or of an earlier process with the same number
        return about.get("holder") not in _HELD
    return not Path(f"/proc/{number}").exists()


@contextlib.contextmanager
def held(location: str) -> Iterator[Callable[[], None]]:
    """Hold the lease of a store in a bucket, renewing it from a thread.

    Yields
    ------
    callable
        Raises StoreError once the lease is lost; to be called now and then.

    Raises
    ------
    StoreError
        Another run holds it.
    AwayError
        The bucket does not answer.
    """
    if os.environ.get(OFF, "").lower() == "off":
        yield lambda: None
        return
    bucket, name = cloud.connect_beside(location)
    lease = Lease(location, bucket, f"{name}.lease")
    limit = time.monotonic() + cloud.settings().retry
    while not lease.seen:
        try:
            lease.take()
        except (BaseError, FileNotFoundError) as error:
            if not cloud.is_away(error) or time.monotonic() > limit:
                raise cloud.told(location, error) from error
            time.sleep(cloud.FIRST_PAUSE)  # the answer got lost: it may be ours by now
    _HELD.add(lease.holder)
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT) and not lease.lost:
            lease.renew()

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield lease.check
    finally:
        _HELD.discard(lease.holder)
        over.set()
        thread.join(timeout=1)  # one that waits for a server which is away is left behind
        if not thread.is_alive():
            lease.release()
