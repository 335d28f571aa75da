"""Pictures of predictions: crop, true region, predicted map, and where the score comes from (Grad-CAM)."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.data.collate import to_device
from models.data.row_table import Ints, Table
from models.detectors.base import Network
from models.detectors.spec import Plan
from models.evaluation.evaluate import REAL, Evaluation
from pipeline.contact_sheet import UNKNOWN, Picture, contact_sheet
from pipeline.errors import ConfigError
from pipeline.store.writing import writing

SHEET = "predictions.png"
TILE, MARGIN = 160, 190  # pixels: a picture's side, and the width of the row titles
OF_EACH = 2  # rows of each method


def grad_cam(network: Network, plan: Plan, batch: Mapping[str, Tensor]) -> Tensor:
    """Return where in an image the score of fake comes from.

    Parameters
    ----------
    network : Network
        In evaluation mode.
    plan : Plan
        `cam` names the feature.
    batch : mapping of str to Tensor
        `image` of shape (B, 3, S, S).

    Returns
    -------
    Tensor of shape (B, 1, S, S), float32
        0 to 1 within each image.

    References
    ----------
    Selvaraju et al., Grad-CAM, ICCV 2017, equations 1 and 2, for the log-odds of fake.
    """
    with torch.enable_grad():
        outputs = network({"image": batch["image"].detach().requires_grad_()})
        feature = outputs.features.get(plan.cam)
        if feature is None:
            raise ConfigError(f"The network has no feature {plan.cam} to draw a Grad-CAM from.")
        odds = torch.logit(network.probabilities(outputs)[:, 0].clamp(1e-6, 1 - 1e-6)).neg()
        direct = outputs.logits[:, 0] if outputs.logits.shape[1] == 1 else _log_odds(outputs.logits)
        target = direct if direct.requires_grad else odds
        (slope,) = torch.autograd.grad(target.sum(), feature)
    weights = slope.float().mean((2, 3), keepdim=True)
    seen = (weights * feature.detach().float()).sum(1, keepdim=True).relu()
    seen = seen / seen.amax((2, 3), keepdim=True).clamp(min=1e-12)
    side = batch["image"].shape[-1]
    return torch.nn.functional.interpolate(seen, (side, side), mode="bilinear", align_corners=False)


def _log_odds(logits: Tensor) -> Tensor:
    return logits[:, 1:].float().logsumexp(1) - logits[:, 0].float()


def draw(evaluation: Evaluation, path: Path) -> None:
    """Write a sheet: two rows of each method, and for each crop, truth, map and Grad-CAM."""
    chosen = choose(evaluation.judged[0].condition.table)
    titles, lines, sides = pictures(evaluation, chosen)
    with writing(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(contact_sheet(lines, titles, sides, TILE, MARGIN)).save(path)


def pictures(evaluation: Evaluation, chosen: Ints) -> tuple[list[str], list[list[Picture]], list[str]]:
    """Return of some rows of the table, (n,) int64: names of the pictures, the pictures of each row, its title."""
    table = evaluation.judged[0].condition.table
    loaded = evaluation.loading.load(table, chosen)
    network, plan = evaluation.network, evaluation.plan
    batch = to_device(loaded, plan.size, next(network.parameters()).device)
    with torch.no_grad():
        outputs = network(batch)
        scores = network.score(outputs).cpu().tolist()
        drawn = network.localise(outputs, plan.size)
    seen = grad_cam(network, plan, batch)
    titles = ["crop"] + (["truth", "predicted"] if drawn is not None else []) + ["Grad-CAM"]
    lines = []
    for place in range(len(chosen)):
        image = _pixels(batch["image"][place])
        tiles = [image]
        if drawn is not None:
            tiles += [_grey(batch[plan.truth][place, 0]), _grey(drawn[place, 0])]
        tiles.append(overlay(image, seen[place, 0].cpu().numpy()))
        lines.append(tiles)
    sides = [
        f"{table.method[row]} {table.compression[row]}\nfake {score:.3f}"
        for row, score in zip(chosen, scores, strict=True)
    ]
    return titles, lines, sides


def choose(table: Table) -> Ints:
    """Choose rows to show: of each method the same few, the most compressed last."""
    found: list[int] = []
    methods = [REAL, *(name for name in dict.fromkeys(table.method.tolist()) if name != REAL)]
    for method in methods:
        rows = np.flatnonzero(table.method == method)
        if len(rows):
            places = np.linspace(0, len(rows) - 1, min(OF_EACH, len(rows))).round().astype(np.int64)
            found += rows[np.unique(places)].tolist()
    return np.array(found, np.int64)


def overlay(image: Picture, heat: NDArray[np.float32]) -> Picture:
    """Lay a map of values from 0 to 1 over an image of the same size, from blue to red."""
    colours = cv2.applyColorMap((np.clip(heat, 0, 1) * 255).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1]
    return np.asarray(0.55 * image + 0.45 * colours, np.uint8)


def _pixels(image: Tensor) -> Picture:
    return (image.permute(1, 2, 0) * 255).round().clamp(0, 255).byte().cpu().numpy()


def _grey(values: Tensor) -> Picture:
    plain = values.float().cpu().numpy()
    grey = (np.clip(np.nan_to_num(plain), 0, 1) * 255).astype(np.uint8)
    return np.asarray(np.where(np.isnan(plain)[..., None], UNKNOWN, grey[..., None]), np.uint8)
