"""Still images and folders of them, read as if they were videos."""

import contextlib
import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pipeline.errors import DecodeError, first_line
from pipeline.video import limits

LOSSLESS_SUFFIXES = frozenset({".png", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"})
SUFFIXES = LOSSLESS_SUFFIXES | {".jpg", ".jpeg", ".webp"}
FORMATS = ("BMP", "DIB", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # others run programs
WIDE = frozenset({"I", "F"})  # Pillow's modes of 32 bits
BROKEN = (  # what Pillow's readers raise, some of it only of headers that lie
    *(OSError, EOFError, ValueError, SyntaxError, ArithmeticError, LookupError, TypeError, AssertionError),
    *(struct.error, zlib.error),
)
BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
# the size is judged here, by the header; that Pillow would only warn of it is then an error like the others
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # of metadata that are not used


def is_still(path: Path) -> bool:
    """Tell whether a path is an image by its suffix, or a folder, which can only be one of images."""
    return path.suffix.lower() in SUFFIXES or path.is_dir()


def is_lossless(path: Path) -> bool:
    """Tell whether a file lost nothing when it was written: a still of a lossless format, or a folder of such.

    Videos count as lossy, whatever their codec: a data set that has lossless videos declares them `raw`.
    """
    files = members(path) if path.is_dir() else [path]
    return bool(files) and all(file.suffix.lower() in LOSSLESS_SUFFIXES for file in files)


def members(path: Path) -> list[Path]:
    """List the images of a folder in natural order (frame2 before frame10): their positions are the frame indexes.

    A path that is no folder is its own only member. Files that are no images by their suffix, and hidden ones, are
    left out.

    Raises
    ------
    DecodeError
        The folder cannot be listed or holds no image.
    """
    if not path.is_dir():
        return [path]
    try:
        images = [file for file in path.iterdir() if _is_image(file) and file.is_file()]
    except OSError as error:
        raise DecodeError(f"The folder {path} cannot be listed: {first_line(error)}.") from error
    if not images:
        raise DecodeError(f"The folder {path} holds no image.")
    return sorted(images, key=_natural)


def load(path: Path, content: BinaryIO | None = None) -> NDArray[np.uint8]:
    """Read one image, upright: the camera's orientation tag (EXIF) is applied, as players do.

    Transparency is dropped, grey becomes three equal channels, 16 bits become 8.

    Parameters
    ----------
    path : Path
        The file, or what to call it.
    content : binary stream, optional
        Its bytes, where they are not in a file of their own.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        RGB.

    Raises
    ------
    DecodeError
        The file is missing, no image, or damaged anywhere in its pixels.
    """
    with opened(path, content) as image:
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode in WIDE and image.format != "PPM":  # that has 16 bits, as larger numbers
            raise DecodeError(
                f"The image {path} has 32 bits a pixel, whose black and white are unknown: save it as PNG."
            )
        if image.mode.startswith("I"):
            grey = (np.asarray(image) >> 8).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
        return np.array(image.convert("RGB"), np.uint8)


@contextlib.contextmanager
def opened(path: Path, content: BinaryIO | None = None, what: str = "image") -> Iterator[Image.Image]:
    """Open an image by Pillow, for a block in which each of its errors says that this file is to blame.

    Parameters
    ----------
    path : Path
        The file, or what to call it.
    content : binary stream, optional
        Its bytes, where they are not in a file of their own.
    what : str
        Names its kind in an error sentence.

    Raises
    ------
    DecodeError
        The file is missing, no image, too large, or the block finds it damaged.
    """
    if content is None:
        limits.check_regular(path)
    try:
        with Image.open(content or path, formats=FORMATS) as image:
            limits.check_size(path, *image.size)
            yield image
    except DecodeError:
        raise
    except FileNotFoundError:
        raise DecodeError(f"The {what} {path} does not exist.") from None
    except BOMBS as error:
        raise limits.too_large(path) from error
    except BROKEN as error:
        raise DecodeError(f"The {what} {path} cannot be read: {first_line(error)}.") from error


def read(path: Path, wanted: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield the index and RGB pixels, shape (H, W, 3), of a folder's wanted images, or of a still; sizes may differ.

    Raises
    ------
    DecodeError
        A wanted image cannot be read or does not exist; those before it have been given.
    """
    files = members(path)
    for index in wanted:
        if index >= len(files):
            raise DecodeError(f"{path} has {len(files)} frames; frame {index} does not exist.")
        yield index, load(files[index])


def _is_image(file: Path) -> bool:
    if file.name.startswith("."):
        return False
    # VidTIMIT's frames are called 001, 002, ... without an ending
    return file.suffix.lower() in SUFFIXES or file.name.isdecimal()


def _natural(file: Path) -> tuple[list[tuple[int, int, str]], str]:
    parts = re.findall(r"\d+|\D+", file.name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts], file.name
