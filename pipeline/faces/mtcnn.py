"""MTCNN face detection with facenet-pytorch's networks. The one module that imports `facenet_pytorch`.

The cascade is that of facenet-pytorch 2.5.3 with its thresholds and pyramid, and gives its boxes on a whole frame to
a hundredth of a pixel. It is written anew for two reasons. A region of the frame can be searched on the whole frame's
own sampling grid: every pyramid level is the same picture, cut, so a face is found at the same place whether the
frame or a region around the face is searched. And a candidate that falls outside of the frame does not stop it.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.ops import nms  # type: ignore[import-untyped]

from pipeline.faces.detected import Detected

CELL = 12  # pixels: the first network's window
STRIDE = 2
FACTOR = 0.709  # from one pyramid level to the next
STAGES = (0.6, 0.7, 0.7)  # probability a candidate needs after each network
BATCH = 512


def detect(
    frame: NDArray[np.uint8],
    threshold: float = 0.99,
    min_face: int = 20,
    device: str = "cpu",
    region: Sequence[float] | None = None,
    face: float = 0.0,
) -> list[Detected]:
    """Find faces with MTCNN.

    Parameters
    ----------
    frame : ndarray of shape (H, W, 3), uint8
        RGB.
    threshold : float
        Least probability of the last network, 0..1.
    min_face : int
        Side of the smallest face looked for, pixels; it fixes the pyramid's scales.
    device : str
        Where the networks run: `cpu` or `cuda`.
    region : sequence of float, optional
        Search this box (left, top, right, bottom) of the frame alone.
    face : float
        Leave out the pyramid's finest levels, those for faces under 0.45 of this side, pixels.

    Returns
    -------
    list of Detected
        Boxes in pixels of `frame`, best score first; they may leave the frame by a few pixels.

    References
    ----------
    Zhang et al., Joint face detection and alignment using multitask cascaded convolutional networks, IEEE SPL 2016,
    doi:10.1109/LSP.2016.2603342.
    """
    height, width = frame.shape[:2]
    whole = (0.0, 0.0, float(width), float(height))
    networks = _networks(device)
    with torch.inference_mode():
        boxes = _propose(frame, whole if region is None else region, (min_face, face), networks)
        boxes = _refine(frame, boxes, networks)
        boxes, scores = _conclude(frame, boxes, networks)
    found = [
        Detected(box, float(score))
        for box, score in zip(boxes.numpy(), scores.numpy(), strict=True)
        if score >= threshold and (box[2:] > box[:2]).all()
    ]
    return sorted(found, key=lambda one: (-one.score, *one.box.tolist()))


@functools.cache
def _networks(device: str) -> Any:
    return MTCNN(device=torch.device(device)).eval()  # its weights come inside the package


def _propose(frame: NDArray[np.uint8], region: Sequence[float], sizes: tuple[int, float], networks: Any) -> Tensor:
    """Run the first network over the pyramid: (n, 4) square candidates."""
    found = [torch.zeros(0, 9)]
    for scale, left, top, level in _pyramid(frame, region, _scales(region, *sizes)):
        shifts, faces = (part[0].cpu() for part in networks.pnet(_normal(level[None]).to(networks.device)))
        rows, columns = torch.nonzero(faces[1] >= STAGES[0], as_tuple=True)
        score = faces[1, rows, columns]
        corner = STRIDE * torch.stack([columns, rows], 1) + torch.tensor([left, top])
        squares = torch.cat([((corner + 1) / scale).floor(), ((corner + CELL) / scale).floor()], 1)
        candidates = torch.cat([squares, score[:, None], shifts[:, rows, columns].T], 1)
        found.append(candidates[nms(squares, score, 0.5)])
    all_levels = torch.cat(found)
    all_levels = all_levels[nms(all_levels[:, :4], all_levels[:, 4], 0.7)]
    boxes = all_levels[:, :4]
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return _square(boxes + all_levels[:, 5:] * sides)


def _refine(frame: NDArray[np.uint8], boxes: Tensor, networks: Any) -> Tensor:
    boxes, patches = _patches(frame, boxes, 24)
    if not len(boxes):
        return boxes
    shifts, faces = _run(networks.rnet, patches, networks.device)
    passed = faces[:, 1] > STAGES[1]
    boxes, score, shifts = boxes[passed], faces[passed, 1], shifts[passed]
    kept = nms(boxes, score, 0.7)
    return _square(_shifted(boxes[kept], shifts[kept]))


def _conclude(frame: NDArray[np.uint8], boxes: Tensor, networks: Any) -> tuple[Tensor, Tensor]:
    boxes, patches = _patches(frame, boxes, 48)
    if not len(boxes):
        return boxes, torch.zeros(0)
    shifts, _, faces = _run(networks.onet, patches, networks.device)
    passed = faces[:, 1] > STAGES[2]
    boxes, score = _shifted(boxes[passed], shifts[passed]), faces[passed, 1]
    kept = _apart(boxes, score, 0.7)
    return boxes[kept], score[kept]


def _scales(region: Sequence[float], min_face: int, face: float) -> list[float]:
    scales, scale = [], CELL / min_face
    side = min(region[2] - region[0], region[3] - region[1])
    while side * scale >= CELL:
        if CELL / (scale * FACTOR) > 0.45 * face:
            scales.append(scale)
        scale *= FACTOR
    return scales


def _pyramid(
    frame: NDArray[np.uint8], region: Sequence[float], scales: list[float]
) -> Iterator[tuple[float, int, int, NDArray[np.float32]]]:
    """Give each level's part that shows the region: scale, left and top within the level, pixels.

    A level's pixel is the mean of the whole frame's pixels it touches (`interpolate(mode="area")`), taken from
    integral images of the region: exact integers, computed once for all levels.
    """
    height, width = frame.shape[:2]
    spans = [
        (_span(region[0], region[2], width, scale), _span(region[1], region[3], height, scale)) for scale in scales
    ]
    if not spans:
        return
    left, right = min(span[0][1][0] for span in spans), max(span[0][2][-1] for span in spans)
    top, bottom = min(span[1][1][0] for span in spans), max(span[1][2][-1] for span in spans)
    sums = cv2.integral(np.ascontiguousarray(frame[top:bottom, left:right]), sdepth=cv2.CV_32S)
    for scale, ((column, lows, highs), (row, tops, bottoms)) in zip(scales, spans, strict=True):
        strips = sums[bottoms - top] - sums[tops - top]
        total = strips[:, highs - left] - strips[:, lows - left]
        area = ((bottoms - tops)[:, None] * (highs - lows))[..., None]
        yield scale, column, row, (total / area).astype(np.float32)


def _span(low: float, high: float, length: int, scale: float) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """Return the first level pixel that shows the region along one axis, and the frame pixels each averages."""
    pixels = int(length * scale + 1)
    first = max(0, math.floor(low * pixels / length)) // STRIDE * STRIDE  # on the network's own stride
    last = min(pixels, math.ceil(high * pixels / length))
    last = min(pixels, last + (last - first) % STRIDE)  # or the network's pooling would end on half a window
    at = np.arange(first, last)
    return first, at * length // pixels, -(-(at + 1) * length // pixels)


def _patches(frame: NDArray[np.uint8], boxes: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Resize what each box shows of the frame; boxes outside of it are dropped."""
    height, width = frame.shape[:2]
    corners = boxes.trunc().int().numpy()
    lows = np.maximum(corners[:, :2], 1) - 1
    highs = np.minimum(corners[:, 2:], (width, height))
    inside = (highs > lows).all(axis=1)
    patches = [
        interpolate(_bchw(frame[None, top:bottom, left:right]), size=(side, side), mode="area")
        for (left, top), (right, bottom) in zip(lows[inside].tolist(), highs[inside].tolist(), strict=True)
    ]
    kept = boxes[torch.from_numpy(inside)]
    return kept, (torch.cat(patches) - 127.5) * 0.0078125 if patches else torch.zeros(0, 3, side, side)


