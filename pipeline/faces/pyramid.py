"""Pixels for MTCNN's networks: pyramid levels and patches of a frame, averaged on the device by integral images.

Sums of pixels are exact integers, so every device gives the networks the same inputs.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

ROWS = 128  # of a level that are averaged at once on a CPU: all of them, of a 4K frame, take 300 MB
Span = tuple[int, NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Level:
    """Part of one pyramid level: `pixels` (1, 3, h, w), normalised; its `left` and `top` within the level, pixels."""

    pixels: Tensor
    left: int
    top: int


class Picture:
    """A frame on a device, of which the sum of any rectangle is known.

    Parameters
    ----------
    frame : ndarray of shape (H, W, 3), uint8
        RGB.
    device : torch.device
    at_once : bool
        Sum the whole frame up at once, on the device, which is faster on a GPU; else each part when it is needed.
    """

    def __init__(self, frame: NDArray[np.uint8], device: torch.device, at_once: bool) -> None:
        self.height, self.width = frame.shape[:2]
        self.device = device
        self._frame = frame
        self._whole: Tensor | None = None
        if at_once:
            pixels = torch.from_numpy(np.ascontiguousarray(frame)).to(device, non_blocking=True)
            columns = pixels.cumsum(0, dtype=torch.int32)
            self._whole = pad(columns.cumsum(1, dtype=torch.int32), (0, 0, 1, 0, 1, 0))

    def levels(self, region: Sequence[float], scales: Sequence[float]) -> Iterator[tuple[float, Level]]:
        """Give for each scale the part of the level that shows a region.

        A level's pixel is the mean of the whole frame's pixels it touches (`interpolate(mode="area")`).
        """
        spans = [
            (_span(region[0], region[2], self.width, scale), _span(region[1], region[3], self.height, scale))
            for scale in scales
        ]
        if not spans:
            return
        sums, left, top = self._sums(
            min(across[1][0] for across, _ in spans),
            min(down[1][0] for _, down in spans),
            max(across[2][-1] for across, _ in spans),
            max(down[2][-1] for _, down in spans),
        )
        for scale, ((column, lows, highs), (row, tops, bottoms)) in zip(scales, spans, strict=True):
            places = [self._at(each - first) for each, first in ((lows, left), (highs, left))]
            level = torch.empty(len(tops), len(lows), 3, device=self.device)
            block = len(tops) if self._whole is not None else ROWS
            for start in range(0, len(tops), block):
                some = slice(start, start + block)
                area = self._at((bottoms - tops)[some, None] * (highs - lows))[..., None]
                total = _rectangles(sums, self._at(tops[some] - top), self._at(bottoms[some] - top), *places)
                level[some] = normal((total.double() / area).float())
            yield scale, Level(level[None].permute(0, 3, 1, 2), column, row)

    def patches(self, boxes: Tensor, side: int) -> tuple[Tensor, Tensor]:
        """Resize what each box shows of the frame.

        Parameters
        ----------
        boxes : Tensor of shape (n, 4), float32
            Left, top, right, bottom, pixels of the frame.
        side : int

        Returns
        -------
        inside : Tensor of shape (n,), bool
            Boxes that show a part of the frame.
        patches : Tensor of shape (m, 3, side, side), float32
            Of those m boxes, normalised.
        """
        corners = boxes.trunc().long()
        lows = corners[:, :2].clamp(min=1) - 1
        highs = torch.minimum(corners[:, 2:], torch.tensor([self.width, self.height], device=self.device))
        inside = (highs > lows).all(1)
        lows, highs = lows[inside], highs[inside]
        if not len(lows):
            return inside, torch.zeros(0, 3, side, side, device=self.device)
        # reading the boxes' bounds back would make a GPU wait
        bounds = (0, 0, self.width, self.height) if self._whole is not None else (*lows.amin(0), *highs.amax(0))
        sums, left, top = self._sums(*map(int, bounds))
        starts, ends = _windows(lows, highs - lows, side)  # (m, side, 2)
        counts = (ends - starts).float()
        starts, ends = (part - torch.tensor([left, top], device=self.device) for part in (starts, ends))
        (x0, y0), (x1, y1) = ((part[:, None, :, 0], part[:, :, None, 1]) for part in (starts, ends))
        total = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]  # (m, side, side, 3)
        mean = total.float() / counts[:, :, None, 1, None] / counts[:, None, :, 0, None]
        return inside, normal(mean).permute(0, 3, 1, 2)

    def _sums(self, left: int, top: int, right: int, bottom: int) -> tuple[Tensor, int, int]:
        """Return an integral image (h + 1, w + 1, 3), int32, of at least this part, and its own left and top."""
        if self._whole is not None:
            return self._whole, 0, 0
        part = np.ascontiguousarray(self._frame[top:bottom, left:right])
        return torch.from_numpy(cv2.integral(part, sdepth=cv2.CV_32S)), left, top

    def _at(self, places: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(places).to(self.device, non_blocking=True)


def _rectangles(sums: Tensor, tops: Tensor, bottoms: Tensor, lows: Tensor, highs: Tensor) -> Tensor:
    """Return the sums over rectangles: every row of them with every column, shape (rows, columns, 3)."""
    strips = sums[bottoms] - sums[tops]
    return strips[:, highs] - strips[:, lows]


def normal(pixels: Tensor) -> Tensor:
    """Scale grey levels 0..255 as the networks were trained with, to about -1..1."""
    return (pixels - 127.5) * 0.0078125


def _span(low: float, high: float, length: int, scale: float) -> Span:
    """Return the first level pixel that shows the region along one axis, and the frame pixels each averages."""
    pixels = int(length * scale + 1)
    first = max(0, math.floor(low * pixels / length)) // 2 * 2  # on the first network's own stride of 2
    last = min(pixels, math.ceil(high * pixels / length))
    last = min(pixels, last + (last - first) % 2)  # or the network's pooling would end on half a window
    at = np.arange(first, last)
    return first, at * length // pixels, -(-(at + 1) * length // pixels)


def _windows(lows: Tensor, sides: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Divide (n, 2) sides into windows that `interpolate(mode="area")` averages: (n, count, 2) starts and ends."""
    at = torch.arange(count, device=lows.device)[:, None]
    starts = at * sides[:, None] // count
    ends = -(-(at + 1) * sides[:, None] // count)
    return lows[:, None] + starts, lows[:, None] + ends
