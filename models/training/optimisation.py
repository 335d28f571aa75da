"""Optimisers, learning rates and batch norm of a phase of training, and the shares of micro-batches in a mean."""

from collections.abc import Mapping, Sequence

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from models.detectors.base import Batch, Network
from models.detectors.spec import Phase
from models.runtime.devices import total

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def start_phase(network: Network, phase: Phase) -> dict[str, torch.optim.Optimizer]:
    """Prepare a network for a phase; return its optimisers by the name of their step."""
    network.start(phase)
    return {step.name: step.create(network.parameters_of(step.name)) for step in phase.steps}


def set_rates(optimisers: Mapping[str, torch.optim.Optimizer], phase: Phase, epoch: int) -> None:
    """Set every optimiser's learning rate for an epoch of the phase, counted from 0."""
    for step in phase.steps:
        for group in optimisers[step.name].param_groups:
            group["lr"] = step.lr * step.decay(epoch)


def training_mode(network: Network, frozen_norm: bool) -> None:
    """Put a network into training mode; with `frozen_norm` all but its batch norms."""
    network.train()
    if frozen_norm:
        for module in network.modules():
            if isinstance(module, NORMS):
                module.eval()


def synchronise_norms(network: Network, fabric: Fabric) -> Network:
    """Compute batch norm statistics over the batch of all processes, on GPUs."""
    if fabric.world_size == 1 or fabric.device.type != "cuda":
        return network
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    assert isinstance(converted, Network)
    return converted


def count_rows(network: Network, batch: Batch, step: str, fabric: Fabric) -> dict[str, Tensor]:
    """Return how many rows of the whole batch, over all processes, each term of a step is averaged over, shape ()."""
    rows = network.rows(batch, step)
    whole = total(fabric, torch.stack([count.float() for count in rows.values()]))  # (terms,)
    return dict(zip(rows, whole, strict=True))


def split(batch: Batch, rows: int) -> list[dict[str, Tensor]]:
    """Divide a batch into micro-batches of at most `rows` rows; 0: one with all of them."""
    count = len(batch["label"])
    size = rows or count
    return [{name: values[low : low + size] for name, values in batch.items()} for low in range(0, count, size)]


def means(sums: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return each term's mean from its sum and its number of steps."""
    return {name: value / max(count, 1) for name, (value, count) in sums.items()}
