"""Face detection, tracking through a video, and choice of the manipulated person."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Detection
from pipeline.faces.detected import Detected

__all__ = ["DETECTORS", "Detected", "FaceDetector", "detect"]


class FaceDetector(Protocol):
    """Signature of a face detector; `pipeline.faces.mtcnn.detect` documents it."""

    def __call__(
        self,
        frame: NDArray[np.uint8],
        threshold: float,
        min_face: int,
        device: str,
        region: Sequence[float] | None,
        face: float,
    ) -> list[Detected]:
        """Find faces in a frame or a region of it."""


def _mtcnn() -> FaceDetector:
    from pipeline.faces import mtcnn  # torch takes seconds to load: only where it is used

    return mtcnn.detect


def _dlib() -> FaceDetector:
    from pipeline.faces import dlib

    return dlib.detect


DETECTORS: dict[str, Callable[[], FaceDetector]] = {"mtcnn": _mtcnn, "dlib": _dlib}


def detect(
    frame: NDArray[np.uint8],
    settings: Detection,
    device: str = "cpu",
    region: Sequence[float] | None = None,
    face: float = 0.0,
) -> list[Detected]:
    """Find the faces of one frame, or of a region of it.

    Parameters
    ----------
    frame : ndarray of shape (H, W, 3), uint8
        RGB.
    settings : Detection
        Which detector, its threshold and the smallest face.
    device : str
        `cpu` or `cuda`.
    region : sequence of float, optional
        Search this box (left, top, right, bottom) of the frame alone, on the frame's own sampling grid.
    face : float
        Side of the face expected, pixels: much smaller ones are not looked for.

    Returns
    -------
    list of Detected
        Best score first.
    """
    threshold = {"mtcnn": settings.threshold, "dlib": settings.dlib_threshold}[settings.detector]
    return DETECTORS[settings.detector]()(frame, threshold, settings.min_face, device, region, face)
