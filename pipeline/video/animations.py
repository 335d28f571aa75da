"""Animated PNG, GIF and WebP, read as the sequences of frames that they are."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from pipeline.errors import DecodeError
from pipeline.video.stills import opened

ALWAYS = frozenset({".gif", ".apng"})  # of one frame too
SUFFIXES = ALWAYS | {".png", ".webp"}


def is_animated(path: Path) -> bool:
    """Tell whether a file is an image of several frames, or of a format made for them; False if it cannot be read."""
    suffix = path.suffix.lower()
    if suffix in ALWAYS or suffix not in SUFFIXES or not path.is_file():
        return suffix in ALWAYS and path.is_file()
    try:
        with opened(path) as image:
            return bool(getattr(image, "is_animated", False))
    except DecodeError:
        return False


def measure(path: Path) -> tuple[int, int, int]:
    """Return the number of frames of an animation, its width and height.

    A PNG's picture for programs that show no animation is none of its frames.

    Raises
    ------
    DecodeError
        It cannot be read.
    """
    with opened(path, what="animation") as image:
        return _frames(image), image.width, image.height


def rate(path: Path) -> float:
    """Return frames per second, by the mean of what the frames last; 0 where nothing is stated or can be read."""
    lasting = []
    try:
        with opened(path) as image:
            for frame in ImageSequence.Iterator(image):
                frame.load()  # a WebP states a frame's duration only then
                lasting.append(float(frame.info.get("duration", 0)) / 1000)
            shown = lasting[_hidden(image) :]
    except DecodeError:
        return 0.0
    return len(shown) / sum(shown) if sum(shown) > 0 else 0.0


def read(path: Path, wanted: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield the index and RGB pixels, shape (H, W, 3), of the wanted frames as a player shows them, one after another.

    Raises
    ------
    DecodeError
        A wanted frame cannot be read or does not exist; those before it have been given.
    """
    count = 0
    with opened(path, what="animation") as image:
        first, count = _hidden(image), _frames(image)
        for index in wanted:
            if index >= count:
                break
            image.seek(first + index)
            yield index, np.array(image.convert("RGB"), np.uint8)
    if wanted and wanted[-1] >= count:
        missing = next(index for index in wanted if index >= count)
        raise DecodeError(f"{path} has {count} frames; frame {missing} does not exist.")


def _frames(image: Image.Image) -> int:
    return int(getattr(image, "n_frames", 1)) - _hidden(image)


def _hidden(image: Image.Image) -> int:
    return int(bool(getattr(image, "default_image", False)))
