"""MTCNN face detection with facenet-pytorch's weights.

The cascade is that of facenet-pytorch 2.5.3 with its thresholds and pyramid, and gives its boxes on a whole frame to
a hundredth of a pixel. It is written anew for three reasons. A region of the frame can be searched on the whole
frame's own sampling grid: every pyramid level is the same picture, cut, so a face is found at the same place whether
the frame or a region around the face is searched. A candidate that falls outside of the frame does not stop it. And
several frames go through it together, pyramid, suppression and patches all on the device, so that a GPU is waited for
some thirty times a batch, not a frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from pipeline.faces.detected import Detected
from pipeline.faces.networks import Networks, Proposal, load, suppression
from pipeline.faces.pyramid import Level, Picture

CELL = 12  # pixels: the first network's window
STRIDE = 2
FACTOR = 0.709  # from one pyramid level to the next
STAGES = (0.6, 0.7, 0.7)  # probability a candidate needs after each network
BATCH = 512  # candidates that a network takes at once
NEVER = -1e9  # below every activation


@dataclass(frozen=True, eq=False)
class Search:
    """A frame in which faces are looked for.

    Attributes
    ----------
    frame : ndarray of shape (H, W, 3), uint8
        RGB.
    region : sequence of float, optional
        Search this box (left, top, right, bottom) of the frame alone.
    face : float
        Leave out the pyramid's finest levels, those for faces under 0.45 of this side, pixels.
    """

    frame: NDArray[np.uint8]
    region: Sequence[float] | None = None
    face: float = 0.0

    def scales(self, min_face: int) -> list[float]:
        """Return the sizes of the pyramid's levels, relative to the frame's."""
        height, width = self.frame.shape[:2]
        left, top, right, bottom = self.region or (0, 0, width, height)
        side, scale, scales = min(right - left, bottom - top), CELL / min_face, []
        while side * scale >= CELL:
            if CELL / (scale * FACTOR) > 0.45 * self.face:
                scales.append(scale)
            scale *= FACTOR
        return scales


def detect(
    frame: NDArray[np.uint8],
    threshold: float = 0.99,
    min_face: int = 20,
    device: str = "cpu",
    region: Sequence[float] | None = None,
    face: float = 0.0,
) -> list[Detected]:
    """Find the faces of one frame; `detect_many` and `Search` say what the parameters are."""
    return detect_many([Search(frame, region, face)], threshold, min_face, device)[0]


def detect_many(
    searches: Sequence[Search], threshold: float = 0.99, min_face: int = 20, device: str = "cpu"
) -> list[list[Detected]]:
    """Find faces with MTCNN in several frames at once.

    Parameters
    ----------
    searches : sequence of Search
        Frames and regions may differ in size. A GPU does sixteen in little more time than one; a CPU gains nothing.
    threshold : float
        Least probability of the last network, 0..1.
    min_face : int
        Side of the smallest face looked for, pixels; it fixes the pyramid's scales.
    device : str
        Where all of it runs: `cpu` or `cuda`.

    Returns
    -------
    list of list of Detected
        For each search, boxes in pixels of its frame, best score first; they may leave the frame by a few pixels.

    References
    ----------
    Zhang et al., Joint face detection and alignment using multitask cascaded convolutional networks, IEEE SPL 2016,
    doi:10.1109/LSP.2016.2603342.
    """
    if not searches:
        return []
    networks = load(device)
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        pictures = [Picture(search.frame, networks.device, device != "cpu") for search in searches]
        proposed = _propose(searches, pictures, min_face, networks)
        found = _conclude(pictures, _refine(pictures, proposed, networks), networks)
    return [_best(*own, threshold) for own in found]


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Squares that may show a face: (n, 4), pixels, and for each the number of its search, (n,), increasing."""

    boxes: Tensor
    search: Tensor


def _propose(searches: Sequence[Search], pictures: Sequence[Picture], min_face: int, networks: Networks) -> _Candidates:
    """Run the first network over the pyramids, one level of all frames at a time."""
    levels: dict[float, dict[int, Level]] = {}
    for number, (search, picture) in enumerate(zip(searches, pictures, strict=True)):
        region = search.region or (0.0, 0.0, float(picture.width), float(picture.height))
        for scale, level in picture.levels(region, search.scales(min_face)):
            levels.setdefault(scale, {})[number] = level
    device = networks.device
    found = [torch.zeros(0, 9, device=device)]
    owners = [torch.zeros(0, dtype=torch.int64, device=device)]
    for scale, members in sorted(levels.items(), reverse=True):
        shifts, scores = _first_network([level.pixels for level in members.values()], networks.pnet)
        member, rows, columns = torch.nonzero(scores >= STAGES[0], as_tuple=True)
        score = scores[member, rows, columns]
        origins = torch.tensor([[level.left, level.top] for level in members.values()], device=device)
        corner = STRIDE * torch.stack([columns, rows], 1) + origins[member]
        squares = torch.cat([((corner + 1) / scale).floor(), ((corner + CELL) / scale).floor()], 1)
        kept = _suppress(squares, score, member, 0.5)
        found.append(torch.cat([squares, score[:, None], shifts[member, :, rows, columns]], 1)[kept])
        owners.append(torch.tensor(list(members), device=device)[member[kept]])
    candidates, owner = torch.cat(found), torch.cat(owners)
    kept = _suppress(candidates[:, :4], candidates[:, 4], owner, 0.7)
    boxes, shifts = candidates[kept, :4], candidates[kept, 5:]
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return _Candidates(_square(boxes + shifts * sides), owner[kept])


