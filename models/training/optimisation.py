"""One training step: forward, every optimiser of the phase in turn, in micro-batches and over several processes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from models.detectors.base import Network, Outputs
from models.detectors.spec import Phase, Step
from models.runtime.devices import any_of, out_of_memory, share_gradients, total
from pipeline.errors import TrainingError

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


@dataclass
class Trainer:
    """What moves a network's weights in one phase.

    Attributes
    ----------
    network : Network
    phase : Phase
    fabric : Fabric
    micro : int
        Rows in memory at once, per process; halved whenever memory runs out.
    frozen_norm : bool
        Batch norm uses its running statistics and leaves them alone.
    optimisers : dict of str to Optimizer
        By the name of their step.
    """

    network: Network
    phase: Phase
    fabric: Fabric
    micro: int
    frozen_norm: bool = False
    optimisers: dict[str, torch.optim.Optimizer] = field(init=False)

    def __post_init__(self) -> None:
        self.network.start(self.phase)
        self.optimisers = {step.name: step.create(self.network.parameters_of(step.name)) for step in self.phase.steps}

    def set_epoch(self, epoch: int) -> None:
        """Set every optimiser's learning rate for an epoch of the phase."""
        for step in self.phase.steps:
            for group in self.optimisers[step.name].param_groups:
                group["lr"] = step.lr * step.decay(epoch)

    def training(self) -> None:
        """Put the network in training mode."""
        self.network.train()
        if self.frozen_norm:
            for module in self.network.modules():
                if isinstance(module, NORMS):
                    module.eval()

    def take(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take one step on this process's part of a batch.

        Returns
        -------
        dict of str to Tensor
            Each term of all optimisers' losses and, first, `loss`, the sum of those of `main`: this process's share
            of the mean over the whole batch, to be summed over the processes.

        Raises
        ------
        TrainingError
            Not even one row fits into memory.
        """
        self.training()
        counts = {step.name: self._counts(batch, step.name) for step in self.phase.steps}
        found: dict[str, Tensor] = {}
        outputs: Outputs | None = None
        for step in self.phase.steps:
            for _ in range(step.times):
                terms, outputs = self._backward_until_it_fits(batch, step, counts[step.name], outputs)
                share_gradients(self.fabric, self.network.parameters_of(step.name))
                self.optimisers[step.name].step()
            found |= terms
            if step.name == "main":
                found = {"loss": torch.stack(list(terms.values())).sum()} | found
        return found

    def _counts(self, batch: Mapping[str, Tensor], step: str) -> dict[str, Tensor]:
        """Return how many rows of the whole batch, over all processes, each term is averaged over."""
        rows = self.network.rows(batch, step)
        whole = total(self.fabric, torch.stack([count.float() for count in rows.values()]))
        return dict(zip(rows, whole, strict=True))

    def _backward_until_it_fits(
        self, batch: Mapping[str, Tensor], step: Step, counts: Mapping[str, Tensor], outputs: Outputs | None
    ) -> tuple[dict[str, Tensor], Outputs | None]:
        while True:
            self.optimisers[step.name].zero_grad()
            failure: BaseException | None = None
            try:
                terms, outputs = self._backward(batch, step, counts, outputs)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                failure, outputs = error, None
            # all processes take the step, or none
            if not any_of(self.fabric, failure is not None):
                return terms, outputs
            if self.micro == 1:
                size = batch["image"].shape[-1]
                raise TrainingError(
                    f"Memory ran out with a single row of {size} pixels at a time; a smaller --set size may fit, "
                    "or --precision bf16."
                ) from failure
            self.micro = -(-min(self.micro, len(batch["label"])) // 2)
            outputs = None
            if self.fabric.device.type == "cuda":
                torch.cuda.empty_cache()

    def _backward(
        self, batch: Mapping[str, Tensor], step: Step, counts: Mapping[str, Tensor], outputs: Outputs | None
    ) -> tuple[dict[str, Tensor], Outputs | None]:
        """Add up the gradients of all micro-batches; each term by its share of the rows it is averaged over.

        A batch in one piece runs forward once for all optimisers; one in several pieces once for each of them, since
        keeping every piece's activations is what there is no memory for.
        """
        parts = list(_parts(batch, self.micro))
        sums: dict[str, Tensor] = {}
        for part in parts:
            with self.fabric.autocast():
                if outputs is None or len(parts) > 1:
                    outputs = self.network(part)
                terms = self.network.loss(outputs, part, step.name)
            rows = self.network.rows(part, step.name)
            weighted = {name: term * (rows[name] / counts[name].clamp(min=1)) for name, term in terms.items()}
            torch.autograd.backward(torch.stack(list(weighted.values())).sum())
            for name, term in weighted.items():
                sums[name] = sums.get(name, torch.zeros_like(term)) + term.detach()
        return sums, outputs if len(parts) == 1 else None


def _parts(batch: Mapping[str, Tensor], size: int) -> Iterator[dict[str, Tensor]]:
    count = len(batch["label"])
    for low in range(0, count, size):
        yield {name: values[low : low + size] for name, values in batch.items()}


def synchronise_norms(network: Network, fabric: Fabric) -> Network:
    """Let batch norm see the batch of all processes, on GPUs."""
    if fabric.world_size == 1 or fabric.device.type != "cuda":
        return network
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    assert isinstance(converted, Network)
    return converted


def means(sums: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return each term's mean from its sum and its number of steps."""
    return {name: value / max(count, 1) for name, (value, count) in sums.items()}
