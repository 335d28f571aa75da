"""What finished stores lend to a new one: rows of whole groups of videos, as staged parts whose crops stay there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.config import Recipe
from pipeline.crop import groups, record, staging
from pipeline.crop.known import Span
from pipeline.crop.record import File, Sizes
from pipeline.crop.row_table import Table
from pipeline.crop.staging import Part, Reject, Source
from pipeline.errors import DamageError, StoreError
from pipeline.manifest import REAL, Dataset, Video
from pipeline.stages.labelling import Lent
from pipeline.store import seal, stored_recipe

MISSING = "scan"  # stage of rejects that are not of a group: files that were not there
OF_ROWS = ("box", "score", "alignment", "landmarks")  # columns of a store that are those of a staged part


@dataclass(frozen=True)
class Lender:
    """A finished store that lends its rows."""

    location: str
    group: store.Group
    recipe: Recipe
    files: tuple[File, ...]  # of the dataset that it was made from, in order

    @cached_property
    def columns(self) -> dict[str, NDArray[Any]]:
        """Columns of its rows and videos."""
        return store.read_columns(self.group)

    @cached_property
    def rejects(self) -> dict[str, list[tuple[int, Reject]]]:
        """Its rejects by the path of their video, each with its place among all; not those of missing files."""
        columns = store.read_columns(store.group_of(self.group, store.REJECTS))
        videos = {file.video.path: file.video for file in self.files}
        found: dict[str, list[tuple[int, Reject]]] = {}
        cells = zip(*(columns[name].tolist() for name in ("video", "frame", "stage", "reason", "rows")), strict=True)
        for place, (path, frame, stage, reason, rows) in enumerate(cells):
            if stage != MISSING:
                found.setdefault(path, []).append((place, Reject(videos[path], frame, stage, reason, rows)))
        return found

    @property
    def missing(self) -> list[tuple[str, str, bool]]:
        """Path, reason and whether rows were counted as lost, of every file that should have been there."""
        columns = store.read_columns(store.group_of(self.group, store.REJECTS))
        cells = zip(*(columns[name].tolist() for name in ("video", "stage", "reason", "rows")), strict=True)
        return [(path, reason, rows > 0) for path, stage, reason, rows in cells if stage == MISSING]

    @cached_property
    def places(self) -> dict[str, int]:
        """Its videos' places in its columns, by their paths."""
        return {str(path): number for number, path in enumerate(self.columns["video_path"])}

    def span(self, source: Source) -> Span:
        """Return where its rows of one file are."""
        number = self.places[source.video.path]
        low, high = np.searchsorted(self.columns["video"], [number, number + 1]).tolist()
        return Span(self.location, source, low, high)

    def groups(self) -> list[groups.Group]:
        """Return its groups of videos."""
        videos = tuple(file.video for file in self.files)
        return groups.groups(Dataset("", Path(), videos, store.attributes_of(self.group)["manifest"]))


def lender(location: str) -> Lender:
    """Open a finished store to take its rows over.

    Raises
    ------
    StoreError
        It is unfinished, or its record of the dataset's files is missing or damaged.
    """
    group = store.open_group(location)
    if not store.attributes_of(group).get("complete"):
        raise StoreError(f"{location} is unfinished; run the command that began it again, then this one.")
    if seal.RECORD_PATH not in group:
        raise StoreError(f"{location} was made before stores could grow: it has no record of the dataset's files.")
    lines = seal.record(group)
    if lines is None:
        raise StoreError(f"{location}: the record of the dataset's files is damaged; forgery-prep verify says more.")
    return Lender(store.absolute(location), group, stored_recipe(group), tuple(record.files(lines)))


@dataclass(frozen=True)
class Taken:
    """What is taken over of one group of videos."""

    whole: bool  # all of it
    known: tuple[Span, ...] = ()  # else, of its files, rows that may be what would be made


