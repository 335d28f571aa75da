"""Data source of the viewer: a store's columns as they are, its crops and labels on demand, and its rows marked bad."""

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import exclusions, store
from pipeline.errors import StoreError
from pipeline.exclusions import Exclusion
from pipeline.inspect.view import pictures
from pipeline.labels import LABELS

IMAGE = "image"
ON_DEMAND = ("box", "landmarks")  # columns of several numbers a row: asked for with the row
SENT = {"uint8": "uint8", "int32": "int32", "float32": "float32", "int64": "int32"}  # types as they are sent
Columns = Mapping[str, NDArray[Any]]


@dataclass
class Source:
    """One store, open for looking.

    Attributes
    ----------
    location : str
        Path or URL.
    columns, rejects : mapping of str to ndarray
    arrays : mapping of str to store.Array
        Picture arrays: `image` and the label kinds.
    marks_file : Path
        CSV of rows marked bad.
    """

    location: str
    attributes: Mapping[str, Any]
    columns: Columns
    rejects: Columns
    names: store.Names
    arrays: Mapping[str, store.Array]
    marks_file: Path
    kept: list[Exclusion] = field(default_factory=list)  # lines of the file that name no row of this store
    marks: dict[int, str] = field(default_factory=dict)  # row -> note
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def about(self) -> dict[str, Any]:
        """Return what the page needs first, as plain values."""
        manifest = self.attributes.get("manifest") or {}
        return {
            "title": manifest.get("title", self.attributes.get("dataset", "")),
            "store": self.location,
            "rows": len(self.columns["label"]),
            "size": int(self.arrays[IMAGE].shape[1]),
            "columns": {name: SENT[self.columns[name].dtype.name] for name in self._of_rows()},
            "names": {name: list(getattr(self.names, name)) for name in ("split", "method", "compression")},
            "layers": [
                {"name": kind, "about": LABELS[kind].description, "colour": pictures.colour_of(kind) if
                 LABELS[kind].flags else ""} for kind in LABELS if kind in self.arrays
            ],
            "unknown": pictures.UNKNOWN,
            "rejects": len(self.rejects["reason"]),
            "marks_file": str(self.marks_file),
        }  # fmt: skip

    def _of_rows(self) -> list[str]:
        rows = len(self.columns["label"])
        tables = [name for name in self.columns if not name.startswith("video_") and name not in ON_DEMAND]
        return [
            name for name in tables if self.columns[name].shape == (rows,) and self.columns[name].dtype.name in SENT
        ]

    def column(self, name: str) -> bytes:
        """Return a column of all rows as little-endian numbers of the type that `about` names; raises KeyError."""
        if name not in self._of_rows():
            raise KeyError(name)
        values = self.columns[name]
        return values.astype(np.dtype(SENT[values.dtype.name]).newbyteorder("<"), copy=False).tobytes()

    def videos(self) -> dict[str, list[Any]]:
        """Return the table of videos, by column."""
        tables = {name: values for name, values in self.columns.items() if name.startswith("video_")}
        return {name: _without_nan(values.tolist()) for name, values in tables.items()}

    def lost(self) -> dict[str, list[Any]]:
        """Return the table of rejects, by column."""
        return {name: values.tolist() for name, values in self.rejects.items()}

    def row(self, row: int) -> dict[str, Any]:
        """Return the columns that are asked for with a row; raises IndexError."""
        self._check(row)
        return {name: _plain(self.columns[name][row]) for name in ON_DEMAND if name in self.columns}

    def picture(self, name: str, row: int, side: int = 0) -> tuple[bytes, str]:
        """Return a crop or a layer as a picture file and its type.

        Raises
        ------
        KeyError, IndexError
            There is no such array or row.
        DamageError
            It cannot be read back.
        """
        self._check(row)
        values = store.read(self.arrays[name], [row])[0]
        return pictures.crop(values, side) if name == IMAGE else pictures.layer(values, name)

    def mark(self, row: int, bad: bool, note: str = "") -> None:
        """Mark a row bad, or take the mark back, and write the file.

        Raises
        ------
        IndexError
            There is no such row.
        WriteError
            The file cannot be written; nothing is marked then.
        """
        self._check(row)
        with self._lock:
            marks = {**self.marks, row: note} if bad else {at: text for at, text in self.marks.items() if at != row}
            lines = [self._line(at, text) for at, text in sorted(marks.items())]
            exclusions.write(self.marks_file, [*self.kept, *lines])
            self.marks = marks

    def _line(self, row: int, note: str) -> Exclusion:
        columns = self.columns
        left, top, right, bottom = map(float, columns["box"][row])
        codes = {name: getattr(self.names, name)[columns[name][row]] for name in ("method", "compression", "split")}
        return Exclusion(
            video=str(columns["video_path"][columns["video"][row]]),
            frame=int(columns["frame"][row]),
            box=(left, top, right, bottom),
            dataset=str(self.attributes.get("dataset", "")),
            note=note,
            about={**codes, "row": str(row), "store": self.location},
        )

    def _check(self, row: int) -> None:
        if not 0 <= row < len(self.columns["label"]):
            raise IndexError(f"There is no row {row}; the last is {len(self.columns['label']) - 1}.")


def open_source(location: str, marks_file: Path) -> Source:
    """Open a store for looking, and the rows marked bad before.

    Raises
    ------
    StoreError
        There is no store, or its first run has not finished.
    ConfigError
        The file of marks cannot be read.
    """
    group = store.open_group(location)
    attributes = store.attributes_of(group)
    if not attributes.get("complete"):
        raise StoreError(f"{location} is unfinished; run the command that began it again and it goes on.")
    columns = store.read_columns(group)
    lines = list(exclusions.read(marks_file)) if marks_file.exists() else []
    rows = exclusions.rows_of(columns, str(attributes.get("dataset", "")), [line for line in lines])
    single = {row: place for row, place in rows.items() if lines[place].box is not None}
    kept = [line for place, line in enumerate(lines) if place not in single.values()]
    return Source(
        location=location,
        attributes=attributes,
        columns=columns,
        rejects=store.read_columns(store.group_of(group, store.REJECTS)),
        names=store.stored_names(group),
        arrays={name: store.array_of(group, name) for name in (IMAGE, *LABELS) if name in group},
        marks_file=marks_file,
        kept=kept,
        marks={row: lines[place].note for row, place in sorted(single.items())},
    )


def _plain(values: Any) -> Any:
    """Return numbers as lists, NaN as None, which JSON can say."""
    if isinstance(values, np.ndarray):
        return [_plain(value) for value in values]
    number = float(values)
    return None if math.isnan(number) else round(number, 3)


def _without_nan(value: Any) -> Any:
    """Return a plain value with None for NaN, which JSON cannot say."""
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
