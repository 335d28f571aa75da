"""dlib: HOG face detection and 68 landmarks. The one module that imports `dlib`."""

import functools
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigError
from pipeline.faces.detected import Detected

POINTS = 68
WINDOW = 80  # pixels: side of the smallest face the detector's sliding window covers
LARGEST = 2**22  # pixels of a doubled frame: beyond it one frame takes most of a second
MODELS = "face_recognition_models"


def _from_mtcnn(box: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    # medians over 42 portraits and frames in which both detectors found the face
    sides = box[2:] - box[:2]
    middle = (box[:2] + box[2:]) / 2 + [0, 0.069 * sides.max()]
    half = 0.92 * sides.mean() / 2
    return np.concatenate([middle - half, middle + half])


FRAMINGS: dict[str, Callable[[NDArray[np.floating[Any]]], NDArray[np.floating[Any]]]] = {
    "dlib": lambda box: box,
    "mtcnn": _from_mtcnn,
}


def detect(
    frame: NDArray[np.uint8],
    threshold: float = 0.0,
    min_face: int = 20,
    device: str = "cpu",
    region: Sequence[float] | None = None,
    face: float = 0.0,
) -> list[Detected]:
    """Find upright faces with dlib's HOG detector.

    The detector sees faces of 80 pixels and more. Where `min_face` is less, it searches the frame at twice its size
    (faces of 40 pixels) as long as that stays under 4 million pixels: a 1280x720 frame does, a 1920x1080 one does
    not. A region is searched at the same size as the whole frame would be: at another one the same face gets another
    box (median overlap 0.83), and tracks would flicker.

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
        Not used: leaving out the sizes far from the face's would change its box.

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
    doubled = min_face < WINDOW and 4 * width * height <= LARGEST
    boxes, scores, _ = _detector().run(searched, int(doubled), threshold)
    offset = np.array([left, top, left + 1, top + 1], np.float32)  # dlib's right and bottom are the last pixels inside
    found = [
        Detected(np.array([box.left(), box.top(), box.right(), box.bottom()], np.float32) + offset, float(score))
        for box, score in zip(boxes, scores, strict=True)
    ]
    return sorted(found, key=lambda one: (-one.score, *one.box.tolist()))


def landmarks(image: NDArray[np.uint8], box: NDArray[np.floating[Any]], detector: str = "dlib") -> NDArray[np.float32]:
    """Place the 68 points of the iBUG 300-W scheme on one face.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB: a frame or a crop.
    box : ndarray of shape (4,)
        The face as detected (not enlarged) in pixels of `image`: left, top, right, bottom, half-open.
    detector : str
        The detector that found the box. The predictor was trained on dlib's boxes; MTCNN's are narrower and lie
        higher, and are converted to dlib's framing first (which halves the points' distance from those of dlib's box:
        median 0.029 to 0.013 of the distance between the eyes).

    Returns
    -------
    ndarray of shape (68, 2), float32
        (x, y) in pixels of `image`; all NaN where the box is empty, or where the points coincide or lie mostly
        outside the image.

    References
    ----------
    Kazemi and Sullivan, One millisecond face alignment with an ensemble of regression trees, CVPR 2014,
    doi:10.1109/CVPR.2014.241.
    """
    failed = np.full((POINTS, 2), np.nan, np.float32)
    if not np.isfinite(box).all() or box[2] - box[0] < 2 or box[3] - box[1] < 2:
        return failed
    shape = _predictor()(np.ascontiguousarray(image), _rectangle(FRAMINGS[detector](box)))
    points = np.array([(point.x, point.y) for point in shape.parts()], np.float32)
    inside = ((points >= 0) & (points < (image.shape[1], image.shape[0]))).all(axis=1)
    if inside.mean() < 0.5 or np.ptp(points, axis=0).min() < 2:
        return failed
    return points


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