def stage(
    dataset: Dataset, sizes: Sizes, recipe: Recipe, folder: Path, lenders: Sequence[Lender], at_hand: bool = True
) -> dict[int, Taken]:
    """Stage the groups of videos of which finished stores hold exactly what would be made; crops stay there.

    A group is lent whole: the same files, by their size, place and everything that a manifest says of them, and as
    many frames asked for. Whatever else decides a row has to be equal already. With the files `at_hand`, a group of
    which none could be read is tried again.

    Returns
    -------
    dict of int to Taken
        By number, for every group of the dataset.
    """
    known = {_paths(group): each for each in lenders for group in each.groups()}
    files = {file.video.path: (each, file) for each in lenders for file in each.files}
    taken = {}
    for group in groups.groups(dataset):
        if staging.lender_of(folder, group.number):
            staging.discard(folder, group.number)  # a store may be another one since it was staged
        there = [files[video.path] for video in group.videos if video.path in files]
        same = [(owner, file) for owner, file in there if _same(file, group.videos, sizes)]
        owner = known.get(_paths(group))
        whole = owner is not None and len(same) == len(group.videos) and _same_counts(group, recipe, owner.recipe)
        if at_hand and not any(file.source for _, file in same):
            whole = False
        if whole and owner is not None and not staging.part_path(folder, group.number).exists():
            staging.lend_part(folder, group.number, _part(owner, [file for _, file in same]), owner.location)
        spans = [owner.span(file.source) for owner, file in same if file.source]
        taken[group.number] = Taken(whole, () if whole else tuple(span for span in spans if span.high > span.low))
    return taken


def _paths(group: groups.Group) -> frozenset[str]:
    return frozenset(video.path for video in group.videos)


def _same(file: File, videos: Sequence[Video], sizes: Sizes) -> bool:
    """Tell whether a file is, by its size, its mask's and what a manifest says of it, one of some videos."""
    own, mask = (tuple(sizes.get(path or "", ())) for path in (file.video.path, file.video.mask))
    return file.video in videos and (file.size, file.mask_size) == (own, mask)


def _same_counts(group: groups.Group, recipe: Recipe, old: Recipe) -> bool:
    """Tell whether as many frames are asked for of each video."""
    mine, theirs = (
        [each.sampling.count(video.method == REAL, video.split) for video in group.videos] for each in (recipe, old)
    )
    return mine == theirs


def _part(owner: Lender, files: Sequence[File]) -> Part:
    """Return what a store holds of a group's files as a staged part."""
    columns = owner.columns
    sources = [file.source for file in files if file.source]
    spans = [(span.low, span.high) for span in map(owner.span, sources)]
    rows = np.concatenate([np.empty(0, np.int64), *(np.arange(*span) for span in spans)])
    face = columns["face"][rows]
    found = {name: columns[name][rows] for name in (*OF_ROWS, "frame")}
    found["video"] = np.repeat(np.arange(len(spans)), [high - low for low, high in spans])
    found["track"] = face - (face.min() if len(face) else 0)  # the faces of a frame count as its tracks
    found["offset"] = rows
    typed = {name: found[name].astype(kind) for name, (kind, _) in staging.COLUMNS.items()}
    told = [entry for file in files for entry in owner.rejects.get(file.video.path, ())]
    return Part(tuple(sources), tuple(reject for _, reject in sorted(told, key=itemgetter(0))), typed)


def crops_lent(table: Table, folder: Path) -> Lent:
    """Return which rows' crops are read from a finished store."""
    owners = [staging.lender_of(folder, int(number)) for number in range(int(table.part.max(initial=-1)) + 1)]
    stores = tuple(sorted({owner for owner in owners if owner}))
    number = np.array([stores.index(owner) if owner else -1 for owner in owners], np.int16)
    return Lent(stores, number[table.part], table.offset)


def check(path: str, rows: Sequence[bytes], lent: Lent) -> None:
    """Compare what was taken over with what its store had recorded of it.

    Parameters
    ----------
    path : str
        Array.
    rows : sequence of bytes
        Digests of the rows that were written, in order.
    lent : Lent

    Raises
    ------
    DamageError
        A row of the finished store is not what was written there.
    """
    now = seal.numbers_of(rows)
    for number, location in enumerate(lent.stores):
        here = np.flatnonzero(lent.store == number)
        written = seal.numbers(store.open_group(location), path)
        if written is None or (written[lent.row[here]] != now[here]).any():
            raise DamageError(
                f"{path} in {location} is not what was written there, and was not taken over; "
                "forgery-prep verify names the rows, and with --repair puts them back."
            )


def recorded_sizes(files: Sequence[File]) -> Sizes:
    """Return the sizes that files and their masks had when a store was made from them, by path."""
    found = {file.video.path: file.size for file in files}
    return found | {file.video.mask: file.mask_size for file in files if file.video.mask}
