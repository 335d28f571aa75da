"""Lists of faces marked bad, as CSV files: written by the viewer, honoured by a run and by training."""

import csv
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigError
from pipeline.files import refused, replacing

EDGES = ("left", "top", "right", "bottom")
SAME = 0.5  # intersection over union from which two boxes are of one face: another recipe enlarges by another factor
Box = tuple[float, float, float, float]
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Exclusion:
    """One line: a face of one frame of a file; without a box every face of the frame, without a frame the whole file.

    Attributes
    ----------
    video : str
        Path relative to the dataset's root, as in `video_path`.
    frame : int or None
    box : tuple of float or None
        Left, top, right, bottom of the enlarged box, pixels of that file.
    dataset : str
        Empty: any.
    note : str
        Why.
    about : dict of str to str
        Further columns, such as the row in the store it was marked in; they decide nothing.
    """

    video: str
    frame: int | None = None
    box: Box | None = None
    dataset: str = ""
    note: str = ""
    about: dict[str, str] = dataclasses.field(default_factory=dict)

    def shows(self, frame: int, box: Sequence[float] | NDArray[Any]) -> bool:
        """Tell whether a face of its file, given by the frame's index and the enlarged box, is meant."""
        if self.frame is not None and self.frame != frame:
            return False
        return self.box is None or _overlap(self.box, box) >= SAME

    def key(self) -> list[Any]:
        """Return what decides which faces go, and the note, as plain values; `from_key` makes them a line again."""
        return [self.video, self.frame, None if self.box is None else list(self.box), self.note]


def from_key(key: Sequence[Any]) -> Exclusion:
    """Return the line with a `key`."""
    video, frame, box, note = key
    return Exclusion(video, frame, None if box is None else tuple(box), note=note)


def _overlap(one: Box, other: Sequence[float] | NDArray[Any]) -> float:
    """Return the intersection over union of two boxes; 0 where one of them has no area."""
    edges = np.array([one, other], np.float64)
    inner = edges[:, :2].max(0), edges[:, 2:].min(0)
    shared = float(np.maximum(inner[1] - inner[0], 0).prod())
    both = float(np.maximum(edges[:, 2:] - edges[:, :2], 0).prod(axis=1).sum()) - shared
    return shared / both if both > 0 else 0.0


def read(path: Path) -> tuple[Exclusion, ...]:
    """Read a list.

    Raises
    ------
    ConfigError
        It cannot be read, has no column `video`, or a number in it is none; the line is named.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            lines = csv.DictReader(stream)
            if "video" not in (lines.fieldnames or ()):
                raise ConfigError(f"{path} has no column video; the first line names the columns: video, frame, ...")
            return tuple(_exclusion(line, f"{path}, line {lines.line_num}") for line in lines)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read as a CSV file: {error}.") from error


def _exclusion(line: dict[str, str | None], where: str) -> Exclusion:
    text = {name: (value or "").strip() for name, value in line.items() if isinstance(name, str)}
    video, frame, edges = text.pop("video"), text.pop("frame", ""), [text.pop(edge, "") for edge in EDGES]
    if not video:
        raise ConfigError(f"{where}: video is empty.")
    try:
        box = tuple(map(float, edges)) if any(edges) else None
        number = int(frame) if frame else None
    except ValueError as error:
        raise ConfigError(f"{where}: {error}; frame is a whole number, a box has four edges in pixels.") from error
    if box is not None and number is None:
        raise ConfigError(f"{where}: a box without a frame; give the frame, or leave out the box.")
    found = Exclusion(video, number, None, text.pop("dataset", ""), text.pop("note", ""), text)
    return found if box is None else dataclasses.replace(found, box=(box[0], box[1], box[2], box[3]))


def write(path: Path, lines: Iterable[Exclusion]) -> None:
    """Replace a list.

    Raises
    ------
    WriteError
        The file cannot be written; what was there stays.
    """
    lines = list(lines)
    more = list(dict.fromkeys(name for line in lines for name in line.about))
    try:
        with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["dataset", "video", "frame", *EDGES, "note", *more])
            for line in lines:
                frame = "" if line.frame is None else line.frame
                box = [""] * 4 if line.box is None else [f"{edge:.2f}" for edge in line.box]
                about = [line.about.get(name, "") for name in more]
                writer.writerow([line.dataset, line.video, frame, *box, line.note, *about])
    except OSError as error:
        raise refused(str(path), error) from error


def rows_of(columns: Columns, dataset: str, lines: Sequence[Exclusion]) -> dict[int, int]:
    """Return the rows of a store that lines name, each with the place of its line.

    Parameters
    ----------
    columns : mapping of str to ndarray
        A store's columns.
    dataset : str
        The store's.
    lines : sequence of Exclusion
    """
    videos = {str(path): number for number, path in enumerate(columns["video_path"].tolist())}
    rows: dict[int, list[int]] = {}
    wanted = {videos[line.video] for line in lines if line.video in videos}
    for row in np.flatnonzero(np.isin(columns["video"], sorted(wanted))).tolist():
        rows.setdefault(int(columns["video"][row]), []).append(row)
    found: dict[int, int] = {}
    for place, line in enumerate(lines):
        if line.dataset in ("", dataset) and line.video in videos:
            for row in rows.get(videos[line.video], []):
                if line.shows(int(columns["frame"][row]), columns["box"][row]):
                    found.setdefault(row, place)
    return found


def without(columns: Columns, dataset: str, lines: Sequence[Exclusion]) -> NDArray[np.bool_]:
    """Tell which rows of a store go when those that lines name do, as they would be missing from a run without them.

    A face goes in every compression of its video, and with a real face go the fakes made from it. Where a line names
    a whole file, that file alone goes, and with a real one the fakes of its compression.

    Returns
    -------
    ndarray of shape (rows,), bool
    """
    gone = np.zeros(len(columns["label"]), dtype=bool)
    named = rows_of(columns, dataset, lines)
    if not named:
        return gone
    rows = np.array(sorted(named), dtype=np.int64)
    whole = np.array([lines[named[row]].frame is None for row in rows.tolist()])
    gone[rows] = True
    gone |= np.isin(columns["real"], rows[whole & (columns["method"][rows] == 0)])
    faces = rows[~whole]
    gone |= np.isin(columns["face"], columns["face"][faces[columns["method"][faces] == 0]])
    names = np.unique(columns["video_id"].astype(str), return_inverse=True)[1].reshape(-1)
    keys = np.stack([columns["face"], columns["method"], names[columns["video"]]], axis=1).astype(np.int64)
    group = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    return gone | np.isin(group, group[faces])
