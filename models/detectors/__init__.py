"""The detectors: one file each, one entry here. What a detector is stands in `models.detectors.base`."""

from collections.abc import Mapping

from models.detectors import anticompression, bigarts, grnet, locate, wavelet
from models.detectors.base import Detector
from pipeline.errors import ConfigError

DETECTORS: Mapping[str, Detector] = {
    module.DETECTOR.name: module.DETECTOR for module in (wavelet, grnet, locate, anticompression, bigarts)
}


def find(name: str) -> Detector:
    """Return a detector by its name; raises ConfigError that lists the known ones."""
    try:
        return DETECTORS[name]
    except KeyError:
        raise ConfigError(f"There is no detector {name}; known are {', '.join(DETECTORS)}.") from None
