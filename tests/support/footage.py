"""What the look-alikes' files show: one face, moving, its colours a person's own; fakes differ in an ellipse."""

import functools
import io
import tarfile
from pathlib import Path

import cv2
import lookalikes
import numpy as np
import skimage.data
from numpy.typing import NDArray

from pipeline.video.encode import write_video

SIZE = 320  # pixels
FRAMES = 5
CRF = {"raw": 0, "c23": 23, "c40": 40}
CENTRE, AXES = (160, 150), (42, 55)  # of the manipulated ellipse

Frame = NDArray[np.uint8]


def fill(path: Path, file: lookalikes.File) -> None:
    """Write a file of a look-alike with pictures in it."""
    if path.name.endswith(".tar.gz"):
        _archive(path, file)
    elif path.suffix == ".png":
        cv2.imwrite(str(path), _crop(frame(file.role, file.person, 0))[..., ::-1])
    elif not path.suffix:
        path.mkdir()
        for number in range(FRAMES):
            picture = cv2.imencode(".jpg", frame(file.role, file.person, number)[..., ::-1])[1]
            ending = "" if file.person % 2 else ".jpg"  # VidTIMIT has none
            (path / f"{number + 1:03}{ending}").write_bytes(picture.tobytes())
    else:
        path.write_bytes(_film(path.parent, file.role, file.person, CRF[file.compression]))


@functools.cache
def frame(role: str, person: int, number: int) -> Frame:
    """Return one frame: of the real video, of its fake, or of the mask between them.

    Returns
    -------
    ndarray of shape (320, 320, 3), uint8
        RGB; white in a mask is manipulated.
    """
    left, top = 66 + 2 * number + person, 4 + number
    photograph = skimage.data.astronaut()[top : top + SIZE, left : left + SIZE]
    tint = np.random.default_rng(person).uniform(0.75, 1.0, 3)
    real = np.rint(photograph * tint).astype(np.uint8)
    inside = np.zeros((SIZE, SIZE, 3), np.uint8)
    centre = (CENTRE[0] - 2 * number - person, CENTRE[1] - 34 - number)
    cv2.ellipse(inside, centre, AXES, 0, 0, 360, (255, 255, 255), cv2.FILLED)
    if role == "mask":
        return inside
    swapped = cv2.GaussianBlur(real[..., ::-1], (0, 0), 2)  # red and blue change places
    return np.where(inside > 0, swapped, real) if role == "fake" else real


@functools.cache
def _film(folder: Path, role: str, person: int, crf: int) -> bytes:
    path = folder / "draft.mp4"
    pictures = (frame(role, person, number) for number in range(FRAMES))
    write_video(path, pictures, fps=25, crf=0 if role == "mask" else crf)
    content = path.read_bytes()
    path.unlink()
    return content


def _crop(picture: Frame) -> Frame:
    return np.ascontiguousarray(picture[30:220, 60:250])


def _archive(path: Path, file: lookalikes.File) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for sequence in (3, 12):
            for number in range(FRAMES):
                picture = _crop(frame(file.role, file.person, number))[..., ::-1]
                content = cv2.imencode(".png", picture)[1].tobytes()
                about = tarfile.TarInfo(f"{sequence}/{number * 7}.png")
                about.size = len(content)
                archive.addfile(about, io.BytesIO(content))
