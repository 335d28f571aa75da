"""Augmentation on the device: geometric operations move image, twin and maps alike, photometric ones change images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.detectors.spec import GEOMETRIC, Augmentation
from models.nn.jpeg import jpeg

IMAGES = ("image", "twin")
GREY = (0.299, 0.587, 0.114)  # BT.601
CORNERS = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])  # (x, y); -1 and 1 are an image's edges


@dataclass(frozen=True)
class Draws:
    """Random draws for each row and augmentation, made for a whole batch, so that any part of it gets the same.

    Attributes
    ----------
    applied : ndarray of shape (B, n), bool
        Whether augmentation n changes the row.
    strength : ndarray of shape (B, n), float64
        Between its `low` and `high`.
    place : ndarray of shape (B, n, 8), float64
        In [0, 1): position of a crop, shifts of the corners.
    seed : ndarray of shape (B,), int64
        Seed of noise and tint.
    """

    applied: NDArray[np.bool_]
    strength: NDArray[np.float64]
    place: NDArray[np.float64]
    seed: NDArray[np.int64]

    def take(self, rows: slice | NDArray[np.int64]) -> "Draws":
        """Return the draws of some rows, (n,) int64 or a slice."""
        return Draws(self.applied[rows], self.strength[rows], self.place[rows], self.seed[rows])


def draw(augmentations: Sequence[Augmentation], rows: int, seed: Sequence[int]) -> Draws:
    """Draw for a whole batch of `rows` rows."""
    rng = np.random.default_rng(seed)
    shape = (rows, len(augmentations))
    low, high, often = (
        np.array([getattr(each, name) for each in augmentations]) for name in ("low", "high", "probability")
    )
    applied = rng.random(shape) < often
    strength = low + rng.random(shape) * (high - low)
    return Draws(applied, strength, rng.random((*shape, 8)), rng.integers(2**31, size=rows))


def augment(batch: Mapping[str, Tensor], augmentations: Sequence[Augmentation], draws: Draws) -> dict[str, Tensor]:
    """Augment a batch as drawn.

    Parameters
    ----------
    batch : mapping of str to Tensor
        As described in `models.detectors.base`: images (B, 3, S, S) in [0, 1], maps (B, 1, S, S) with NaN for
        unknown.
    augmentations : sequence of Augmentation
        In the order they are applied; neighbouring geometric ones become one resampling.
    draws : Draws
        For exactly these rows.

    Returns
    -------
    dict of str to Tensor
        A new batch of the same shapes; images stay in [0, 1], maps are NaN where the picture is from outside the crop.
    """
    result = dict(batch)
    numbered = list(enumerate(augmentations))
    for geometric, run in groupby(numbered, key=lambda each: each[1].operation in GEOMETRIC):
        steps = list(run)
        if geometric:
            result = _move(result, steps, draws)
            continue
        for number, each in steps:
            rows = np.flatnonzero(draws.applied[:, number])
            if len(rows):
                for name in set(IMAGES) & set(result):
                    result[name] = _photometric(result[name], each.operation, rows, draws, number)
    return result


def geometry(steps: Sequence[tuple[int, Augmentation]], draws: Draws) -> NDArray[np.float64]:
    """Return homographies (B, 3, 3), float64, from a place in the result to its source in the original.

    Places are (x, y, 1), where -1 and 1 are the edges of an image.
    """
    rows = len(draws.applied)
    total = np.tile(np.eye(3), (rows, 1, 1))
    for number, each in steps:
        matrices = PLACES[each.operation](draws.strength[:, number], draws.place[:, number])
        matrices[~draws.applied[:, number]] = np.eye(3)
        total = total @ matrices  # what is applied first is undone last
    return total


def _flip(strength: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.tile(np.diag([-1.0, 1.0, 1.0]), (len(strength), 1, 1))


def _rotate(degrees: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    angle = np.deg2rad(degrees)
    matrices = np.tile(np.eye(3), (len(angle), 1, 1))
    matrices[:, 0, 0] = matrices[:, 1, 1] = np.cos(angle)
    matrices[:, 1, 0] = np.sin(angle)
    matrices[:, 0, 1] = -matrices[:, 1, 0]
    return matrices


def _crop(side: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    matrices = np.tile(np.eye(3), (len(side), 1, 1))
    matrices[:, 0, 0] = matrices[:, 1, 1] = side
    matrices[:, :2, 2] = (2 * place[:, :2] - 1) * (1 - side)[:, None]
    return matrices


def _perspective(scale: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move every corner inwards by up to `scale` of half the side, along both axes."""
    inwards = scale[:, None, None] * place.reshape(-1, 4, 2)  # share of half the side; the side is 2 here
    return np.stack([homography(CORNERS - CORNERS * shift, CORNERS) for shift in inwards])


