"""Detectors of other packages, which name them as entry points of the group `forgery_prep.detectors`."""

import re
from collections.abc import Collection
from importlib.metadata import EntryPoint, entry_points

from models.detectors.base import Detector
from pipeline.errors import ConfigError

GROUP = "forgery_prep.detectors"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")  # it names a folder of runs
RESERVED = ("all",)  # words that `--detector` takes for something else


def names() -> tuple[str, ...]:
    """Return the names that installed packages give; none of them is loaded."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def load(name: str) -> Detector:
    """Load a detector of another package.

    Parameters
    ----------
    name : str
        One of `names()`.

    Raises
    ------
    ConfigError
        Several packages bring one of that name, it cannot be loaded, or is no detector of that name.
    """
    points = list(entry_points(group=GROUP, name=name))
    if len(points) > 1:
        raise ConfigError(f"A detector {name} comes with {_packages(points)}; uninstall all of them but one.")
    (point,) = points
    where = f"The detector {name} of {_packages(points)}"
    try:
        found = point.load()
    except Exception as error:
        raise ConfigError(f"{where} cannot be loaded: {type(error).__name__}: {error} ({point.value}).") from error
    if not isinstance(found, Detector):
        raise ConfigError(f"{where} is a {type(found).__name__} and no Detector ({point.value}).")
    if found.name != name or not NAME.fullmatch(name):
        raise ConfigError(
            f"{where} calls itself {found.name}; both names must be the same, of letters, digits, - and _."
        )
    return found


def check_clash(name: str, own: Collection[str]) -> None:
    """Raise ConfigError where another package brings a detector under a name that is taken here."""
    points = list(entry_points(group=GROUP, name=name))
    if points and name in (*own, *RESERVED):
        raise ConfigError(
            f"{_packages(points)} brings a detector {name}, a name that forgery-prep uses itself; rename it there or "
            "uninstall that package."
        )


def _packages(points: Collection[EntryPoint]) -> str:
    return " and ".join(sorted({point.dist.name if point.dist else point.value for point in points}))
