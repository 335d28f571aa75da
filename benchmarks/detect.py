"""Time face tracking against detecting in every frame: `python benchmarks/detect.py VIDEO...`.

Each way finds the faces of the same sampled frames on one thread, in turn, round after round. A row shows the median
CPU milliseconds per frame, the median, least and greatest of the per-round ratios to facenet-pytorch's MTCNN with its
defaults (more than 1 is faster), and the overlap (intersection over union) of each way's largest face with MTCNN's:
the least and the median over the frames in which both found one.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray

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


WAYS: dict[str, Callable[[Sampled], Boxes]] = {
    "facenet-pytorch, every frame": facenet,
    "our MTCNN, every frame": every_frame(Detection()),
    "our MTCNN, tracked": tracked(Detection()),
    "dlib, every frame": every_frame(Detection(detector="dlib")),
    "dlib, tracked": tracked(Detection(detector="dlib")),
}


def agreement(boxes: Boxes, reference: Boxes) -> str:
    """Describe how far two sets of boxes overlap."""
    both = sorted(set(boxes) & set(reference))
    if not both:
        return "no face in common"
    found = [float(overlaps(boxes[index][None], reference[index][None])[0, 0]) for index in both]
    return f"overlap {min(found):.4f} / {statistics.median(found):.4f}, {len(boxes)} faces to {len(reference)}"


def compare(path: Path) -> None:
    """Time every way on one video."""
    probe = frames.probe(path)
    sampled = list(frames.read(path, list(range(0, probe.frames, STEP))[:COUNT]))
    sys.stdout.write(f"\n{path.name}, {probe.width}x{probe.height}: {len(sampled)} frames, every {STEP}th\n")
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    found: dict[str, Boxes] = {}
    for _ in range(ROUNDS):
        for name, way in WAYS.items():
            start = time.process_time()
            found[name] = way(sampled)
            times[name].append(1000 * (time.process_time() - start) / len(sampled))
    reference = next(iter(WAYS))
    for name, taken in times.items():
        ratios = [first / second for first, second in zip(times[reference], taken, strict=True)]
        sys.stdout.write(
            f"{name:30}{statistics.median(taken):7.1f} ms  x{statistics.median(ratios):.2f} "
            f"[{min(ratios):.2f}-{max(ratios):.2f}]  {agreement(found[name], found[reference])}\n"
        )


def main() -> None:
    """Compare on the videos named."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if not sys.argv[1:]:
        sys.exit("Name one video with faces, or more.")
    WAYS["our MTCNN, tracked"]([(0, np.zeros((120, 120, 3), np.uint8))])  # the networks load now, not in round one
    for name in sys.argv[1:]:
        compare(Path(name))


if __name__ == "__main__":
    main()
