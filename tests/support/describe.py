"""Face descriptors, to tell whether two pictures show one person."""

import importlib.util
from pathlib import Path

import dlib
import numpy as np

from pipeline.faces.dlib import landmarks


def describe(image, box):
    """Return dlib's 128 numbers of the face in a detected box; distances under 0.6 usually mean one person."""
    folder = Path(importlib.util.find_spec("face_recognition_models").origin).parent / "models"
    network = dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))
    points = landmarks(image, box)
    edges = np.rint([*points.min(axis=0), *points.max(axis=0)]).astype(int).tolist()
    shape = dlib.full_object_detection(
        dlib.rectangle(*edges), [dlib.point(*p) for p in points.round().astype(int).tolist()]
    )
    return np.array(network.compute_face_descriptor(np.ascontiguousarray(image), shape), np.float32)
