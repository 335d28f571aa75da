"""Rows that a finished store has of files whose group has got more of them: copied where the plan asks for the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.crop.plan import Found, Plan, Take
from pipeline.crop.staging import Source
from pipeline.errors import DamageError
from pipeline.store import seal
from pipeline.store.hashing import row_digests
from pipeline.store.schema import IMAGE

Asked = Sequence[tuple[int, Found, NDArray[np.float32]]]  # frame, face and enlarged box of every row of a file


class NotAsBefore(Exception):
    """Something turned out otherwise than when a store was made: the group is made without its rows."""


@dataclass(frozen=True)
class Span:
    """Where the rows of one file are in a finished store."""

    location: str
    source: Source
    low: int  # first row
    high: int  # and the one after the last


@dataclass(frozen=True, eq=False)
class Rows:
    """What a finished store has of one file; the arrays have one entry a row, in the order of frames and faces."""

    span: Span
    number: seal.Numbers  # of the crop
    frame: NDArray[np.int32]
    box: NDArray[np.float32]  # (rows, 4)
    alignment: NDArray[np.float32]

    def are(self, source: Source, asked: Asked) -> bool:
        """Tell whether they are all the rows that are asked for of a file, and it is the same file."""
        frames = [frame for frame, _, _ in asked]
        boxes = np.array([box for _, _, box in asked], np.float32).reshape(-1, 4)
        return self.span.source == source and self.frame.tolist() == frames and bool((boxes == self.box).all())

    def crops(self) -> NDArray[np.uint8]:
        """Read the crops, of shape (rows, size, size, 3); raises NotAsBefore where they are damaged."""
        array = store.array_of(store.open_group(self.span.location), IMAGE.name)
        try:
            found = np.asarray(store.gather(array, slice(self.span.low, self.span.high)), np.uint8)
        except DamageError as error:
            raise NotAsBefore from error
        if (seal.numbers_of([row_digests(found)]) != self.number).any():
            raise NotAsBefore
        return found


Known = Mapping[str, Rows]  # by the path of their file


def read(spans: Sequence[Span]) -> Known:
    """Read what finished stores have of some files but the crops; raises NotAsBefore where that is damaged."""
    found = {}
    for span in spans:
        group, some = store.open_group(span.location), slice(span.low, span.high)
        paths = {name: name for name in ("frame", "box", "alignment")}
        paths["number"] = f"{store.CHECKS}/{seal.array_name(IMAGE.name)}"
        try:
            columns = {name: store.read(store.array_of(group, path), some) for name, path in paths.items()}
        except DamageError as error:
            raise NotAsBefore from error
        found[span.source.video.path] = Rows(span, **columns)
    return found


def usable(known: Known, plan: Plan, asked: Callable[[Take, Source], Asked]) -> Known:
    """Return those rows of a store that are what a plan asks for.

    Parameters
    ----------
    known : mapping of str to Rows
        Of files of the group, cropped with the same settings.
    plan : Plan
    asked : callable
        Returns the rows asked for of one file of a take.

    Returns
    -------
    mapping of str to Rows
        Without fakes whose real is another file, since they are measured and judged beside it; and without reals that
        a fake is yet to be judged beside.
    """
    same = {
        source.video.path: rows
        for take in (plan.main, *plan.fakes)
        for source in take.sources
        if (rows := known.get(source.video.path)) and rows.are(source, asked(take, source))
    }
    fakes = [source.video for take in plan.fakes for source in take.sources]
    for real in plan.main.sources:
        level, before = real.video.compression, known.get(real.video.path)
        mine = [fake.path for fake in fakes if fake.compression == level]
        if before is None or before.span.source != real:
            for path in mine:
                same.pop(path, None)
        if any(path not in same for path in mine):
            same.pop(real.video.path, None)
    return same
