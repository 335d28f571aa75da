"""Losses that several detectors share; every mean is over the rows whose label is known."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-12  # under square roots whose gradient would be infinite at zero


def full_precision(tensor: Tensor) -> torch.autocast:
    """Return a context without autocast, for the type of device that a tensor of any shape is on."""
    return torch.autocast(device_type=tensor.device.type, enabled=False)


def known_rows(target: Tensor) -> Tensor:
    """Return which rows of a map of shape (B, ...) have any known (not NaN) value: (B,), bool."""
    return (~target.isnan()).reshape(len(target), -1).any(1)


def mean_known(values: Tensor, known: Tensor) -> Tensor:
    """Return the mean over rows of each row's mean over its known pixels.

    Parameters
    ----------
    values : Tensor of shape (B, ...)
        Finite everywhere.
    known : Tensor of shape (B, ...), bool
        A row without any is left out.

    Returns
    -------
    Tensor of shape ()
        0, with zero gradients, where nothing is known.
    """
    weight = known.to(values.dtype).flatten(1)  # (B, n)
    row = (values.flatten(1) * weight).sum(1) / weight.sum(1).clamp(min=1)  # (B,)
    return row.sum() / known.flatten(1).any(1).sum().clamp(min=1)


def shrink(target: Tensor, size: Sequence[int], mode: str = "bilinear") -> Tensor:
    """Resize a map with unknown (NaN) pixels, averaging the known ones.

    Parameters
    ----------
    target : Tensor of shape (B, 1, H, W)
    size : sequence of int
        Height and width.
    mode : {"bilinear", "area"}
        Anti-aliased bilinear, or the mean of the pixels under each cell.

    Returns
    -------
    Tensor of shape (B, 1, *size), float32
        The weighted mean of the known pixels under each cell, NaN where there is none.
    """
    target = target.float()
    if tuple(target.shape[-2:]) == tuple(size):
        return target
    known = (~target.isnan()).float()

    def resize(values: Tensor) -> Tensor:
        if mode == "area":
            return F.adaptive_avg_pool2d(values, (size[0], size[1]))
        return F.interpolate(values, (size[0], size[1]), mode="bilinear", align_corners=False, antialias=True)

    share = resize(known)
    return torch.where(share > 0, resize(target.nan_to_num()) / share, torch.nan)


def pixel_bce(logits: Tensor, target: Tensor) -> Tensor:
    """Return the binary cross-entropy of a predicted map, averaged over known pixels, then over rows.

    Parameters
    ----------
    logits : Tensor of shape (B, C, h, w)
    target : Tensor of shape (B, C, h, w)
        In [0, 1], NaN where unknown.

    Returns
    -------
    Tensor of shape (), float32
    """
    values = F.binary_cross_entropy_with_logits(logits.float(), target.nan_to_num(), reduction="none")
    return mean_known(values, ~target.isnan())


def pixel_l1(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the absolute difference of two maps (B, C, h, w), averaged as in `pixel_bce`; the target may have NaN."""
    return mean_known((predicted.float() - target.nan_to_num()).abs(), ~target.isnan())


def class_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Return the cross-entropy of an image's class.

    Parameters
    ----------
    logits : Tensor of shape (B, 1) or (B, K)
        One logit: binary cross-entropy of "label is not 0"; more: softmax cross-entropy.
    label : Tensor of shape (B,), int64
        0 real; others fake.

    Returns
    -------
    Tensor of shape (), float32
    """
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0].float(), (label > 0).float())
    return F.cross_entropy(logits.float(), label)


def class_probabilities(logits: Tensor) -> Tensor:
    """Return class probabilities (B, K), float32, real first, of logits (B, 1) or (B, K) as in `class_loss`."""
    if logits.shape[1] > 1:
        return logits.float().softmax(1)
    fake = logits.float().sigmoid()  # (B, 1)
    return torch.cat([1 - fake, fake], 1)
