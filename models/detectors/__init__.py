"""The detectors: one file each, one entry here, and those of other packages.

What a detector is stands in `models.detectors.base`, how another package brings one in `models.detectors.outside`.
"""

from collections.abc import Mapping

from models.detectors import anticompression, bigarts, grnet, locate, outside, wavelet
from models.detectors.base import Detector
from pipeline.errors import ConfigError

DETECTORS: Mapping[str, Detector] = {
    module.DETECTOR.name: module.DETECTOR for module in (wavelet, grnet, locate, anticompression, bigarts)
}


def find(name: str) -> Detector:
    """Return a detector by its name, one of ours or of another package.

    Raises
    ------
    ConfigError
        There is none, or it cannot be used; the sentence lists the known ones or says why.
    """
    outside.check_clash(name, DETECTORS)
    if name in DETECTORS:
        return DETECTORS[name]
    others = outside.names()
    if name in others:
        return outside.load(name)
    known = ", ".join((*DETECTORS, *others))
    raise ConfigError(f"There is no detector {name}; known are {known}. One of another package needs it installed.")
