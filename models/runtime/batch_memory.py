"""How many rows fit into the machine's memory: on CPUs a process that takes too much is killed, not told."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from models.detectors.base import Network
from models.runtime.devices import out_of_memory

SHARE = 0.4  # of what is free, for activations; as much again goes to their gradients and buffers for a moment
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
ROWS = 2  # measured


def rows_that_fit(network: Network, batch: Mapping[str, Tensor], processes: int = 1) -> int | None:
    """Return how many rows of training fit into free memory at once, at least 1; None where nobody knows.

    Parameters
    ----------
    network : Network
        Ready for its phase; left as it is.
    batch : mapping of str to Tensor
        On the CPU; its first rows are measured.
    processes : int
        That share the machine.
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
    """Return the bytes that a forward pass keeps for the backward one, parameters apart."""
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
    """Return the bytes of memory this process may still take; None where the system does not say."""
    found = []
    if MEMINFO.exists():
        values = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
        if "MemAvailable" in values:
            found.append(int(values["MemAvailable"].split()[0]) * 1024)
    limit, used = CGROUP / "memory.max", CGROUP / "memory.current"
    if limit.exists() and used.exists() and (text := limit.read_text().strip()) != "max":
        found.append(max(0, int(text) - int(used.read_text())))
    return min(found, default=None)