def _first_network(levels: Sequence[Tensor], network: Proposal) -> tuple[Tensor, Tensor]:
    """Run the first network on pictures of different sizes.

    Parameters
    ----------
    levels : sequence of Tensor of shape (1, 3, h, w)
        Each at least 12 pixels wide and high.
    network : Proposal

    Returns
    -------
    shifts : Tensor of shape (n, 4, H, W)
    scores : Tensor of shape (n, H, W)
        0 beyond a picture's own windows.
    """
    if len(levels) == 1:
        shifts, faces = network(levels[0])
        return shifts, faces[:, 1]
    sizes = torch.tensor([level.shape[2:] for level in levels])
    height, width = sizes.amax(0).tolist()
    x = torch.cat([pad(level, (0, width - level.shape[3], 0, height - level.shape[2])) for level in levels])
    x = network.prelu1(network.conv1(x))
    x = network.pool1(torch.where(_within(sizes - 2, x), x, NEVER))  # the pooling's last window may be a half one
    x = network.prelu2(network.conv2(x))
    x = network.prelu3(network.conv3(x))
    faces = network.conv4_1(x).softmax(1)
    own = _within((sizes - 1) // 2 - 4, x)
    return network.conv4_2(x), torch.where(own[:, 0], faces[:, 1], 0.0)


def _within(sizes: Tensor, like: Tensor) -> Tensor:
    """Mark the part of each of n pictures, (n, 2) high and wide, in a batch (n, C, H, W): (n, 1, H, W), bool."""
    height, width = sizes.to(like.device, non_blocking=True)[:, :, None, None].unbind(1)
    rows, columns = (torch.arange(side, device=like.device) for side in like.shape[2:])
    return ((rows[:, None] < height) & (columns < width))[:, None]


def _refine(pictures: Sequence[Picture], candidates: _Candidates, networks: Networks) -> _Candidates:
    """Run the second network on patches of 24 pixels."""
    candidates, shifts, scores = _judged(pictures, candidates, 24, networks.rnet)
    passed = scores > STAGES[1]
    boxes, search = candidates.boxes[passed], candidates.search[passed]
    kept = _suppress(boxes, scores[passed], search, 0.7)
    return _Candidates(_square(_shifted(boxes[kept], shifts[passed][kept])), search[kept])


def _conclude(
    pictures: Sequence[Picture], candidates: _Candidates, networks: Networks
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Run the third network on patches of 48 pixels; return each search's boxes (n, 4) and scores (n,)."""
    candidates, shifts, scores = _judged(pictures, candidates, 48, networks.onet)
    passed = scores > STAGES[2]
    boxes = _shifted(candidates.boxes[passed], shifts[passed]).cpu()
    scores, search = scores[passed].cpu(), candidates.search[passed].cpu()
    found = []
    for number in range(len(pictures)):
        mine = search == number
        kept = _apart(boxes[mine], scores[mine], 0.7)
        found.append((boxes[mine][kept].numpy(), scores[mine][kept].numpy()))
    return found


def _best(boxes: NDArray[np.float32], scores: NDArray[np.float32], threshold: float) -> list[Detected]:
    found = [
        Detected(box, float(score))
        for box, score in zip(boxes, scores, strict=True)
        if score >= threshold and (box[2:] > box[:2]).all()
    ]
    return sorted(found, key=lambda one: (-one.score, *one.box.tolist()))


def _judged(
    pictures: Sequence[Picture], candidates: _Candidates, side: int, network: Any
) -> tuple[_Candidates, Tensor, Tensor]:
    """Give a network what the candidates show, but for those outside of their frame; return shifts and scores too."""
    counts = torch.bincount(candidates.search, minlength=len(pictures)).tolist()
    own = zip(pictures, torch.split(candidates.boxes, counts), strict=True)
    parts = [picture.patches(some, side) for picture, some in own]
    inside, patches = torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
    boxes, search = candidates.boxes[inside], candidates.search[inside]
    if not len(boxes):
        return _Candidates(boxes, search), boxes, boxes[:, 0]
    judged = [network(part) for part in torch.split(patches, BATCH)]
    shifts, scores = torch.cat([part[0] for part in judged]), torch.cat([part[1][:, 1] for part in judged])
    return _Candidates(boxes, search), shifts, scores


def _suppress(boxes: Tensor, scores: Tensor, group: Tensor, limit: float) -> Tensor:
    """Choose the best of overlapping boxes within each group; return their places by group, the best first."""
    return (_in_one_call if boxes.is_cuda else _group_by_group)(boxes, scores, group, limit)


def _group_by_group(boxes: Tensor, scores: Tensor, group: Tensor, limit: float) -> Tensor:
    own = [torch.nonzero(group == number)[:, 0] for number in sorted(set(group.tolist()))]
    return torch.cat([group[:0], *(some[suppression()(boxes[some], scores[some], limit)] for some in own)])


def _in_one_call(boxes: Tensor, scores: Tensor, group: Tensor, limit: float) -> Tensor:
    """Move the groups apart, in numbers so long that the boxes lose nothing by it."""
    if not len(boxes):
        return group
    step = boxes.max().double() - boxes.min() + 1
    kept = suppression()(boxes.double() + (group * step)[:, None], scores.double(), limit)
    order: Tensor = kept[group[kept].argsort(stable=True)]
    return order


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
