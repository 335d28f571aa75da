"""Result of face detection for one face."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Detected:
    """One face in one frame: `box` is float32 (left, top, right, bottom), half-open, in pixels of the frame."""

    box: NDArray[np.float32]
    score: float  # MTCNN: probability in [0, 1]; dlib: margin around 0
