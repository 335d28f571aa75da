"""Residuals of faces by every filter."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.evaluation.evaluate import Evaluation
from models.nn.filters import guided_residual, high_pass, srm
from models.nn.residuals import Residual
from models.pictures.rows import batches, some

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TIMES = 5  # enlargement, the paper's
LEAST = 1e-12  # smallest range that is divided by
FILTERS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "high pass": high_pass,
    "SRM": srm,
    "guided (MTE)": guided_residual,
}


def columns(evaluation: Evaluation, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the pictures of some faces by title, each (B, 3, S, S) or (B, 1, S, S) in [0, 1].

    Beside the filters: the residual that the network itself takes, where it takes one, before its standardisation and
    as a share of each face's largest; and the mean over channels of the feature that Grad-CAM uses, from the least to
    the largest of each face.
    """
    image, network = batch["image"], evaluation.network
    found = {"face": image} | {f"{name}, {TIMES} times": _enlarged(of(image)) for name, of in FILTERS.items()}
    for module in network.modules():
        if isinstance(module, Residual):
            own = module.extracted(image).abs()
            found["the network's, of its largest"] = own / own.amax((1, 2, 3), keepdim=True).clamp(min=LEAST)
    feature = network(batch).features[evaluation.plan.cam].float().abs().mean(1, keepdim=True)
    low, high = (of(feature, dim=(2, 3), keepdim=True) for of in (torch.amin, torch.amax))
    found["features"] = F.interpolate((feature - low) / (high - low).clamp(min=LEAST), image.shape[-2:])
    return found


def _enlarged(residual: Tensor) -> Tensor:
    return (residual.abs() * TIMES).clamp(max=1)


def grid(evaluation: Evaluation) -> "Figure":
    """Draw a face of each method and compression in a line, one picture for each filter.

    References
    ----------
    Guo et al., GRnet, figures 4, 5 and 10.
    """
    from matplotlib.figure import Figure

    table = evaluation.judged[0].condition.table
    rows = some(table, 1)
    lines: list[dict[str, Tensor]] = []
    with torch.no_grad():
        for part, batch in batches(evaluation, rows):
            made = columns(evaluation, batch)
            lines += [{title: values[place] for title, values in made.items()} for place in range(len(part))]
    figure = Figure(figsize=(1.9 * len(lines[0]), 1.9 * len(lines)), layout="constrained")
    panels = figure.subplots(len(lines), len(lines[0]), squeeze=False)
    for axes, title in zip(panels[0], lines[0], strict=True):
        axes.set_title(title, fontsize=8)
    for axes_of_line, line, row in zip(panels, lines, rows.tolist(), strict=True):
        axes_of_line[0].set_ylabel(f"{table.method[row]} {table.compression[row]}", fontsize=8)
        for axes, values in zip(axes_of_line, line.values(), strict=True):
            picture = np.asarray(values.float().cpu().permute(1, 2, 0))
            axes.imshow(picture if picture.shape[2] == 3 else picture[..., 0], vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
    return figure
