"""Collation: a batch in memory becomes a batch on the device, as `models.detectors.base` describes it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.data.loader import UNKNOWN, Loaded, Part
from models.nn.losses import shrink
from pipeline.labels import LABELS, NO_LABEL

NOISE_UNIT = float(LABELS["noise"].attributes["scale_factor"]) / 255  # of a stored residual, for images in [0, 1]


def to_device(loaded: Loaded, size: int, device: torch.device, rows: slice = slice(None)) -> dict[str, Tensor]:
    """Copy rows of a batch to the device, as float32 at the detector's size.

    Parameters
    ----------
    loaded : Loaded
    size : int
        Side of the result, pixels; shrinking averages.
    device : torch.device
    rows : slice
        Places in the batch; all by default.

    Returns
    -------
    dict of str to Tensor
        As described in `models.detectors.base`: images (B, 3, S, S) in [0, 1]; maps (B, 1, S, S), NaN where
        unknown, 0 where the label is 0, but `noise`, whose absolute value is taken before resizing, |W| / 255.
    """
    wanted = range(len(loaded))[rows]
    label = loaded.label[rows].to(device, non_blocking=True)
    pieces, places = [], []
    for part in loaded.parts:
        inside = [number for number, place in enumerate(part.places.tolist()) if place in wanted]
        if inside:
            own = [int(part.places[number]) - wanted.start for number in inside]
            pieces.append(_pictures(part, inside, label[own], size, device))
            places += own
    batch = {name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]}
    if places != sorted(places):
        order = torch.tensor(places, device=device).argsort()
        batch = {name: values[order] for name, values in batch.items()}
    batch["label"] = loaded.target[rows].to(device, non_blocking=True)
    batch["source"] = loaded.source[rows].to(device, non_blocking=True)
    return batch


def _pictures(part: Part, inside: Sequence[int], label: Tensor, size: int, device: torch.device) -> dict[str, Tensor]:
    whole = len(inside) == len(part.places)
    result = {}
    for name, stored in part.arrays.items():
        values = (stored if whole else stored[inside]).to(device, non_blocking=True)
        if name in ("image", "twin"):
            result[name] = _resized(values.permute(0, 3, 1, 2).float() / 255, size)
        elif name == "noise":
            known = torch.where(values == UNKNOWN, torch.nan, values.float().abs() * NOISE_UNIT)
            result[name] = shrink(_inside(known[:, None], part, inside), (size, size))
        else:
            known = torch.where(values == NO_LABEL, torch.nan, values.float())
            known = known.masked_fill(label.view(-1, 1, 1) == 0, 0)  # untouched, or too little changed to count
            result[name] = shrink(_inside(known[:, None], part, inside), (size, size))
    return result


def _resized(images: Tensor, size: int) -> Tensor:
    if images.shape[-1] == size:
        return images
    resized = torch.nn.functional.interpolate(
        images, (size, size), mode="bilinear", align_corners=False, antialias=True
    )
    return resized.clamp(0, 1)


def _inside(maps: Tensor, part: Part, inside: Sequence[int]) -> Tensor:
    """Set a map to NaN in the padding of letterboxed crops."""
    side = maps.shape[-1]
    if (part.content[:, :2] <= 0).all() and (part.content[:, 2:] >= side).all():
        return maps
    left, top, right, bottom = torch.from_numpy(part.content[inside]).to(maps.device).view(-1, 4, 1, 1).unbind(1)
    middle = torch.arange(side, device=maps.device) + 0.5
    across = (middle >= left) & (middle < right)  # (B, 1, S)
    down = (middle[:, None] >= top) & (middle[:, None] < bottom)  # (B, S, 1)
    return maps.masked_fill(~(across & down)[:, None], torch.nan)
