"""Frames of one file, as far as it decodes, and the settings that every step of a group's task shares."""

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Recipe
from pipeline.crop.staging import Source
from pipeline.errors import DecodeError, SourceError
from pipeline.exclusions import Exclusion
from pipeline.faces.turn import turned
from pipeline.registration.mapping import mapped
from pipeline.video import archives, frames
from pipeline.video.numbering import Numbering, numbering

Frame = NDArray[np.uint8]  # RGB, shape (H, W, 3)
AWAY = {errno.ENOENT, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT}


@dataclass(frozen=True)
class Context:
    """Settings that every step of a group's task shares."""

    root: Path  # the dataset's folder
    recipe: Recipe
    device: str = "cpu"  # for the detector
    cropped: bool = False  # the pictures are face crops already: no detection, the box is the whole frame
    exclude: tuple[Exclusion, ...] = ()  # faces and files that are not used


def numbered(source: Source, context: Context) -> Numbering:
    """Return which frames a file has, and where they are read."""
    found = numbering(context.root / source.video.path, source.frames + source.first)
    return found.starting(source.first)


class Reader:
    """Iterate over the wanted frames of a file that decode; keep the reason why the others do not."""

    def __init__(self, context: Context, source: Source, wanted: Sequence[int] | NDArray[np.int64]) -> None:
        self.path = context.root / source.video.path
        own = {own: int(frame) for frame in wanted if (own := source.own(int(frame))) is not None}
        places = numbered(source, context).places(sorted(own))
        self.places = {own[number]: place for number, place in places.items()}
        self.source, self.frames = source, source.frames
        self.decoder = context.recipe.sampling.decoder
        self.reason = f"the video has only {source.frames} frame{'s' * (source.frames != 1)}"
        self.followed, self.turn = source.followed, source.turn
        self.size = self.followed.size if self.followed else (source.width, source.height)
        self.got: set[int] = set()

    def __iter__(self) -> Iterator[tuple[int, Frame]]:
        indexes = {place: frame for frame, place in sorted(self.places.items(), key=lambda entry: entry[1])}
        try:
            for place, coded in frames.read(self.path, list(indexes), self.decoder):
                frame, picture = indexes[place], turned(coded, self.turn)
                if (size := picture.shape[1::-1]) != self.size:  # in a folder of stills; boxes are of its first one's
                    one, first = (f"{width}x{height}" for width, height in (size, self.size))
                    self.reason = f"frame {frame} is of {one} pixels, the first one of {first}: a folder has one size"
                    return
                self.got.add(frame)
                yield frame, self._moved(picture)
        except DecodeError as error:
            check_there(self.path, error)
            self.reason = str(error)

    def why(self, frame: int) -> str:
        """Return why a wanted frame was not given."""
        if frame not in self.places:
            if self.followed and self.followed.timing.moves and self.source.own(frame) is None:
                return f"none of its frames shows frame {frame} of its real (followed: {self.followed.told})"
            if frame < self.frames:
                return f"the folder has no image of frame {frame}"
        return self.reason

    def _moved(self, picture: Frame) -> Frame:
        if self.followed is None or not self.followed.moved:
            return picture
        size = (self.source.width, self.source.height)
        return mapped(picture, self.followed.transform, size, self.followed.bars)


def side_by_side(fake: Reader, real: Reader) -> Iterator[tuple[int, Frame, Frame]]:
    """Give frames of a fake beside the same of its real, with their index; a damaged file ends both."""
    if fake.followed and fake.followed.rate < 0:  # read in the order of its file, which is the other one
        held = dict(real)
        yield from ((index, picture, held[index]) for index, picture in fake if index in held)
    else:
        yield from ((index, ours, theirs) for (index, ours), (_, theirs) in zip(fake, real, strict=False))


def check_there(path: Path, error: OSError) -> None:
    """Refuse to take a file that is away (a folder unmounted, a server gone) for one that cannot be used.

    Every file was found when the run began. One that is only a link which leads nowhere never was readable.

    Parameters
    ----------
    path : Path
        What could not be read.
    error : OSError
        Why.

    Raises
    ------
    SourceError
        The file is not there.
    """
    file = archives.file_of(path)
    absent = not file.exists() and not file.is_symlink()
    if absent or (not isinstance(error, DecodeError) and error.errno in AWAY):
        raise SourceError(
            f"{path} was there when the run began and cannot be reached now. All that is finished is kept: bring the "
            "dataset's folder back and run the same command again."
        ) from error
