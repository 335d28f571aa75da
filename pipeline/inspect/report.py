"""Pictures of a store: one face with all its fakes, their labels and blends, to look at before training."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline import store
from pipeline.blend import KINDS
from pipeline.contact_sheet import UNKNOWN, Picture, contact_sheet
from pipeline.errors import StoreError
from pipeline.labels import LABELS, NO_LABEL
from pipeline.store import stored_names
from pipeline.store.writing import writing

TILE, MARGIN = 120, 96  # pixels: a picture's side, and the width of the row titles
TITLES = {"rr": "blend RR", "fr": "blend FR"}
MANIPULATED = (255, 255, 255)  # colour of 1 in a binary label


@dataclass(frozen=True)
class Sheet:
    """Rows of a sheet: one line each, with its blends."""

    rows: list[int]
    titles: list[str]
    blends: list[dict[str, int]]  # of each line: kind -> row of the blends


def draw(location: str, path: Path, seed: int = 0, faces: int = 1) -> None:
    """Write a sheet: a line for the real and for each of its fakes, a column for the crop, each label and blend.

    Parameters
    ----------
    location : str
        The store.
    path : Path
        Picture to write; its ending says the format.
    seed : int
        Decides which faces are drawn.
    faces : int
        How many.

    Raises
    ------
    StoreError
        There is no real face with fakes in the store.
    """
    group = store.open_group(location)
    columns = store.read_columns(group)
    names = stored_names(group)
    kinds = [kind for kind in LABELS if kind in group]
    blends = store.read_columns(store.group_of(group, store.BLENDS)) if store.BLENDS in group else {}
    sheet = choose(columns, blends, names.method, names.compression, seed, faces)
    lines = []
    for row, of_kind in zip(sheet.rows, sheet.blends, strict=True):
        tiles = [store.read(store.array_of(group, "image"), [row])[0]]
        tiles += [_label(store.read(store.array_of(group, kind), [row])[0], kind) for kind in kinds]
        tiles += [_blend(group, of_kind.get(kind)) for kind in KINDS if blends]
        lines.append(tiles)
    titles = ["crop", *kinds, *(TITLES[kind] for kind in KINDS if blends)]
    rows = [title.replace(" ", "\n") for title in sheet.titles]
    picture = contact_sheet(lines, titles, rows, TILE, MARGIN)
    with writing(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)


def choose(
    columns: Mapping[str, NDArray[Any]],
    blends: Mapping[str, NDArray[Any]],
    methods: tuple[str, ...],
    compressions: tuple[str, ...],
    seed: int,
    faces: int,
) -> Sheet:
    """Draw faces that have a real and fakes, at the least compression there is.

    Each fake has a line of its own; blends stand beside the real row that is their background.
    """
    least = columns["compression"] == columns["compression"].min(initial=0)
    shown = np.flatnonzero((columns["method"] == 0) & least & np.isin(columns["face"], _forged(columns)))
    if blends:  # faces with a blend first
        with_blend = shown[np.isin(shown, blends["outside"])]
        shown = with_blend if len(with_blend) else shown
    if not len(shown):
        raise StoreError("The store has no real face with fakes: there is nothing to lay side by side.")
    drawn = np.random.default_rng(seed).choice(shown, min(faces, len(shown)), replace=False)
    rows: list[int] = []
    of_row: list[dict[str, int]] = []
    for real in sorted(drawn.tolist()):
        fakes = np.flatnonzero((columns["real"] == real) & (columns["method"] != 0)).tolist()
        rows += [real, *fakes]
        of_row += [_blends_of(blends, real), *({} for _ in fakes)]
    titles = [f"{methods[columns['method'][row]]} {compressions[columns['compression'][row]]}" for row in rows]
    return Sheet(rows, titles, of_row)


def _forged(columns: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    return np.unique(columns["face"][columns["method"] != 0])


def _blends_of(blends: Mapping[str, NDArray[Any]], outside: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in np.flatnonzero(blends["outside"] == outside) if blends else ():
        found.setdefault(KINDS[blends["kind"][row]], int(row))
    return found


def _blend(group: store.Group, row: int | None) -> Picture:
    """Return a blend with its ring drawn in, a blank tile without one."""
    if row is None:
        return np.full((TILE, TILE, 3), 255, dtype=np.uint8)
    image, boundary = (
        store.read(store.array_of(group, f"{store.BLENDS}/{name}"), [row])[0] for name in ("image", "boundary")
    )
    outline = cv2.morphologyEx(boundary, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
    image[outline] = (255, 255, 0)
    return np.asarray(image)


def _label(values: NDArray[Any], kind: str) -> Picture:
    """Paint a label: a scaled one as its magnitude, a binary one by its flags."""
    about = LABELS[kind]
    if about.scale is not None:
        grey = np.clip(np.abs(values.astype(np.float32)) * about.scale * about.gain, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    painted = np.zeros((*values.shape, 3), dtype=np.uint8)
    painted[values == 1] = MANIPULATED
    painted[values == NO_LABEL] = UNKNOWN
    return painted
