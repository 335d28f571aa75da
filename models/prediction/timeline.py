"""Timeline of a video: the score of every face over its frames, with a line at the frame that is shown."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.prediction.drawing import GREY, MIDDLE, Picture

DPI = 100
FONT = 10  # points: 14 pixels
SHARE = 0.22  # of the picture's width
LOWEST, HIGHEST = 150, 240  # pixels
SHOWN = 8  # faces in the legend
GAP = 3.0  # in median steps between sampled frames: over longer gaps no line is drawn
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")  # Okabe and Ito
CURSOR = (20, 20, 20)


@dataclass(frozen=True, eq=False)
class Timeline:
    """A strip, (H, W, 3) uint8, and how a frame's index becomes a column of it."""

    strip: Picture
    start: float  # column of frame 0
    step: float  # columns a frame
    top: int
    bottom: int

    def at(self, frame: int) -> Picture:
        """Return the strip with a line at a frame."""
        column = min(max(round(self.start + self.step * frame), 0), self.strip.shape[1] - 2)
        shown = self.strip.copy()
        shown[self.top : self.bottom, column : column + 2] = CURSOR
        return shown


def draw(faces: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]], frames: int, width: int) -> Timeline:
    """Draw a timeline.

    Parameters
    ----------
    faces : sequence of (ndarray of shape (n,), int64, ndarray of shape (n,), float64)
        Frames and scores of each face, in the order of their numbers.
    frames : int
        Of the whole video.
    width : int
        Of the strip, pixels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = int(min(max(SHARE * width, LOWEST), HIGHEST))
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((66 / width, 42 / height, 1 - 82 / width, 1 - 56 / height))
    axes.axhline(MIDDLE, color=[level / 255 for level in GREY], linestyle=":", linewidth=1)
    for number, (places, scores) in enumerate(faces, 1):
        x, y = _broken(places, scores)
        colour = COLOURS[(number - 1) % len(COLOURS)]
        label = f"face {number}" if number <= SHOWN else None
        axes.plot(x, y, "-o", color=colour, markersize=3, linewidth=1.5, label=label)
    axes.set_xlim(-0.5, max(frames - 0.5, 0.5))
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks([0, 0.5, 1], ["0 real", "0.5", "1 fake"], fontsize=FONT)
    axes.tick_params(axis="x", labelsize=FONT)
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("frame", fontsize=FONT, labelpad=1)
    axes.spines[["top", "right"]].set_visible(False)
    if len(faces) > 1:
        axes.legend(fontsize=FONT, loc="upper right", ncols=4, framealpha=0.8, borderaxespad=0.1)
    canvas.draw()  # type: ignore[no-untyped-call]
    strip = np.array(canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]
    (start, high), (after, low) = axes.transData.transform([(0, 1), (1, 0)])
    top, bottom = strip.shape[0] - round(high), strip.shape[0] - round(low)
    return Timeline(np.ascontiguousarray(strip), float(start), float(after - start), max(top, 0), bottom)


def _broken(places: NDArray[np.int64], scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Put a gap into a line where the face is not seen for a while."""
    steps = np.diff(places)
    gaps = np.flatnonzero(steps > GAP * np.median(steps)) + 1 if len(steps) else np.empty(0, np.int64)
    return np.insert(places.astype(np.float64), gaps, np.nan), np.insert(scores, gaps, np.nan)
