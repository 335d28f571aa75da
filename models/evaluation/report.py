"""Output files of an evaluation: `metrics.json`, `metrics.csv`, `scores.csv`, plots, and a table for the screen."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import roc_curve

from models.evaluation import diagnostics
from models.evaluation.evaluate import EVERY, REAL, Evaluation, Judged
from models.evaluation.robustness import CLEAN
from pipeline.files import write_json
from pipeline.store.writing import writing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEYS = ("condition", "store", "split", "compression", "method")
METRICS, TABLE, SCORES = "metrics.json", "metrics.csv", "scores.csv"
ROC, ROBUSTNESS, STUDIES = "roc.png", "robustness.png", "studies.png"


def write(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write everything but the prediction sheet; return the files."""
    files = [folder / METRICS, folder / TABLE, folder / SCORES]
    write_json(files[0], evaluation.result)
    _write_table(files[1], evaluation.result)
    _write_scores(files[2], evaluation)
    for name, figure in ((ROC, roc(evaluation.judged[0])), (ROBUSTNESS, robustness(evaluation.result))):
        if figure is not None:
            files.append(folder / name)
            with writing(str(folder / name)):
                figure.savefig(folder / name, dpi=120)
    diagnostics.draw(folder / STUDIES, evaluation)
    return [*files, folder / STUDIES]


