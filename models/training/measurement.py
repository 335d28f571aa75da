"""What a network stores of its training images, measured before the first step."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.data import sampler
from models.data.collate import to_device
from models.data.loader import ahead, in_order
from models.detectors.base import Network
from models.training.batches import rows_of_epoch
from models.training.setup import Data

ROWS = 1024  # of the first epoch, mixed as in training
PART = 32  # rows in memory at once


def measure(network: Network, data: Data, seed: Sequence[int], device: torch.device) -> dict[str, Any]:
    """Let a network measure its training images; every process reads the same rows and takes the same numbers.

    Parameters
    ----------
    network : Network
    data : Data
    seed : sequence of int
        Of the first epoch, whose first rows are read.
    device : torch.device

    Returns
    -------
    dict
        What was measured, with `rows` and `stores` it is of; empty for a network that measures nothing.
    """
    table, blends = rows_of_epoch(data, seed)
    rows = np.concatenate(sampler.batches(table, data.plan.epoch, data.plan.batch, seed))[:ROWS]

    def images() -> Iterator[Tensor]:
        parts = [rows[part] for part in in_order(len(rows), PART)]
        for loaded in ahead(parts, lambda some: data.loading.load(table, some, blends)):
            yield to_device(loaded, data.plan.size, device)["image"]

    found = network.measure(images())
    return found | {"rows": len(rows), "stores": data.digests} if found else {}


def said(found: dict[str, Any]) -> str:
    """Say what was measured, for the log."""
    named = [
        f"{name} {', '.join(f'{key} {_numbers(values)}' for key, values in of.items())}"
        for name, of in found.items()
        if isinstance(of, dict) and name != "stores"
    ]
    return f"Measured on {found['rows']} rows of training: {'; '.join(named)}."


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)
