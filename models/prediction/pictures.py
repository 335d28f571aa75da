"""Pictures of what was judged: a still as a whole, a video as annotated video; made in a process of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.prediction import drawing, timeline
from models.prediction.drawing import Mark, Picture
from models.prediction.finding import Search
from pipeline.config import Cropping
from pipeline.crop.reading import Reader
from pipeline.crop.staging import Source
from pipeline.files import replacing
from pipeline.store.writing import writing
from pipeline.video.encode import write_video

LONGEST_STILL, LONGEST_VIDEO = 2560, 1280  # pixels, of the longer side; larger pictures are scaled down
SLOWEST, USUAL, FASTEST = 2.0, 5.0, 60.0  # frames per second; usual: where the source states none
CRF = 20


@dataclass(frozen=True, eq=False)
class Marked:
    """One face to draw: n frames, boxes (n, 4), scores (n,), and the rows (n,) of its maps in the staged file."""

    frames: NDArray[np.int64]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float64]
    rows: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Drawing:
    """What a process needs to draw one file.

    Attributes
    ----------
    search : Search
        How it was read.
    source : Source
    asked : ndarray of shape (n,), int64
        Frames to show.
    faces : tuple of Marked
        In the order of their numbers.
    cropping : Cropping
        Of the crops whose maps are drawn.
    heat : Path or None
        Their maps, raw uint8, (rows, S, S).
    lines : tuple of str
        Caption; in a video the line after the first says which frame it is.
    rate : float
        Frames per second of the source; 0 where it states none.
    path : Path
        Where to write, without ending.
    """

    search: Search
    source: Source
    asked: NDArray[np.int64]
    faces: tuple[Marked, ...]
    cropping: Cropping
    heat: Path | None
    lines: tuple[str, ...]
    rate: float
    path: Path


def draw(drawing_: Drawing) -> str:
    """Write the picture of one file and return its name: a PNG of a still, an MP4 of anything with several frames.

    A video shows every sampled frame that can be read, at a rate at which it lasts as long as the source.

    Raises
    ------
    WriteError
    """
    if len(drawing_.asked) == 1 and drawing_.source.frames == 1:
        path = drawing_.path.with_name(f"{drawing_.path.name}.png")
        pages = list(_pages(drawing_, LONGEST_STILL, None))
        with writing(str(path)), replacing(path) as part:
            Image.fromarray(pages[0]).save(part, format="PNG")
        return path.name
    path = drawing_.path.with_name(f"{drawing_.path.name}.mp4")
    scale, _ = _scaled(drawing_.source, LONGEST_VIDEO)
    width = max(round(drawing_.source.width * scale), 1)
    shown = [(face.frames, face.scores) for face in drawing_.faces]
    line = timeline.draw(shown, drawing_.source.frames, width)
    rate = _rate(drawing_.rate, len(drawing_.asked), drawing_.source.frames)
    write_video(path, _pages(drawing_, LONGEST_VIDEO, line), fps=rate, crf=CRF)
    return path.name


def _rate(rate: float, shown: int, frames: int) -> float:
    """Return the frames per second at which so many of a video's frames last as long as all of them do."""
    return min(max(rate * shown / frames, SLOWEST), FASTEST) if rate else USUAL


def _scaled(source: Source, longest: int) -> tuple[float, int]:
    scale = drawing.zoom(source.width, source.height, longest)
    return scale, drawing.text_side(round(source.width * scale), round(source.height * scale))


def _pages(drawing_: Drawing, longest: int, line: timeline.Timeline | None) -> Iterator[Picture]:
    """Yield every frame with its faces and what stands below it; both sides are even where it is a video's."""
    scale, side = _scaled(drawing_.source, longest)
    heat = _maps(drawing_)
    for index, frame in Reader(drawing_.search.context, drawing_.source, drawing_.asked):
        marks = _marks(drawing_.faces, index, heat)
        shown = drawing.annotate(frame, marks, scale, drawing_.cropping)
        first, *rest = drawing_.lines
        lines = [first, *rest] if line is None else [first, _about(index, drawing_.source.frames, marks), *rest]
        parts = [shown, drawing.caption(lines, shown.shape[1], side)]
        if line is not None:
            parts.append(line.at(index))
        page = np.concatenate(parts)
        if line is not None:
            page = np.pad(page, ((0, page.shape[0] % 2), (0, page.shape[1] % 2), (0, 0)), mode="edge")
        yield page


def _about(index: int, frames: int, marks: Sequence[Mark]) -> str:
    here = ", ".join(f"face {mark.number} {mark.score:.2f}" for mark in marks) or "no face"
    return f"frame {index} of {frames}: {here}"


def _marks(faces: Sequence[Marked], index: int, heat: Picture | None) -> list[Mark]:
    marks = []
    for number, face in enumerate(faces, 1):
        for place in np.flatnonzero(face.frames == index).tolist():
            own = None if heat is None else np.asarray(heat[face.rows[place]])
            marks.append(Mark(number, face.boxes[place], float(face.scores[place]), own))
    return marks


def _maps(drawing_: Drawing) -> Picture | None:
    if drawing_.heat is None:
        return None
    size = drawing_.cropping.size
    return np.memmap(drawing_.heat, dtype=np.uint8, mode="r").reshape(-1, size, size)
