"""Time face tracking against detecting in every frame: `python benchmarks/detect.py VIDEO...`.

Each way finds the faces of the same sampled frames on one thread. The result says how far each face's box overlaps that
of facenet-pytorch (intersection over union: the least, and the median over the frames in which both found one).
"""

import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray
from timing import Row, Way, compare

from pipeline.config import Detection
from pipeline.faces import detect
from pipeline.faces.tracks import follow, overlaps
from pipeline.video import frames

ROUNDS = 3
STEP, COUNT = 5, 24
Sampled = list[tuple[int, NDArray[np.uint8]]]
Boxes = dict[int, NDArray[np.float32]]
REFERENCE = MTCNN(keep_all=True)


def facenet(sampled: Sampled) -> Boxes:
    """MTCNN of facenet-pytorch, its defaults, frame by frame."""
    found = {}
    for index, frame in sampled:
        boxes, scores = REFERENCE.detect(frame)
        if boxes is not None and scores[0] >= Detection().threshold:
            found[index] = boxes[0].astype(np.float32)  # the largest comes first
    return found


def every_frame(settings: Detection) -> Callable[[Sampled], Boxes]:
    """Search every frame whole."""

    def search(sampled: Sampled) -> Boxes:
        faces = {index: [face.box for face in detect(frame, settings)] for index, frame in sampled}
        return {
            index: max(boxes, key=lambda box: float((box[2] - box[0]) * (box[3] - box[1])))
            for index, boxes in faces.items()
            if boxes
        }

    return search


def tracked(settings: Detection) -> Callable[[Sampled], Boxes]:
    """Follow each person."""

    def search(sampled: Sampled) -> Boxes:
        found = follow(iter(sampled), settings)
        return dict(zip(found[0].frames.tolist(), found[0].boxes, strict=True)) if found else {}

    return search


def agreement(boxes: Boxes, reference: Boxes) -> str:
    """Describe how far two sets of boxes overlap."""
    both = sorted(set(boxes) & set(reference))
    if not both:
        return "no face in common"
    found = [float(overlaps(boxes[index][None], reference[index][None])[0, 0]) for index in both]
    return f"overlap {min(found):.4f} / {statistics.median(found):.4f}, {len(boxes)} faces to {len(reference)}"


def rows(paths: Sequence[Path]) -> list[Row]:
    """Compare on some videos with faces."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    found = []
    for path in paths:
        probe = frames.probe(path)
        sampled = list(frames.read(path, list(range(0, probe.frames, STEP))[:COUNT]))
        reference = facenet(sampled)
        for name, ours in WAYS.items():
            found += compare(
                f"{len(sampled)} frames of {probe.width}x{probe.height}: {name}",
                Way("forgery-prep", lambda ours=ours, sampled=sampled: ours(sampled)),
                [Way("facenet-pytorch, every frame", lambda sampled=sampled: facenet(sampled))],
                agreement(ours(sampled), reference),
                ROUNDS,
            )
    return found


WAYS: dict[str, Callable[[Sampled], Boxes]] = {
    "MTCNN, every frame": every_frame(Detection()),
    "MTCNN, tracked": tracked(Detection()),
    "dlib, tracked": tracked(Detection(detector="dlib")),
}

if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("Name one video with faces, or more.")
    rows([Path(name) for name in sys.argv[1:]])
