"""Summary of a store, or of a planned run, as plain text and plain values."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.errors import StoreError
from pipeline.faces import near
from pipeline.inspect import people, trust
from pipeline.manifest import REAL
from pipeline.stages.run import Job
from pipeline.store import stored_names
from pipeline.store.hashing import combined_digest


@dataclass(frozen=True)
class Summary:
    """One store, counted."""

    store: str
    complete: bool
    dataset: str
    recipe: str
    size: int  # pixels of a crop's side
    seed: int
    limit: int | None  # real videos, of a trial store
    software: dict[str, str]
    counts: dict[str, Any]
    rows: list[dict[str, Any]]  # one entry for each split, method and compression: kept, rejected
    rejects: dict[str, int]  # reason -> rows lost
    people: dict[str, Any]  # figures of `pipeline.inspect.people`
    trust: dict[str, Any]  # figures of `pipeline.inspect.trust`
    arrays: dict[str, str]  # name -> type and shape
    digest: str
    notes: list[str]

    @property
    def lost_share(self) -> float:
        """Share of the rows asked for that were rejected."""
        lost = self.counts["rejected_rows"]
        return float(lost / max(1, lost + self.counts["rows"]))

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain values, ready for JSON."""
        return asdict(self)


def summary(location: str) -> Summary:
    """Count what is in a store.

    Raises
    ------
    StoreError
        There is no store, or its first run has not finished.
    """
    group = store.open_group(location)
    attributes = store.attributes_of(group)
    if not attributes.get("complete"):
        raise StoreError(f"{location} is unfinished; run the command that began it again and it goes on.")
    columns = store.read_columns(group)
    rejects = store.read_columns(store.group_of(group, store.REJECTS))
    reasons: Counter[str] = Counter()
    for video, stage, reason, rows in zip(
        *(rejects[name] for name in ("video", "stage", "reason")), rejects["rows"].tolist(), strict=True
    ):
        reasons[f"{stage}: {f'{video}: ' if stage == 'scan' else ''}{near.untold(reason)}"] += rows
    digests = attributes["digests"]
    return Summary(
        store=location,
        complete=True,
        dataset=attributes["dataset"],
        recipe=attributes["recipe"]["name"],
        size=attributes["recipe"]["cropping"]["size"],
        seed=attributes["seed"],
        limit=attributes["limit"],
        software=attributes["software"],
        counts=attributes["counts"],
        rows=_coverage(columns, rejects, {name: list(codes) for name, codes in asdict(stored_names(group)).items()}),
        rejects=dict(reasons.most_common()),
        people=people.summarise(columns),
        trust=trust.summarise(columns),
        arrays={name: f"{array.dtype} {array.shape}" for name, array in store.every_array(group)},
        digest=combined_digest(digests),
        notes=attributes["notes"],
    )


def _coverage(
    columns: Mapping[str, NDArray[Any]], rejects: Mapping[str, NDArray[Any]], names: Mapping[str, list[str]]
) -> list[dict[str, Any]]:
    """Count kept and rejected rows by split, method and compression."""
    keys = ("split", "method", "compression")
    kept = Counter(zip(*(np.asarray(names[key], dtype=object)[columns[key]] for key in keys), strict=True))
    lost: Counter[tuple[str, ...]] = Counter()
    for *key, rows in zip(*(rejects[key] for key in keys), rejects["rows"].tolist(), strict=True):
        lost[tuple(key)] += rows
    return [
        dict(zip(keys, key, strict=True)) | {"kept": kept[key], "rejected": lost[key]}
        for key in sorted(set(kept) | set(lost), key=lambda key: _order(key, keys, names))
        if kept[key] or lost[key]
    ]


def _order(key: tuple[str, ...], keys: tuple[str, ...], names: Mapping[str, list[str]]) -> list[int]:
    return [names[name].index(value) if value in names[name] else -1 for name, value in zip(keys, key, strict=True)]


def screen(about: Summary) -> str:
    """Lay a summary out for one screen."""
    counts = about.counts
    lines = [
        f"{about.store}: {about.dataset}, recipe {about.recipe}, {about.size} x {about.size} pixels, seed {about.seed}",
        f"{counts['rows']} rows of {counts['faces']} faces from {counts['videos']} files; {counts['fakes']} fakes, "
        f"of which {counts['relabelled_real']} labelled real (too few changed pixels); {counts['blends']} blends",
        f"{counts['rejected_rows']} rows rejected ({about.lost_share:.1%})",
        *([f"a trial store, of the first {about.limit} real videos alone"] if about.limit else []),
        "",
        *_table(about.rows),
        "",
        "pictures: " + ", ".join(name for name, what in about.arrays.items() if what.count(",") >= 2 and "int" in what),
        *people.lines(about.people),
        *trust.lines(about.trust),
        *(f"no {kind} label: {rows} rows" for kind, rows in counts["without_label"].items() if rows),
    ]
    if about.rejects:
        lines += ["", "rejected, rows and reason:"]
        lines += [f"{rows:>8}  {reason}" for reason, rows in list(about.rejects.items())[:10]]
        if len(about.rejects) > 10:
            lines.append(f"          and {len(about.rejects) - 10} more reasons, all in {about.store}/rejected")
    return "\n".join([*lines, *(f"note: {note}" for note in about.notes), f"digest: {about.digest}"])


def _table(rows: list[dict[str, Any]]) -> list[str]:
    """Lay coverage out: a line for each split and method, a column for each compression, `kept` or `kept-rejected`."""
    compressions = list(dict.fromkeys(row["compression"] for row in rows))
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        text = f"{row['kept']}" + (f" -{row['rejected']}" if row["rejected"] else "")
        cells.setdefault((row["split"], row["method"]), {})[row["compression"]] = text
    width = max((len(method) for _, method in cells), default=0) + 2
    head = f"{'split':<7}{'method':<{width}}" + "".join(f"{name:>12}" for name in compressions)
    body = [
        f"{split:<7}{method:<{width}}" + "".join(f"{of.get(name, ''):>12}" for name in compressions)
        for (split, method), of in cells.items()
    ]
    return [f"{head}   (kept -rejected)", *body]


def plan(job: Job) -> str:
    """Say what a run would do."""
    videos = job.dataset.videos
    asked = sum(job.recipe.sampling.count(video.method == REAL, video.split) for video in videos)
    by_split = Counter(video.split for video in videos)
    size = job.recipe.cropping.size
    lines = [
        f"{job.dataset.name} in {job.dataset.root}: {len(videos)} files "
        f"({', '.join(f'{number} {split}' for split, number in sorted(by_split.items()))}), "
        f"{sum(video.method == REAL for video in videos)} real, "
        f"methods {', '.join(job.dataset.methods[1:]) or 'none'}, "
        f"compressions {', '.join(job.dataset.compressions)}",
        f"recipe {job.recipe.name}: at most {asked} rows of {size} x {size} pixels, "
        f"labels {', '.join(job.recipe.labelling.kinds)} -> {job.location}",
    ]
    if job.dataset.missing:
        path, reason = job.dataset.missing[0]
        lines.append(f"{len(job.dataset.missing)} files are missing, the first {path}: {reason}")
    return "\n".join(lines)