def homography(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (3, 3) homography that maps four points, (4, 2) as (x, y), to four others."""
    equations, values = np.zeros((8, 8)), target.reshape(-1)
    for number, ((x, y), (u, v)) in enumerate(zip(source, target, strict=True)):
        equations[2 * number] = [x, y, 1, 0, 0, 0, -u * x, -u * y]
        equations[2 * number + 1] = [0, 0, 0, x, y, 1, -v * x, -v * y]
    return np.append(np.linalg.solve(equations, values), 1.0).reshape(3, 3)


PLACES: Mapping[str, Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]] = {
    "flip": _flip,
    "rotate": _rotate,
    "perspective": _perspective,
    "crop": _crop,
}


def _move(batch: Mapping[str, Tensor], steps: Sequence[tuple[int, Augmentation]], draws: Draws) -> dict[str, Tensor]:
    """Apply a run of geometric augmentations; rows that are only mirrored keep their exact pixels."""
    matrices = geometry(steps, draws)
    mirrored = np.isclose(matrices, np.diag([-1.0, 1.0, 1.0])).all((1, 2))
    warped = ~mirrored & ~np.isclose(matrices, np.eye(3)).all((1, 2))
    result = dict(batch)
    pictures = [name for name, values in batch.items() if values.dim() == 4]
    for rows, change in ((np.flatnonzero(mirrored), _mirror), (np.flatnonzero(warped), _warp)):
        if not len(rows):
            continue
        where = torch.from_numpy(rows).to(batch["image"].device)
        homographies = torch.from_numpy(matrices[rows]).float().to(batch["image"].device)
        for name in pictures:
            changed = change(result[name][where], homographies, name not in IMAGES)
            result[name] = result[name].index_copy(0, where, changed)
    return result


def _mirror(values: Tensor, homographies: Tensor, is_map: bool) -> Tensor:
    return values.flip(-1)


def _warp(values: Tensor, homographies: Tensor, is_map: bool) -> Tensor:
    """Resample bilinearly: images are 0 outside, maps NaN, and between known and unknown pixels the known count."""
    height, width = values.shape[-2:]
    y = (torch.arange(height, device=values.device) * 2 + 1) / height - 1
    x = (torch.arange(width, device=values.device) * 2 + 1) / width - 1
    places = torch.stack([x.expand(height, width), y[:, None].expand(height, width), torch.ones_like(x + y[:, None])])
    moved = torch.einsum("bij,jhw->bhwi", homographies, places)  # (B, H, W, 3)
    grid = moved[..., :2] / moved[..., 2:]
    if not is_map:
        return F.grid_sample(values, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    both = torch.cat([values.nan_to_num(), (~values.isnan()).float()], 1)
    moved_both = F.grid_sample(both, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    found, share = moved_both.chunk(2, 1)
    return torch.where(share > 1e-3, found / share, torch.nan)  # a smaller share is rounding at the crop's edge


def _photometric(images: Tensor, operation: str, rows: NDArray[np.int64], draws: Draws, number: int) -> Tensor:
    where = torch.from_numpy(rows).to(images.device)
    strength = torch.from_numpy(draws.strength[rows, number]).float().to(images.device).view(-1, 1, 1, 1)
    changed = PIXELS[operation](images[where], strength, draws.seed[rows])
    return images.index_copy(0, where, changed.clamp(0, 1))


def _grey(images: Tensor) -> Tensor:
    return (images * torch.tensor(GREY, device=images.device).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _noise(images: Tensor, deviation: Tensor, seeds: NDArray[np.int64]) -> Tensor:
    noise = []
    for seed in seeds.tolist():
        generator = torch.Generator(images.device).manual_seed(seed)  # a row's own: the same in any part of a batch
        noise.append(torch.randn(images.shape[1:], generator=generator, device=images.device))
    return images + deviation * torch.stack(noise)


def _blur(images: Tensor, side: Tensor, seeds: NDArray[np.int64]) -> Tensor:
    """Blur by a Gaussian of OpenCV's usual deviation for the side of its kernel."""
    sides = (2 * ((side.flatten() - 1) / 2).round().long() + 1).tolist()
    result = images.clone()
    for each in set(sides):
        if each < 3:
            continue
        rows = [place for place, one in enumerate(sides) if one == each]
        steps = torch.arange(each, device=images.device) - (each - 1) / 2
        weights = torch.exp(-0.5 * (steps / (0.3 * ((each - 1) / 2 - 1) + 0.8)) ** 2)
        weights = weights / weights.sum()
        padded = F.pad(images[rows], [each // 2] * 4, mode="reflect")
        kernel = weights.view(1, 1, 1, -1).expand(3, 1, 1, -1)
        result[rows] = F.conv2d(F.conv2d(padded, kernel, groups=3), kernel.mT, groups=3)
    return result


def _tint(images: Tensor, most: Tensor, seeds: NDArray[np.int64]) -> Tensor:
    drawn = np.stack([np.random.default_rng(seed).uniform(-1, 1, (3, 1, 1)) for seed in seeds])
    return images * (1 + most * torch.from_numpy(drawn).to(images))


PIXELS: Mapping[str, Callable[[Tensor, Tensor, NDArray[np.int64]], Tensor]] = {
    "noise": _noise,
    "blur": _blur,
    "brightness": lambda images, factor, seeds: images * factor,
    "contrast": lambda images, factor, seeds: _toward(_grey(images).mean((1, 2, 3), keepdim=True), images, factor),
    "saturation": lambda images, factor, seeds: _toward(_grey(images), images, factor),
    "tint": _tint,
    "jpeg": lambda images, quality, seeds: jpeg(images, quality.flatten()),
}


def _toward(point: Tensor, images: Tensor, factor: Tensor) -> Tensor:
    return point + factor * (images - point)
