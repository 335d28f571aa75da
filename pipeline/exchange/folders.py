"""Format `folders`: plain folders of crops by split, class, method, compression and video, with a table of all rows."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.exchange import tree
from pipeline.exchange.selection import Face, Rows
from pipeline.manifest import REAL
from pipeline.manifest.readers import listing
from pipeline.progress import Progress
from pipeline.store.schema import IMAGE

TABLE = "rows.csv"
MASK = "mask"  # the label kind that is read back as the dataset's masks
ROOTS = {IMAGE.name: "images"}  # arrays whose folder is not called as they are
COLUMNS = (
    "file", "label", "split", "method", "compression", "video", "frame", "face", "real",
    "left", "top", "right", "bottom", "score", "alignment",
)  # fmt: skip


def write(rows: Rows, out: Path, kinds: Sequence[str], workers: int, progress: Progress) -> list[str]:
    """Write rows into an empty folder; return what is worth saying, a sentence each.

    `images/SPLIT/real/COMPRESSION/VIDEO/FRAME.png` and `images/SPLIT/fake/METHOD/COMPRESSION/VIDEO/FRAME.png`, so
    `images/SPLIT` is an image folder of torchvision; every label kind and the landmarks have a tree of their own beside
    `images`. `rows.csv` has a line for each row, `videos.csv` one for each folder of crops.
    """
    rows, unlike = tree.of_one_class(rows)
    namer = tree.Namer(rows, _above)

    def folder(face: Face, array: str) -> str:
        return "/".join((ROOTS.get(array, array), *namer.folder(face)))

    def place(face: Face, array: str) -> str:
        return f"{folder(face, array)}/{face.frame:06d}"

    unknown = tree.write(rows, out, place, kinds, workers=workers, progress=progress)
    masks = MASK if MASK in kinds else ""
    listing.write(out / listing.FILE, tree.listing(rows, namer, folder, out, masks))
    with (out / TABLE).open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS)
        table.writeheader()
        table.writerows(_lines(rows, place))
    return said(unlike, unknown)


def said(unlike: int, unknown: dict[str, int]) -> list[str]:
    """Say what was not written."""
    notes = [f"{unlike} fakes that show almost no manipulation, so that their label is real, are left out."]
    labels = [f"{count} rows have no {kind}: no file." for kind, count in unknown.items()]
    return notes[: bool(unlike)] + labels


def _above(face: Face) -> str:
    levels = (face.split, REAL) if face.method == REAL else (face.split, "fake", face.method)
    return "/".join((*levels, face.compression))


def _lines(rows: Rows, place: tree.Place) -> Iterator[dict[str, Any]]:
    written = set(rows.picked.tolist())
    for row in rows.picked.tolist():
        face = rows.face(row)
        box = dict(zip(("left", "top", "right", "bottom"), rows.columns["box"][row].tolist(), strict=True))
        yield {
            "file": f"{place(face, IMAGE.name)}.png",
            **{name: getattr(face, name) for name in ("label", "split", "method", "compression", "frame")},
            "video": rows.video(face.video, "id"),
            "face": int(rows.columns["face"][row]),
            "real": f"{place(rows.face(face.real), IMAGE.name)}.png" if face.real in written else "",
            **box,
            **{name: float(rows.columns[name][row]) for name in ("score", "alignment")},
        }
