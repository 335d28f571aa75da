"""Running out of memory: noticed, agreed on, answered by smaller micro-batches, and by a clear error at one row."""

import weakref

import pytest
import torch

from models.runtime import batch_memory, devices
from pipeline.errors import TrainingError


@pytest.fixture(scope="module")
def fabric():
    return devices.start("cpu")


def test_out_of_memory_ends_the_block_and_frees_its_tensors(fabric):
    kept = []

    def work():
        activations = torch.zeros(4)
        kept.append(weakref.ref(activations))
        raise torch.OutOfMemoryError("out of memory")

    with batch_memory.watched(fabric) as memory:
        work()
    assert memory.ran_out
    assert isinstance(memory.error, torch.OutOfMemoryError)
    assert kept[0]() is None


def test_enough_memory(fabric):
    with batch_memory.watched(fabric) as memory:
        pass
    assert (memory.ran_out, memory.error) == (False, None)


def test_other_errors_are_raised(fabric):
    with pytest.raises(RuntimeError, match="shapes"), batch_memory.watched(fabric):
        raise RuntimeError("shapes do not fit")


@pytest.mark.parametrize(("rows", "fewer"), [(0, 4), (100, 4), (8, 4), (7, 4), (3, 2), (2, 1)])
def test_rows_are_halved(rows, fewer):
    batch = {"label": torch.zeros(8), "image": torch.zeros(8, 3, 32, 32)}
    assert batch_memory.Memory(ran_out=True).fewer(batch, rows) == fewer


def test_a_single_row_is_the_end():
    batch = {"label": torch.zeros(8), "image": torch.zeros(8, 3, 32, 32)}
    with pytest.raises(TrainingError, match="single row of 32 pixels"):
        batch_memory.Memory(ran_out=True).fewer(batch, 1)
