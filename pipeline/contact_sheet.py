"""Contact sheet: a grid of small pictures with titled columns and rows."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

HEAD = 20  # pixels above the pictures, for the titles of the columns
BORDER = 1  # white pixels around each picture, inside its tile
FONT = 12  # pixels
WHITE = (255, 255, 255)
UNKNOWN = (96, 96, 160)  # colour of pixels without a label, in pictures of labels

Picture = NDArray[np.uint8]


def contact_sheet(
    pictures: Sequence[Sequence[Picture]], columns: Sequence[str], rows: Sequence[str], side: int, margin: int
) -> Picture:
    """Lay pictures out in a grid.

    Parameters
    ----------
    pictures : sequence of sequences of ndarray of shape (H, W, 3) or (H, W, 1), uint8
        The rows of the grid, all of the same length; RGB or grey, each of any size.
    columns, rows : sequence of str
        Titles above the columns and left of the rows; they may have several lines.
    side : int
        Side of a tile, pixels: a picture is resized to it, without regard to its shape.
    margin : int
        Width of the row titles, pixels.

    Returns
    -------
    ndarray of shape (HEAD + rows * side, margin + columns * side, 3), uint8
        RGB on white.
    """
    page = Image.new("RGB", (margin + len(columns) * side, HEAD + len(rows) * side), WHITE)
    body = np.concatenate([np.concatenate([tile(each, side) for each in row], axis=1) for row in pictures])
    page.paste(Image.fromarray(body), (margin, HEAD))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(FONT)
    for number, title in enumerate(columns):
        pen.text((margin + (number + 0.5) * side, HEAD / 2), title, "black", font, anchor="mm")
    for number, title in enumerate(rows):
        pen.multiline_text(
            (margin / 2, HEAD + (number + 0.5) * side), title, "black", font, anchor="mm", align="center"
        )
    return np.asarray(page)


def tile(picture: Picture, side: int) -> Picture:
    """Return a picture (H, W, 3) or (H, W, 1) resized to (side, side, 3), its white border included."""
    colour = np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))
    inner = side - 2 * BORDER
    small = cv2.resize(colour, (inner, inner), interpolation=cv2.INTER_AREA)
    return np.asarray(
        cv2.copyMakeBorder(small, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_CONSTANT, value=WHITE), np.uint8
    )
