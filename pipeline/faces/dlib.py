"""dlib: HOG face detection, 68 landmarks and face descriptors. The one module that imports `dlib`."""

import functools
import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigError
from pipeline.faces.detected import Detected

POINTS = 68
WINDOW = 80  # pixels: side of the smallest face the detector's sliding window covers
LARGEST = 2**22  # pixels of an upsampled frame; beyond it the time grows faster than the faces found
MODELS = "face_recognition_models"


def detect(
    frame: NDArray[np.uint8],
    threshold: float = 0.0,
    min_face: int = 20,
    device: str = "cpu",
    region: Sequence[float] | None = None,
    face: float = 0.0,
) -> list[Detected]:
    """Find upright faces with dlib's HOG detector.

    The detector sees faces of 80 pixels and more. What is searched is doubled until `min_face` is reached, at most
    while it stays under 4 million pixels: a 1280x720 frame is searched at twice its size (faces of 40 pixels), a
    1920x1080 one at its own, and a small region as often as it takes.

    Parameters
    ----------
    frame : ndarray of shape (H, W, 3), uint8
        RGB.
    threshold : float
        Least score; a margin around 0, not a probability.
    min_face : int
        Side of the smallest face looked for, pixels.
    device : str
        Not used: this detector runs on the CPU alone.
    region : sequence of float, optional
        Search this box (left, top, right, bottom) of the frame alone.
    face : float
        Look for no faces under 0.45 of this side, pixels.

    Returns
    -------
    list of Detected
        Boxes in pixels of `frame`, best score first; they may leave the frame by a few pixels.

    References
    ----------
    Dalal and Triggs, Histograms of oriented gradients for human detection, CVPR 2005, doi:10.1109/CVPR.2005.177.
    """
    height, width = frame.shape[:2]
    left, top, right, bottom = (round(edge) for edge in region or (0, 0, width, height))
    left, top = max(left, 0), max(top, 0)
    searched = np.ascontiguousarray(frame[top:bottom, left:right])
    if not searched.size:
        return []
    doublings = _doublings(searched.shape, max(min_face, 0.45 * face))
    boxes, scores, _ = _detector().run(searched, doublings, threshold)
    offset = np.array([left, top, left + 1, top + 1], np.float32)  # dlib's right and bottom are the last pixels inside
    found = [
        Detected(np.array([box.left(), box.top(), box.right(), box.bottom()], np.float32) + offset, float(score))
        for box, score in zip(boxes, scores, strict=True)
    ]
    return sorted(found, key=lambda one: (-one.score, *one.box.tolist()))


def landmarks(image: NDArray[np.uint8], box: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Place the 68 points of the iBUG 300-W scheme on one face.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB: a frame or a crop.
    box : ndarray of shape (4,)
        The face as detected (not enlarged) in pixels of `image`: left, top, right, bottom, half-open.

    Returns
    -------
    ndarray of shape (68, 2), float32
        (x, y) in pixels of `image`; all NaN where there is no face to speak of: the box is empty or the points fell
        on one spot or mostly outside of the image.

    References
    ----------
    Kazemi and Sullivan, One millisecond face alignment with an ensemble of regression trees, CVPR 2014,
    doi:10.1109/CVPR.2014.241.
    """
    failed = np.full((POINTS, 2), np.nan, np.float32)
    if not np.isfinite(box).all() or box[2] - box[0] < 2 or box[3] - box[1] < 2:
        return failed
    shape = _predictor()(np.ascontiguousarray(image), _rectangle(box))
    points = np.array([(point.x, point.y) for point in shape.parts()], np.float32)
    inside = ((points >= 0) & (points < (image.shape[1], image.shape[0]))).all(axis=1)
    if inside.mean() < 0.5 or np.ptp(points, axis=0).min() < 2:
        return failed
    return points


def descriptor(image: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Describe whose face it is: distances under 0.6 usually mean one person.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB.
    landmarks : ndarray of shape (68, 2)
        Finite (x, y) in pixels of `image`.

    Returns
    -------
    ndarray of shape (128,), float32
        Compare by Euclidean distance.

    Raises
    ------
    ValueError
        The landmarks are not 68 finite points.
    """
    if landmarks.shape != (POINTS, 2) or not np.isfinite(landmarks).all():
        raise ValueError(f"A face descriptor needs {POINTS} finite landmarks, not an array of {landmarks.shape}.")
    corners = np.concatenate([landmarks.min(axis=0), landmarks.max(axis=0) + 1])
    points = [dlib.point(round(x), round(y)) for x, y in landmarks.tolist()]
    shape = dlib.full_object_detection(_rectangle(corners), points)
    return np.array(_describer().compute_face_descriptor(np.ascontiguousarray(image), shape), np.float32)


def _doublings(shape: tuple[int, ...], min_face: float) -> int:
    wanted = max(0, math.ceil(math.log2(WINDOW / min_face)))
    affordable = max(0, math.floor(math.log2(LARGEST / (shape[0] * shape[1])) / 2))
    return min(wanted, affordable)


def _rectangle(box: NDArray[np.floating[Any]]) -> Any:
    left, top, right, bottom = (round(edge) for edge in box.tolist())
    return dlib.rectangle(left, top, right - 1, bottom - 1)


def _model(name: str) -> str:
    # The package itself is not imported: its __init__ needs pkg_resources, which current setuptools no longer has.
    found = importlib.util.find_spec(MODELS)
    path = Path(found.origin).parent / "models" / name if found and found.origin else None
    if path is None or not path.is_file():
        raise ConfigError(f"dlib's model {name} is missing; install the package {MODELS.replace('_', '-')}.")
    return str(path)


@functools.cache
def _detector() -> Any:
    return dlib.get_frontal_face_detector()


@functools.cache
def _predictor() -> Any:
    return dlib.shape_predictor(_model("shape_predictor_68_face_landmarks.dat"))


@functools.cache
def _describer() -> Any:
    return dlib.face_recognition_model_v1(_model("dlib_face_recognition_resnet_model_v1.dat"))
