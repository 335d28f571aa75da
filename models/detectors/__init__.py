"""The detectors: one file each, one entry here. What a detector is stands in `models.detector`."""

from collections.abc import Mapping

from models.detector import Detector
from pipeline.errors import ConfigError

DETECTORS: Mapping[str, Detector] = {}


def find(name: str) -> Detector:
    """Return a detector by its name; raises ConfigError that lists the known ones."""
    try:
        return DETECTORS[name]
    except KeyError:
        raise ConfigError(f"There is no detector {name}; known are {', '.join(DETECTORS)}.") from None
