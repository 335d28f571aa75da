"""Trees of pictures: one file a crop, a label or the landmarks of a row, in a folder for each video and person."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import StoreError
from pipeline.exchange import pictures
from pipeline.exchange.selection import Face, Rows
from pipeline.labels import LABELS
from pipeline.manifest import REAL
from pipeline.manifest.readers.listing import Line
from pipeline.progress import Progress
from pipeline.store.schema import IMAGE

LANDMARKS = "landmarks"
Place = Callable[[Face, str], str]  # (row, array) -> path of its file without ending


def of_one_class(rows: Rows) -> tuple[Rows, int]:
    """Leave out the fakes that show so little of a manipulation that their label is `real`; return how many.

    A folder of crops has one class.
    """
    label, method = (rows.columns[name][rows.picked] for name in ("label", "method"))
    keep = (label == 1) == (method != rows.names.method.index(REAL))
    return rows.only(keep), int((~keep).sum())


@dataclass
class Namer:
    """Names of the folders of videos: the video's id, made different where two would share a folder.

    Attributes
    ----------
    rows : Rows
    above : callable
        (row) -> path of the folder that holds the video's.
    """

    rows: Rows
    above: Callable[[Face], str]
    _of: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def folder(self, face: Face) -> tuple[str, str]:
        """Return the path of the folder above a row's video, and the name of the video's own."""
        key = (face.video, face.person)
        if key not in self._of:
            above, name = self.above(face), name_of(self.rows, face)
            if f"{above}/{name}".casefold() in self._taken:
                name = f"{name}_v{face.video}"
            self._taken.add(f"{above}/{name}".casefold())
            self._of[key] = above, name
        return self._of[key]


def name_of(rows: Rows, face: Face) -> str:
    """Return the id of a row's video; of a second person in it, with a number."""
    return _numbered(rows.video(face.video, "id").replace("/", "_"), face.person)


def _numbered(id_: str, person: int) -> str:
    return f"{id_}_face{person + 1}" if person and id_ else id_


def write(
    rows: Rows, out: Path, place: Place, kinds: Sequence[str], *, workers: int, progress: Progress
) -> dict[str, int]:
    """Write the crops, labels and landmarks of rows; return how many labels were left out, by kind.

    A binary label is white where manipulated and black where not. One that is unknown has no file, nor have landmarks
    that were not found.
    """
    left_out = dict.fromkeys(kinds, 0)
    landmarks = rows.columns[LANDMARKS]

    def one(face: Face, arrays: dict[str, NDArray[np.generic]]) -> list[str]:
        pictures.write(out / f"{place(face, IMAGE.name)}.png", arrays[IMAGE.name])
        if np.isfinite(landmarks[face.row]).all():
            pictures.write(out / f"{place(face, LANDMARKS)}.npy", landmarks[face.row])
        unknown = []
        for kind in kinds:
            values = arrays[kind]
            if LABELS[kind].flags is None:
                pictures.write(out / f"{place(face, kind)}{pictures.suffix(kind)}", values)
            elif pictures.known(values):
                pictures.write(out / f"{place(face, kind)}.png", (values * pictures.WHITE).astype(np.uint8))
            else:
                unknown.append(kind)
        return unknown

    with ThreadPoolExecutor(workers) as pool, progress.stage("export", len(rows.picked)) as advance:
        for block, values in rows.blocks(kinds):
            faces = [rows.face(int(row)) for row in block]
            for face in faces:
                # names are given in the order of the rows, whichever thread is first
                _check_inside(place(face, IMAGE.name))
            each = [{name: array[at] for name, array in values.items()} for at in range(len(block))]
            for unknown in pool.map(one, faces, each):
                for kind in unknown:
                    left_out[kind] += 1
            advance(len(block), "")
    return {kind: count for kind, count in left_out.items() if count}


def _check_inside(path: str) -> None:
    """Refuse a path that leads out of the folder: a store's names may be anybody's."""
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise StoreError(f"Names in this store lead out of the folder to write, to {path}: it is not exported.")


def listing(rows: Rows, namer: Namer, path: Callable[[Face, str], str], out: Path, mask: str) -> list[Line]:
    """Return a line for each video and person.

    Parameters
    ----------
    path : callable
        (row, array) -> the folder of a row's files.
    out : Path
        Where they were written.
    mask : str
        Array whose files are masks; "" for none.
    """
    lines: dict[tuple[int, int], Line] = {}
    for row in rows.picked:
        face = rows.face(int(row))
        if (face.video, face.person) not in lines:
            fake, masks = face.method != REAL, path(face, mask) if mask else ""
            target = rows.video(face.video, "target")
            lines[face.video, face.person] = Line(
                path=path(face, IMAGE.name),
                label="fake" if fake else REAL,
                id=name_of(rows, face),
                method=face.method,
                compression=face.compression,
                split=face.split,
                identity=rows.video(face.video, "identity"),
                target=_numbered(target.replace("/", "_"), face.person),
                donor=rows.video(face.video, "donor"),
                mask=masks if fake and masks and (out / masks).is_dir() else "",
            )
    return list(lines.values())
