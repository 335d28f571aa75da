"""What is taken of a video's frames while its faces are found, so that they need not be decoded again to be cropped."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Cropping
from pipeline.crop import crops
from pipeline.crop.alignment import thumbnail
from pipeline.crop.reading import Frame
from pipeline.crop.staging import Crops
from pipeline.faces.detected import Detected

FEW = 4  # faces of one frame that are cropped before it is known which are used; in a crowd, decoding again is cheaper

Box = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Kept:
    """Staged crops of the faces that were found, and thumbnails of their frames.

    `add` is given to `faces.tracks.follow`. Crops of faces that turn out not to be used stay staged, without a row.
    """

    staged: Crops
    settings: Cropping
    thumbs: dict[int, NDArray[np.uint8]] = field(default_factory=dict)  # by frame, from `alignment.thumbnail`
    offsets: dict[tuple[int, bytes], int] = field(default_factory=dict)  # by frame and detected box, counted in crops

    def add(self, frame: int, picture: Frame, found: Sequence[Detected]) -> None:
        """Crop what was found in one frame, if that is not a crowd."""
        if not 0 < len(found) <= FEW:
            return
        self.thumbs[frame] = thumbnail(picture)
        height, width = picture.shape[:2]
        for face in found:
            left, top, right, bottom = face.box.tolist()
            if left < right and top < bottom:
                box = crops.enlarge(face.box, width, height, self.settings)
                self.offsets[_key(frame, face.box)] = self.staged.append(crops.crop(picture, box, self.settings))

    def offset(self, frame: int, box: Box) -> int:
        """Return where the crop of a detection is staged."""
        return self.offsets[_key(frame, box)]

    def has(self, wanted: Iterable[tuple[int, Box]]) -> bool:
        """Tell whether every one of some detections was cropped."""
        return all(_key(frame, box) in self.offsets for frame, box in wanted)


def _key(frame: int, box: Box) -> tuple[int, bytes]:
    return frame, np.asarray(box, np.float32).tobytes()
