"""What the splits of a store share, for the page: people in several of them, faces of two videos that look alike."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.inspect.page.gallery import encoded
from pipeline.store import Names
from pipeline.video import likeness

PEOPLE = 50  # people named on the page
PICTURED = 8  # people, and pairs of faces, that are shown
READ = 64  # crops read in one go
COMPARED = 1000  # videos of which a face is compared with all others, evenly spaced in the store's order
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Person:
    """Someone who is in several splits."""

    name: str
    rows: dict[str, tuple[int, int]]  # split -> files and rows
    examples: dict[str, int]  # split -> a row that shows the person, of a real video where there is one


@dataclass(frozen=True)
class Pair:
    """Faces of two videos, and how alike they are."""

    rows: tuple[int, int]
    splits: tuple[str, str]
    likeness: float  # correlation of the two as thumbnails

    @property
    def crosses(self) -> bool:
        """Say whether the two are in different splits."""
        return self.splits[0] != self.splits[1]


def people(columns: Columns, names: Names) -> list[Person]:
    """Return everybody who has rows in several splits, most rows first."""
    who = columns["video_identity"][columns["video"]]
    found = []
    first: dict[str, set[int]] = defaultdict(set)
    for person, split in {*zip(who.tolist(), columns["split"].tolist(), strict=True)}:
        first[person].add(split)
    for person in sorted(name for name, splits in first.items() if len(splits) > 1):
        rows = {split: np.flatnonzero((who == person) & (columns["split"] == split)) for split in sorted(first[person])}
        files = {names.split[split]: (len(np.unique(columns["video"][own])), len(own)) for split, own in rows.items()}
        examples = {names.split[split]: int(own[columns["method"][own].argmin()]) for split, own in rows.items()}
        found.append(Person(person, files, examples))
    return sorted(found, key=lambda person: -sum(rows for _, rows in person.rows.values()))


def faces(columns: Columns) -> NDArray[np.int64]:
    """Choose rows to compare: the middle one of each real video, and of each fake without a real, once."""
    alone = (columns["method"] == 0) | (columns["real"] < 0)
    of_video: dict[str, list[int]] = defaultdict(list)
    for row in np.flatnonzero(alone).tolist():
        number = columns["video"][row]
        of_video[f"{columns['method'][row]} {columns['video_id'][number]}"].append(row)  # its compressions are alike
    rows = [own[len(own) // 2] for own in of_video.values()]
    some = np.unique(np.linspace(0, max(len(rows) - 1, 0), min(COMPARED, len(rows))).round().astype(int))
    return np.array([rows[place] for place in some.tolist()], np.int64)


def closest(prints: Sequence[str], rows: Sequence[int], splits: Sequence[str]) -> tuple[list[Pair], int, int]:
    """Compare every face with every other.

    Parameters
    ----------
    prints : sequence of str
        Their fingerprints, from `pipeline.video.likeness`; plain ones have none and are left out.
    rows, splits : sequence
        Of each face its row and split.

    Returns
    -------
    pairs : list of Pair
        The most alike, of different splits first.
    alike : int
        How many pairs are alike enough to be of one video.
    crossing : int
        How many of these are in different splits.
    """
    known = [place for place, own in enumerate(prints) if own]
    if len(known) < 2:
        return [], 0, 0
    thumbs = likeness.thumbnails("".join(prints[place] for place in known))
    ones, others = np.triu_indices(len(known), 1)
    values = np.clip(thumbs @ thumbs.T, -1, 1)[ones, others]
    split = np.array([splits[place] for place in known])
    crossing = split[ones] != split[others]
    alike = values >= likeness.ALIKE
    order = np.lexsort((-values, ~(crossing & alike)))[:PICTURED]
    pairs = [
        Pair(
            (rows[known[ones[place]]], rows[known[others[place]]]),
            (str(split[ones[place]]), str(split[others[place]])),
            float(values[place]),
        )
        for place in order.tolist()
    ]
    return pairs, int(alike.sum()), int((alike & crossing).sum())


def compared(group: store.Group, columns: Columns, names: Names) -> dict[str, Any]:
    """Return what the page tells of faces that look alike and of people in several splits, with their crops."""
    image = store.array_of(group, "image")
    rows = faces(columns).tolist()
    blocks = (rows[low : low + READ] for low in range(0, len(rows), READ))
    prints = [likeness.fingerprint(crop) for block in blocks for crop in store.gather(image, np.array(block))]
    pairs, alike, crossing = closest(prints, rows, [names.split[columns["split"][row]] for row in rows])
    leaking = people(columns, names)
    shown = {row for pair in pairs for row in pair.rows}
    shown |= {row for person in leaking[:PICTURED] for row in person.examples.values()}
    return {
        "people": leaking,
        "named": PEOPLE,
        "pictured": PICTURED,
        "pairs": pairs,
        "compared": len(rows),
        "alike": alike,
        "crossing": crossing,
        "limit": likeness.ALIKE,
        "crops": {row: encoded(store.read(image, [row])[0]) for row in sorted(shown)},
        "ids": {row: str(columns["video_id"][columns["video"][row]]) for row in sorted(shown)},
    }