def groups(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every group of every condition, that of all rows first."""
    for each in (result["overall"], *result["groups"]):
        yield {"condition": CLEAN} | each
    for condition in result["conditions"]:
        for each in condition["groups"]:
            yield {"condition": condition["condition"]} | each


def screen(result: Mapping[str, Any]) -> str:
    """Lay the figures out for a screen."""
    lines = [f"{result['detector']} from {result['checkpoint']}, split {result['split']}"]
    head = f"{'':<44}{'frames':>8}{'videos':>8}{'AUC':>8}{'95 %':>14}{'ACC':>8}{'EER':>8}{'TPR10':>8}"
    lines.append(f"{head}{'vAUC':>8}{'vACC':>8}{'IoU':>8}{'mIoU':>8}{'rejected':>11}")
    shown = [each for each in groups(result) if each["condition"] == CLEAN or each["store"] == EVERY]
    for each in shown:  # the groups of other conditions stand in the files
        named = each | {"store": Path(each["store"]).name if len(result["stores"]) > 1 else EVERY}
        name = " ".join(named[key] for key in KEYS if named[key] not in (EVERY, CLEAN)) or "everything"
        frame, video, drawn = each["frame"], each["video"], each["maps"]
        span = frame.get("auc_interval")
        cells = [
            f"{each['frames']:>8}{each['videos']:>8}{_cell(frame['auc'])}",
            f"{f'{span[0]:.3f}-{span[1]:.3f}' if span else '':>14}",
            *(_cell(frame[key]) for key in ("accuracy", "eer", "tpr_at_fpr10")),
            *(_cell(video[key]) for key in ("auc", "accuracy")),
            *(_cell(drawn.get(key)) for key in ("iou_fake", "miou")),
            f"{_share(each['coverage']):>11}",
        ]
        lines.append(f"{name[-43:]:<44}" + "".join(cells))
    lines.append(
        f"{_several(result)}AUC to TPR10: frames; TPR10: true positives at 10 % false ones; vAUC, vACC: videos; "
        "IoU: of fakes; rejected: frames that preprocessing could not use."
    )
    return "\n".join(lines)


def _several(result: Mapping[str, Any]) -> str:
    """Say what the accuracy of several classes is; empty for real against fake."""
    if len(result["classes"]) <= 2:
        return ""
    return (
        f"ACC, vACC: of {len(result['classes'])} classes, {', '.join(result['classes'])}; the rest of real and fake. "
    )


def _cell(value: float | None) -> str:
    return f"{'-' if value is None else f'{value:.4f}':>8}"


def _share(coverage: Mapping[str, int]) -> str:
    asked = coverage["frames"] + coverage["frames_rejected"]
    return f"{coverage['frames_rejected'] / asked:.1%}" if asked else "-"


def _write_table(path: Path, result: Mapping[str, Any]) -> None:
    """Write one row a group, figures as columns such as `frame_auc`."""
    rows = []
    for each in groups(result):
        row = {key: each[key] for key in (*KEYS, "frames", "videos")}
        for level in ("frame", "video", "maps", "coverage"):
            for name, value in each[level].items():
                if name.endswith("_interval"):
                    low, high = value or (None, None)
                    row |= {f"{level}_{name}_low": low, f"{level}_{name}_high": high}
                else:
                    row[f"{level}_{name}"] = value
        rows.append(row)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with writing(str(path)), path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)


def _write_scores(path: Path, evaluation: Evaluation) -> None:
    """Write every row's score, in every condition."""
    with writing(str(path)), path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        names = evaluation.result["classes"]
        several = [f"probability_{name}" for name in names] if len(names) > 2 else []
        head = ["condition", "store", "split", "row", "video", "frame", "method", "compression", "label", "score"]
        writer.writerow([*head, *(["class", *several] if several else [])])
        for each in evaluation.judged:
            table, found = each.condition.table, each.found
            for place, number in enumerate(found.rows.tolist()):
                reader = evaluation.readers[table.store[number]]
                row = int(table.row[number])
                video = str(reader.columns["video_id"][reader.columns["video"][row]])
                about = [each.condition.name, reader.location, table.split[number], row, video]
                about += [int(reader.columns["frame"][row]), table.method[number], table.compression[number]]
                told = [int(table.target[number]), *map(_exact, found.probabilities[place])] if several else []
                writer.writerow([*about, int(table.label[number]), _exact(found.score[place]), *told])


def _exact(value: float) -> str:
    """Write a 32-bit number so that reading it gives the same number: figures from the file equal those printed."""
    return f"{value:.9g}"


def roc(judged: Judged) -> "Figure | None":
    """Draw the frame-level ROC curve of all rows, and of each method against the reals; None without both classes."""
    from matplotlib.figure import Figure

    table, score = judged.condition.table, judged.found.score
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    drawn = 0
    for method in (EVERY, *(name for name in dict.fromkeys(table.method.tolist()) if name != REAL)):
        rows = np.isin(table.method.astype(str), (REAL, method)) | (method == EVERY)
        label = table.label[rows]
        if 0 < label.sum() < len(label):
            false, true, _ = roc_curve(label, score[rows])
            axes.plot(false, true, label=method, linewidth=2 if method == EVERY else 1)
            drawn += 1
    if not drawn:
        return None
    axes.plot([0, 1], [0, 1], ":", color="grey")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="frames")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    return figure


def robustness(result: Mapping[str, Any]) -> "Figure | None":
    """Draw AUC over the strength of each degradation, that of the stored rows as a line across; None without any."""
    from matplotlib.figure import Figure

    curves: dict[str, list[tuple[float, float, float]]] = {}
    for each in result["conditions"]:
        kind, _, strength = each["condition"].partition(":")
        first = each["groups"][0]
        values = first["frame"]["auc"], first["video"]["auc"]
        if kind != "partial" and None not in values:
            curves.setdefault(kind, []).append((float(strength), *values))
    if not curves:
        return None
    figure = Figure(figsize=(4 * len(curves), 3.5), layout="constrained")
    for axes, (kind, points) in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True):
        strength, frame, video = zip(*sorted(points), strict=True)
        axes.plot(strength, frame, "o-", label="frames")
        axes.plot(strength, video, "s--", label="videos")
        clean = result["overall"]["frame"]["auc"]
        if clean is not None:
            axes.axhline(clean, color="grey", linestyle=":", label="as stored, frames")
        axes.set(xlabel=kind, ylabel="AUC", ylim=(0, 1.02))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    return figure