def _run(network: Any, patches: Tensor, device: torch.device) -> list[Tensor]:
    parts = [network(patches[start : start + BATCH].to(device)) for start in range(0, len(patches), BATCH)]
    return [torch.cat(part).cpu() for part in zip(*parts, strict=True)]


def _bchw(pixels: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float()


def _normal(pixels: NDArray[Any]) -> Tensor:
    return (_bchw(pixels) - 127.5) * 0.0078125


def _shifted(boxes: Tensor, shifts: Tensor) -> Tensor:
    sides = (boxes[:, 2:] - boxes[:, :2] + 1).repeat(1, 2)
    return boxes + shifts * sides


def _square(boxes: Tensor) -> Tensor:
    sides = boxes[:, 2:] - boxes[:, :2]
    long = sides.amax(1, keepdim=True) if len(boxes) else sides[:, :1]
    corner = boxes[:, :2] + sides * 0.5 - long * 0.5
    return torch.cat([corner, corner + long], 1)


def _apart(boxes: Tensor, scores: Tensor, limit: float) -> list[int]:
    """Keep the best of boxes that lie in one another: overlap over the smaller area at most `limit`."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    areas = sides[:, 0] * sides[:, 1]
    kept: list[int] = []
    for one in scores.argsort(descending=True, stable=True).tolist():
        low, high = torch.maximum(boxes[one, :2], boxes[kept, :2]), torch.minimum(boxes[one, 2:], boxes[kept, 2:])
        common = (high - low + 1).clamp(min=0).prod(1)
        if bool((common <= limit * torch.minimum(areas[one], areas[kept])).all()):
            kept.append(one)
    return kept
