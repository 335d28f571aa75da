"""Memory of a training step: the rows that fit on a CPU, and what to do when it runs out.

A GPU reports that it is out of memory, and the step is tried again with fewer rows. A process that takes too much of a
machine's own memory is killed without a word, so on CPUs the need is measured before the first step.
"""

import contextlib
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor

from models.detectors.base import Batch, Network
from models.runtime.devices import any_of, out_of_memory
from pipeline.errors import TrainingError

SHARE = 0.4  # of free memory, for activations; their gradients and buffers need as much again for a moment
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
ROWS = 2  # of a batch whose activations are measured


@dataclass
class Memory:
    """Outcome of a block of work: whether memory ran out in any process, and the error where it did in this one."""

    ran_out: bool = False
    error: BaseException | None = None

    def fewer(self, batch: Batch, rows: int) -> int:
        """Return the rows of a smaller micro-batch, after memory ran out with `rows` (0: the whole batch).

        Raises
        ------
        TrainingError
            It ran out with a single row.
        """
        if rows == 1:
            size = batch["image"].shape[-1]
            raise TrainingError(
                f"Memory ran out with a single row of {size} pixels at a time; a smaller --set size may fit, "
                "or --precision bf16."
            ) from self.error
        count = len(batch["label"])
        return -(-min(rows or count, count) // 2)


@contextlib.contextmanager
def watched(fabric: Fabric) -> Iterator[Memory]:
    """Watch a block of work for running out of memory, which ends the block in this process but is not raised.

    All processes learn whether it happened in any of them: they take a step together, or not at all.
    """
    memory = Memory()
    try:
        yield memory
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)  # their tensors are what filled the memory
        memory.error = error
    memory.ran_out = any_of(fabric, memory.error is not None)
    if memory.ran_out and fabric.device.type == "cuda":
        torch.cuda.empty_cache()


def rows_that_fit(network: Network, batch: Mapping[str, Tensor], processes: int = 1) -> int | None:
    """Return how many rows can be trained on at once in free memory, at least 1; None if the system does not say.

    Parameters
    ----------
    network : Network
        Prepared for its phase; not changed.
    batch : mapping of str to Tensor
        On the CPU, as described in `models.detectors.base`; its first rows are measured.
    processes : int
        Number of processes that share the machine.
    """
    free = available()
    if free is None:
        return None
    some = {name: values[:ROWS] for name, values in batch.items()}
    try:
        each = activations(network, some) / len(some["label"])
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        return 1
    return max(1, int(SHARE * free / processes / max(each, 1)))


def activations(network: Network, batch: Mapping[str, Tensor]) -> int:
    """Return the bytes that a forward pass on a batch keeps for the backward pass, without the parameters."""
    own = {parameter.data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    was_training = network.training
    network.eval()  # running statistics stay as they are
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = network(batch)
        terms = network.loss(outputs, batch)
    network.train(was_training)
    del outputs, terms
    return sum(kept.values())


def available() -> int | None:
    """Return the bytes of memory that this process may still take; None where the system does not say."""
    found = []
    if MEMINFO.exists():
        values = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
        if "MemAvailable" in values:
            found.append(int(values["MemAvailable"].split()[0]) * 1024)
    limit, used = CGROUP / "memory.max", CGROUP / "memory.current"
    if limit.exists() and used.exists() and (text := limit.read_text().strip()) != "max":
        found.append(max(0, int(text) - int(used.read_text())))
    return min(found, default=None)
