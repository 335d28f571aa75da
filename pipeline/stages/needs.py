"""What a worker on another machine must have, so that its results are those of any other."""

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ForgeryPrepError
from pipeline.versions import versions

PATIENCE = 30.0  # seconds for a worker that lacks something to be sent away

_FIT: set["Needs"] = set()  # what this process was seen to have: what is away later, the task itself tells
_UNFIT: dict["Needs", float] = {}  # since when it has been lacking something


@dataclass(frozen=True)
class Needs:
    """Paths and software that decide a worker's results.

    Attributes
    ----------
    paths : tuple of (str, str)
        What it is, and the absolute path that the worker must see.
    software : tuple of (str, str)
        Packages that decide a store's bytes, and their versions.
    """

    paths: tuple[tuple[str, str], ...] = ()
    software: tuple[tuple[str, str], ...] = ()


def needs(**paths: Path) -> Needs:
    """Return what workers need who see these paths (`lock_of_the_store=...`) and have this process's software."""
    named = tuple((name.replace("_", " "), str(path.absolute())) for name, path in paths.items())
    return Needs(named, tuple(versions().items()))


def lacking(wanted: Needs) -> str:
    """Return what this process lacks of what is needed, or nothing."""
    for name, path in wanted.paths:
        if not os.path.exists(path):
            return f"it does not see the {name}, {path}"
    here = versions()
    for package, version in wanted.software:
        if here.get(package) != version:
            return f"it has {package} {here.get(package, 'not at all')} in place of {version}"
    return ""


def look(wanted: Needs) -> str:
    """Return what this process lacks, and remember when nothing."""
    lack = lacking(wanted)
    (_FIT.discard if lack else _FIT.add)(wanted)
    return lack


def fit(wanted: Needs) -> bool:
    """Return whether this process has, or once had, what is needed.

    Raises
    ------
    ForgeryPrepError
        It has been asked for `PATIENCE` seconds and still lacks something, which the sentence names.
    """
    if wanted in _FIT or not (lack := look(wanted)):
        return True
    if time.monotonic() - _UNFIT.setdefault(wanted, time.monotonic()) > PATIENCE:
        raise ForgeryPrepError(
            f"A worker on {socket.gethostname()} cannot take part: {lack}. All that is finished is kept: see to it, or "
            "stop that worker, and run the same command again."
        )
    return False
