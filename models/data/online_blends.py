"""Online blends, made anew in every epoch: for stores without blends, or training that never sees a blend twice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.data.row_table import FAKE, NO_ROW, REAL, Table, join
from models.data.store_reader import Reader
from models.detectors.base import SOURCES
from pipeline import blend
from pipeline.blend import Blend
from pipeline.crop.row_table import least_compressed, level
from pipeline.errors import RejectError
from pipeline.labels.hull import difference_mask
from pipeline.store.schema import NO_PAIR

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Blender:
    """Blending of one store's rows: the reader, and each row's pair for the difference mask.

    Attributes
    ----------
    reader : Reader
    fake, pair : ndarray of shape (rows,), int64
        Each row's least compressed twin that has a pair, and that pair; `NO_PAIR` where there is none.
    level : tuple of str
        Compression of that twin, which decides the threshold of the difference mask.
    """

    reader: Reader
    fake: NDArray[np.int64]
    pair: NDArray[np.int64]
    level: tuple[str, ...]

    def render(self, planned: Blend) -> tuple[Pixels, dict[str, Pixels]] | None:
        """Render one blend.

        Returns
        -------
        image : ndarray of shape (H, W, 3), uint8
        maps : dict of str to ndarray of shape (H, W), uint8
            `hull` and `boundary`. None in place of both where every distortion leaves an empty mask.
        """
        reader, recipe = self.reader, self.reader.recipe
        difference = None
        inside, outside = reader.gather("image", [planned.inside, planned.outside])
        if planned.kind == "fr":
            rows = [int(self.fake[planned.inside]), int(self.pair[planned.inside])]
            fake, real = reader.gather("image", rows)
            difference = difference_mask(fake, real, recipe.labelling, self.level[planned.inside])
        points = reader.columns["landmarks"][planned.inside]
        try:
            image, hull, ring = blend.render(
                planned, inside, outside, points, difference, recipe.blending, recipe.labelling
            )
        except RejectError:
            return None
        return image, {"hull": hull, "boundary": ring}


def blender(reader: Reader) -> Blender:
    """Return the blender of a store."""
    columns = reader.columns
    fake = least_compressed(columns, columns["video_id"])
    named = [reader.names["compression"][code] for code in columns["compression"]]
    paths = columns["video_path"][columns["video"]]
    levels = tuple(level(named[row], str(paths[row])) for row in fake)
    return Blender(reader, fake, columns["real"][fake], levels)


def plan(blenders: Sequence[Blender], table: Table, seed: Sequence[int]) -> tuple[Table, list[Blend]]:
    """Plan an epoch's blends over one random row of each video.

    Parameters
    ----------
    blenders : sequence of Blender
        One for each store.
    table : Table
        Rows of training, without blends.
    seed : sequence of int
        Of the epoch.

    Returns
    -------
    table : Table
        `table` followed by the blends; the `row` of a blend is its place in the list.
    blends : list of Blend
        Their rows are rows of the store.
    """
    rng = np.random.default_rng(seed)
    parts = [table]
    planned: list[Blend] = []
    for number, each in enumerate(blenders):
        drawn = _one_a_video(table, number, rng)
        some = _plan_rows(each, table.row[drawn], int(rng.integers(2**31)))
        if some:
            parts.append(_entries(table, drawn, each, number, some, len(planned)))
        planned += some
    return join(parts), planned


def _one_a_video(table: Table, store: int, rng: np.random.Generator) -> NDArray[np.int64]:
    here = np.flatnonzero((table.store == store) & np.isin(table.source, (REAL, FAKE)))
    shuffled = rng.permutation(here)
    return np.sort(shuffled[np.unique(table.video[shuffled], return_index=True)[1]])


def _plan_rows(each: Blender, rows: NDArray[np.int64], seed: int) -> list[Blend]:
    """Plan blends among some rows of a store; the blends name rows of the store."""
    columns = each.reader.columns
    identity, donor = blend.people(*(columns[f"video_{name}"] for name in ("id", "identity", "donor")))
    some = blend.Rows(
        landmarks=columns["landmarks"][rows],
        genuine=columns["method"][rows] == 0,
        fake=(columns["label"][rows] == 1) & (each.pair[rows] != NO_PAIR),
        split=columns["split"][rows],
        compression=columns["compression"][rows],
        identity=identity[columns["video"][rows]],
        donor=donor[columns["video"][rows]],
        video=columns["video"][rows],
    )
    found = blend.plan(some, each.reader.recipe.blending, seed)
    return [Blend(one.kind, int(rows[one.inside]), int(rows[one.outside]), one.seed) for one in found]


def _entries(
    table: Table, drawn: NDArray[np.int64], each: Blender, store: int, blends: Sequence[Blend], first: int
) -> Table:
    outside = np.array([one.outside for one in blends])
    place = drawn[np.searchsorted(table.row[drawn], outside)]
    ones = np.ones(len(blends), np.int64)
    return Table(
        store=store * ones,
        row=first + np.arange(len(blends), dtype=np.int64),
        source=np.array([SOURCES.index(one.kind) for one in blends], np.int64),
        label=ones,
        target=ones,
        method=np.full(len(blends), "blend", dtype=object),
        compression=table.compression[place],
        split=table.split[place],
        video=table.video[place],
        twin=NO_ROW * ones,
        origin=outside.astype(np.int64),
    )
