"""Annotated frames: every face boxed, scored, and its map laid over it; and a caption below."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pipeline.config import Cropping
from pipeline.crop import crops

Picture = NDArray[np.uint8]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
NARROW = 560  # pixels: a narrower picture is enlarged, so that what is written on it can be read
FAKE_COLOUR, REAL_COLOUR = (200, 30, 45), (25, 95, 175)  # of scores from 0.5 and below it: red and blue
MIDDLE = 0.5
SHADE = 0.65  # share of the colour where a map is 1; where it is 0 the picture stays as it is
PAPER, INK, GREY = (255, 255, 255), (20, 20, 20), (95, 95, 95)


@dataclass(frozen=True, eq=False)
class Mark:
    """One face of one frame: its number, what was judged (4,), its score, and the map of its crop (S, S), uint8."""

    number: int
    box: NDArray[np.float32]
    score: float
    heat: Picture | None = None


def zoom(width: int, height: int, longest: int) -> float:
    """Return by how much a picture is scaled before it is drawn on: small ones up by a whole number, huge ones down."""
    if max(width, height) > longest:
        return longest / max(width, height)
    return float(max(1, min(-(-NARROW // width), longest // max(width, height))))


def annotate(frame: Picture, marks: Sequence[Mark], scale: float, cropping: Cropping) -> Picture:
    """Draw on a frame.

    Parameters
    ----------
    frame : ndarray of shape (H, W, 3), uint8
        RGB.
    marks : sequence of Mark
    scale : float
        From `zoom`.
    cropping : Cropping
        Of the crops whose maps are drawn.

    Returns
    -------
    ndarray of shape (round(scale H), round(scale W), 3), uint8
    """
    shown = _heated(frame, marks, cropping)
    if scale != 1:
        size = (max(round(frame.shape[1] * scale), 1), max(round(frame.shape[0] * scale), 1))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        shown = np.asarray(cv2.resize(shown, size, interpolation=how), np.uint8)
    page = Image.fromarray(shown)
    pen, side = ImageDraw.Draw(page), text_side(*page.size)
    for mark in sorted(marks, key=lambda one: one.score):  # the most suspicious one on top
        _box(pen, page.size, mark, scale, side)
    return np.asarray(page)


def text_side(width: int, height: int) -> int:
    """Return the height of letters on a picture, pixels."""
    return int(min(max(round(min(width, height) / 28), 16), 40))


def caption(lines: Sequence[str], width: int, side: int) -> Picture:
    """Return a white strip with lines of text: the first is shortened in its middle to fit, the others are broken.

    Parameters
    ----------
    lines : sequence of str
    width : int
        Pixels.
    side : int
        Height of the letters, pixels.

    Returns
    -------
    ndarray of shape (H, width, 3), uint8
    """
    gap = round(side * 0.45)
    large, small = ImageFont.load_default(side), ImageFont.load_default(round(side * 0.88))
    told = [_shortened(lines[0], large, width - 2 * gap)]
    for line in lines[1:]:
        told += _broken(line, small, width - 2 * gap)
    page = Image.new("RGB", (width, gap + len(told) * (side + gap)), PAPER)
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(told):
        place = (gap, gap + number * (side + gap))
        pen.text(place, line, GREY if number else INK, small if number else large)
    return np.asarray(page)


def _shortened(text: str, font: Font, width: float) -> str:
    shown, keep = text, len(text)
    while font.getlength(shown) > width and keep > 8:
        keep -= 1
        shown = f"{text[: keep - keep // 2]}...{text[len(text) - keep // 2 :]}"
    return shown


def _broken(text: str, font: Font, width: float) -> list[str]:
    """Break a text between its words into lines that fit."""
    found = [""]
    for word in text.split():
        longer = f"{found[-1]} {word}".strip()
        if font.getlength(longer) > width and found[-1]:
            found.append(word)
        else:
            found[-1] = longer
    return found


def _heated(frame: Picture, marks: Sequence[Mark], cropping: Cropping) -> Picture:
    """Lay each face's map over it, at the place and size of what was cropped."""
    height, width = frame.shape[:2]
    shown = frame.astype(np.float32)
    for mark in marks:
        if mark.heat is None:
            continue
        # crop pixel of each frame pixel's centre: the two axes are a scale and a shift each
        low, high = crops.to_crop(np.array([[0.5, 0.5], [1.5, 1.5]]), mark.box, cropping).astype(np.float64)
        steps = high - low
        to_crop = np.array([[steps[0], 0, low[0] - 0.5], [0, steps[1], low[1] - 0.5]])
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        heat = cv2.warpAffine(mark.heat, to_crop, (width, height), flags=how, borderMode=cv2.BORDER_CONSTANT)
        inside = np.zeros((height, width, 1), np.float32)
        left, top, right, bottom = (round(float(edge)) for edge in mark.box)
        inside[max(top, 0) : bottom, max(left, 0) : right] = SHADE
        share = inside * (heat[..., None].astype(np.float32) / 255)
        colours = cv2.applyColorMap(heat, cv2.COLORMAP_TURBO)[..., ::-1].astype(np.float32)
        shown = shown * (1 - share) + colours * share
    return np.asarray(np.rint(shown), np.uint8)


def _box(pen: ImageDraw.ImageDraw, size: tuple[int, int], mark: Mark, scale: float, side: int) -> None:
    """Draw a box and, above it where there is room, the face's number and score."""
    colour = FAKE_COLOUR if mark.score >= MIDDLE else REAL_COLOUR
    left, top, right, bottom = (float(edge) * scale for edge in mark.box)
    line = max(2, side // 7)
    pen.rectangle((left, top, right - 1, bottom - 1), outline=colour, width=line)
    font = ImageFont.load_default(side)
    text = f"{mark.number}: {mark.score:.2f}"
    wide, pad = pen.textlength(text, font), side * 0.25
    x = min(max(left, 0.0), size[0] - wide - 2 * pad)
    y = top - side - 2 * pad
    if y < 0:
        y = max(top, 0.0)
    pen.rectangle((x, y, x + wide + 2 * pad, y + side + 2 * pad), fill=colour)
    pen.text((x + pad, y + pad + side / 2), text, PAPER, font, anchor="lm")
