"""Batches of one epoch of training: the rows of each, read ahead by threads, with their augmentation draws."""

from collections.abc import Iterator, Sequence

import numpy as np
from lightning_fabric import Fabric

from models.data import augment, online_blends, sampler
from models.data.augment import Draws
from models.data.loader import Loaded, ahead
from models.data.row_table import Table
from models.training.setup import Data
from pipeline.blend import Blend

SEEDS = 1 << 31  # seeds are drawn below this number


def gather(data: Data, seed: Sequence[int], first: int, fabric: Fabric) -> Iterator[tuple[Loaded, Draws, int]]:
    """Read this process's part of each batch of an epoch, ahead of the training loop.

    Parameters
    ----------
    data : Data
    seed : sequence of int
        Of the epoch. It decides everything random about the batches, so that a resumed run needs no record of earlier
        draws.
    first : int
        Batches of the epoch to skip: those trained on before a resume.
    fabric : Fabric
        Rows are divided over its processes.

    Yields
    ------
    loaded : Loaded
        The rows of this process.
    draws : Draws
        Their part of the augmentation draws, which are made for the whole batch.
    seed : int
        For everything random in the step on this batch, in [0, 2^31).
    """
    plan = data.plan
    table, blends = rows_of_epoch(data, seed)
    batches = sampler.batches(table, plan.epoch, plan.batch, seed)

    def read(number: int) -> tuple[Loaded, Draws, int]:
        rows = batches[number]
        own = np.array_split(np.arange(len(rows)), fabric.world_size)[fabric.global_rank]
        draws = augment.draw(plan.augmentations, len(rows), [*seed, number])
        if plan.epoch.pairs:
            draws = draws.take(sampler.kin(table, rows))
        chance = np.random.default_rng([*seed, number, fabric.global_rank]).integers(SEEDS)
        return data.loading.load(table, rows[own], blends), draws.take(own), int(chance)

    return ahead(range(first, len(batches)), read)


def steps_of_epoch(data: Data, seed: Sequence[int]) -> int:
    """Return the number of batches of an epoch."""
    return sampler.steps_of(rows_of_epoch(data, seed)[0], data.plan.epoch, data.plan.batch)


def rows_of_epoch(data: Data, seed: Sequence[int]) -> tuple[Table, list[Blend]]:
    """Return the training rows of an epoch, with its blends where they are made anew in each."""
    if not data.blenders:
        return data.train, []
    return online_blends.plan(data.blenders, data.train, [*seed, 1])
