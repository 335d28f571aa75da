"""Devices, precision and processes: Lightning Fabric, and sums over one or many processes."""

import os
import warnings
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from pipeline.errors import ConfigError

Module = TypeVar("Module", bound=nn.Module)
PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed"}
DEVICES = ("auto", "cpu", "cuda")


def start(device: str = "auto", precision: str = "32") -> Fabric:
    """Start using a device; under torchrun, join the other processes.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        `auto`: a GPU if there is one.
    precision : {"32", "bf16"}
        `bf16`: bfloat16 arithmetic where autocast considers it safe, 32-bit weights.

    Raises
    ------
    ConfigError
        An unknown name, or `cuda` without a GPU.
    """
    if device not in DEVICES or precision not in PRECISIONS:
        raise ConfigError(f"--device is one of {', '.join(DEVICES)} and --precision one of {', '.join(PRECISIONS)}.")
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise ConfigError("There is no GPU that PyTorch can use here; --device cpu works everywhere.")
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on clusters that are not there
        fabric = Fabric(
            accelerator="cuda" if there and device != "cpu" else "cpu",
            devices=here,
            num_nodes=max(1, processes // here),
            strategy="ddp" if processes > 1 else "auto",
            precision=PRECISIONS[precision],  # type: ignore[arg-type]
        )
        fabric.launch()
    return fabric


def settle(fabric: Fabric, network: Module) -> Module:
    """Move a network to the device, with kernels in channels-last layout, which is faster on CPUs and GPUs alike."""
    network.to(device=fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def total(fabric: Fabric, values: Tensor) -> Tensor:
    """Return the sum of a tensor of any shape over all processes."""
    if fabric.world_size == 1:
        return values
    summed = fabric.all_reduce(values, reduce_op="sum")
    assert isinstance(summed, Tensor)
    return summed


def any_of(fabric: Fabric, value: bool) -> bool:
    """Tell whether a value is true in any process."""
    if fabric.world_size == 1:
        return value
    return bool(total(fabric, torch.tensor(float(value), device=fabric.device)))


def share_gradients(fabric: Fabric, parameters: Sequence[nn.Parameter]) -> None:
    """Replace the gradients of parameters by their sums over all processes, in one message."""
    if fabric.world_size == 1:
        return
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    summed = total(fabric, torch.cat([gradient.flatten() for gradient in gradients]))
    done = 0
    for gradient in gradients:
        gradient.copy_(summed[done : done + gradient.numel()].view_as(gradient))
        done += gradient.numel()


def gather(fabric: Fabric, value: Any) -> list[Any]:
    """Return the values of all processes, in the order of their ranks."""
    if fabric.world_size == 1:
        return [value]
    found: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(found, value)
    return found


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error reports that memory ran out, on a GPU or on the machine."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
