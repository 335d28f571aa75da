"""Figures of merit of scores and maps. Pure NumPy in and plain values out; None where undefined."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve
from torchmetrics.functional.classification import (
    binary_accuracy,
    binary_f1_score,
    binary_precision,
    binary_recall,
    multiclass_recall,
)

THRESHOLD = 0.5  # score above which a face is called fake, probability above which a pixel is
FALSE_POSITIVES = 0.1  # rate at which the true positive rate is given
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Figures = dict[str, float | None]


def scores(label: Ints, score: Floats) -> Figures:
    """Judge scores of fake against labels.

    Parameters
    ----------
    label : ndarray of shape (n,), int64
        0 real, 1 fake.
    score : ndarray of shape (n,), float
        Probability of fake.

    Returns
    -------
    dict
        `accuracy`, `precision`, `recall`, `f1` at a score above 1/2, fakes being the positives; `auc`; `eer`, where
        the rates of both errors are equal; `tpr_at_fpr10`. What one class alone leaves undefined is None.

    References
    ----------
    Curves by scikit-learn, the rest by torchmetrics. The two rates between points of the ROC curve are interpolated
    linearly.
    """
    if not len(label):
        return dict.fromkeys(("accuracy", "precision", "recall", "f1", "auc", "eer", "tpr_at_fpr10"))
    truth = torch.from_numpy(label.astype(np.int64))
    called = torch.from_numpy((score > THRESHOLD).astype(np.int64))
    fakes = bool(label.any())
    found: Figures = {
        "accuracy": float(binary_accuracy(called, truth)),
        "precision": float(binary_precision(called, truth)) if bool(called.any()) else None,
        "recall": float(binary_recall(called, truth)) if fakes else None,
        "f1": float(binary_f1_score(called, truth)) if fakes or bool(called.any()) else None,
    }
    if not 0 < label.sum() < len(label):
        return found | dict.fromkeys(("auc", "eer", "tpr_at_fpr10"))
    false, true, _ = roc_curve(label, score, drop_intermediate=False)
    return found | {
        "auc": float(roc_auc_score(label, score)),
        "eer": equal_error_rate(false, true),
        "tpr_at_fpr10": true_rate(false, true),
    }


def equal_error_rate(false: Floats, true: Floats) -> float:
    """Return the error rate where false positives are as frequent as false negatives, on a ROC curve."""
    gap = false - (1 - true)  # rises from -1 to 1
    after = int(np.argmax(gap >= 0))
    if gap[after] == 0 or after == 0:
        return float(false[after])
    share = -gap[after - 1] / (gap[after] - gap[after - 1])
    return float(false[after - 1] + share * (false[after] - false[after - 1]))


def true_rate(false: Floats, true: Floats) -> float:
    """Return the true positive rate at 10 % false positives, on a ROC curve."""
    return float(np.interp(FALSE_POSITIVES, false, true))


def area(false: Floats, true: Floats) -> float:
    """Return the area under a ROC curve."""
    return float(np.trapezoid(true, false))


def classes(target: Ints, probabilities: Floats, names: tuple[str, ...]) -> Figures:
    """Judge the classes that a network of several tells apart; the one of highest probability is its answer.

    Parameters
    ----------
    target : ndarray of shape (n,), int64
        Class; rows below 0 (a method never taught) are left out.
    probabilities : ndarray of shape (n, K)
    names : tuple of str
        Of the classes; empty: their numbers.

    Returns
    -------
    dict
        `accuracy`, the share of rows given their own class; `recall_NAME` of every class, None for one without rows;
        `recall_mean` of those with rows; `untaught`, the number of rows left out.
    """
    known = target >= 0
    names = names or tuple(map(str, range(probabilities.shape[1])))
    left_out: Figures = {"untaught": float((~known).sum())}
    if not known.any():
        return dict.fromkeys(["accuracy", *(f"recall_{name}" for name in names), "recall_mean"]) | left_out
    called = torch.from_numpy(probabilities[known].argmax(1))
    truth = torch.from_numpy(target[known])
    recalls = multiclass_recall(called, truth, num_classes=probabilities.shape[1], average=None).tolist()
    found: Figures = {
        f"recall_{name}": recalls[number] if bool((truth == number).any()) else None
        for number, name in enumerate(names)
    }
    present = [value for value in found.values() if value is not None]
    accuracy = float((called == truth).double().mean())
    return {"accuracy": accuracy} | found | {"recall_mean": sum(present) / len(present)} | left_out


@dataclass(frozen=True)
class Videos:
    """Scores averaged over each video; every array has an entry a video."""

    label: Ints
    score: Floats
    video: Ints


def by_video(label: Ints, score: Floats, video: Ints) -> Videos:
    """Mean the scores of each video's frames; a video is fake when most of its frames are.

    Frames of a fake that were labelled real for want of changed pixels do not make it real.
    """
    numbers, place = np.unique(video, return_inverse=True)
    place = place.reshape(-1)
    counts = np.bincount(place, minlength=len(numbers))
    fake = np.bincount(place, weights=label, minlength=len(numbers)) / np.maximum(counts, 1) > 0.5
    mean = np.bincount(place, weights=score, minlength=len(numbers)) / np.maximum(counts, 1)
    return Videos(fake.astype(np.int64), mean, numbers)


def pixel_counts(predicted: torch.Tensor, truth: torch.Tensor) -> Ints:
    """Count pixels of predicted and true maps.

    Parameters
    ----------
    predicted : Tensor of shape (B, 1, S, S)
        Probability of manipulation.
    truth : Tensor of shape (B, 1, S, S)
        1 manipulated, 0 not; soft ones count from 1/2; NaN is left out.

    Returns
    -------
    ndarray of shape (B, 4), int64
        True positives, false positives, false negatives, true negatives.
    """
    known = ~truth.isnan()
    called, real = predicted > THRESHOLD, truth.nan_to_num() >= THRESHOLD
    cells = [called & real, called & ~real, ~called & real, ~called & ~real]
    return torch.stack([(cell & known).flatten(1).sum(1) for cell in cells], 1).cpu().numpy().astype(np.int64)


def localisation(counts: Ints) -> dict[str, Floats]:
    """Return per image the figures of maps from their pixel counts; NaN where not one pixel is known.

    Parameters
    ----------
    counts : ndarray of shape (n, 4)
        From `pixel_counts`.

    Returns
    -------
    dict of str to ndarray of shape (n,)
        `iou`: of manipulated pixels, 1 where none is and none is called (locate). `miou`: mean of that and of the same
        for untouched pixels (wavelet; our reading, methods that call a real's every pixel right get 1). `pbca`: share
        of pixels called rightly (anticompression).
    """
    true, false, missed, clear = counts.astype(np.float64).T
    total = counts.sum(1)
    fore, back = _ratio(true, true + false + missed), _ratio(clear, clear + false + missed)
    figures = {"iou": fore, "miou": (fore + back) / 2, "pbca": (true + clear) / np.maximum(total, 1)}
    return {name: np.where(total > 0, values, np.nan) for name, values in figures.items()}


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.where(whole > 0, part / np.maximum(whole, 1), 1.0)


def pixel_share(counts: Ints) -> Floats:
    """Return the share of each image's known pixels that are called manipulated, from `pixel_counts`."""
    share: Floats = counts[:, :2].sum(1) / np.maximum(counts.sum(1), 1)
    return share


def maps(counts: Ints, label: Ints) -> Figures:
    """Return the mean figures of maps: over all images, over fakes alone as `..._fake`, over reals as `..._real`.

    `auc_by_pixels` is that of the faces' scores, were these the shares of pixels called manipulated.
    """
    found: Figures = {"auc_by_pixels": scores(label, pixel_share(counts))["auc"]}
    for name, values in localisation(counts).items():
        found[name] = _mean(values)
        found[f"{name}_fake"] = _mean(values[label == 1])
        found[f"{name}_real"] = _mean(values[label == 0])
    return found


def _mean(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def better(metric: str, value: float | None, best: float | None) -> bool:
    """Tell whether a validation is better than the best so far; a loss is better when lower, the rest when higher."""
    if value is None or math.isnan(value):
        return False
    return best is None or (value < best if metric == "loss" else value > best)
