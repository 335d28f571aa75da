"""Batches of an epoch: any number of processes and any first batch give the same rows, draws and pixels."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tinystore import make_store
from toy import TOY

from models.runtime import devices
from models.training.batches import gather, steps_of_epoch
from models.training.setup import Job, prepare

SEED = (0, 0, 2)


@dataclass(frozen=True)
class Rank:
    """Place of one process among several."""

    global_rank: int
    world_size: int


@pytest.fixture(scope="module", params=["off", "on"])
def data(request, tmp_path_factory):
    location = make_store(tmp_path_factory.mktemp("stores") / "tiny.zarr", size=32)
    job = Job((location,), TOY, TOY.parse([f"pairs={request.param}"]), tmp_path_factory.mktemp("run"), device="cpu")
    return prepare(job, devices.start("cpu"))


def test_the_processes_parts_add_up_to_the_batch(data):
    whole = list(gather(data, SEED, 0, Rank(0, 1)))
    parts = [list(gather(data, SEED, 0, Rank(rank, 3))) for rank in range(3)]
    assert len(whole) == len(parts[0]) == steps_of_epoch(data, SEED) > 2
    for (loaded, draws, _), *of_ranks in zip(whole, *parts, strict=True):
        assert np.array_equal(loaded.rows, np.concatenate([part[0].rows for part in of_ranks]))
        for name in ("applied", "strength", "place", "seed"):
            joined = np.concatenate([getattr(part[1], name) for part in of_ranks])
            assert np.array_equal(getattr(draws, name), joined)
        assert len({part[2] for part in of_ranks}) == 3


def test_a_resumed_epoch_goes_on_with_the_same_batches(data):
    whole, rest = (list(gather(data, SEED, first, Rank(0, 1))) for first in (0, 2))
    for (loaded, draws, seed), (again, draws_again, seed_again) in zip(whole[2:], rest, strict=True):
        assert np.array_equal(loaded.rows, again.rows)
        assert np.array_equal(draws.strength, draws_again.strength)
        assert seed == seed_again
        images, images_again = (each.parts[0].arrays["image"] for each in (loaded, again))
        assert torch.equal(images, images_again)


def test_epochs_differ(data):
    first, second = (next(gather(data, (0, 0, epoch), 0, Rank(0, 1))) for epoch in (0, 1))
    assert not np.array_equal(first[0].rows, second[0].rows)
    assert first[2] != second[2]
