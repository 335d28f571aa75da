"""Diagnosis of a dataset's folder: files found, missing, misnamed and damaged."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.config import Recipe
from pipeline.doctor.estimate import Estimate, estimate
from pipeline.doctor.files import damaged, empty, leaks
from pipeline.doctor.relations import Related, finding, measure
from pipeline.manifest import NATIVE, REAL, SPLITS, Survey, survey
from pipeline.manifest.leaks import some
from pipeline.manifest.records import ordered_methods
from pipeline.progress import Progress, Silent


@dataclass(frozen=True)
class Count:
    """Videos of one method, compression and split."""

    method: str
    compression: str
    split: str  # "" where no list gives one, `all` for the sum
    found: int
    expected: int | None  # None: nobody says


@dataclass(frozen=True)
class Diagnosis:
    """A dataset's folder, examined."""

    dataset: str
    root: str
    videos: int
    reals: int
    fakes: int
    paired: int
    unpaired: int
    counts: tuple[Count, ...]
    findings: tuple[str, ...]  # what is wrong or missing
    notes: tuple[str, ...]  # what is worth knowing
    relations: tuple[Related, ...]  # of fakes to their reals, where those were measured
    estimate: Estimate | None

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain values, ready for JSON."""
        return asdict(self)


def diagnose(
    manifest: dict[str, Any],
    root: Path,
    recipe: Recipe,
    *,
    deep: bool = False,
    related: bool = True,
    partial: bool = False,
    timed: bool = True,
    workers: int = 1,
    progress: Progress | None = None,
) -> Diagnosis:
    """Examine a dataset's folder without changing anything in it.

    Parameters
    ----------
    manifest : dict
        From `load_manifest`.
    root : Path
        The dataset's folder; the CSV file for `pairs`.
    recipe : Recipe
        For the seed of the splits and for the estimate.
    deep : bool
        Open every file: unreadable ones, videos of one frame, masks shorter than their video; in notes, real videos
        of two splits that show the same frames.
    related : bool
        With `deep`, measure also how each fake is related to its real.
    partial : bool
        Part of the dataset is enough: smaller numbers than the whole has are no finding.
    timed : bool
        Estimate what a run takes from a small run in a temporary folder.
    workers : int
        Processes that measure relations, and those of the run that is estimated.
    progress : Progress, optional

    Returns
    -------
    Diagnosis
        With findings where something is wrong.
    """
    found = survey(manifest, root, seed=recipe.seed, open_archives=deep)
    data = found.dataset
    counts = _counts(manifest, found)
    findings = [*found.problems, *(f"The split leaks: {leak}" for leak in found.leaks)]
    findings += _unpaired(found)
    findings += _missing(found, partial)
    findings += _gaps(found, partial)
    if data.videos:
        findings += _absent(counts, partial)
    if not partial and data.videos:
        findings += _short(counts)
    files = [video.path for video in data.videos]
    without = empty(data.root, [*files, *(video.mask for video in data.videos if video.mask)])
    findings += [f"{len(without)} files are empty: {some(without)}"] if without else []
    relations: list[Related] = []
    if deep:
        findings += damaged(data, skip=set(without))
        relations = measure(data, recipe, workers, progress or Silent(), skip=set(without)) if related else []
        findings += finding(relations)
    guess = estimate(data, recipe, workers, skip=set(without)) if timed and not found.problems else None
    if timed and not found.problems and data.videos and guess is None:
        findings.append("There is no estimate: the videos tried for it cannot be read; --deep says which are broken")
    fakes = [video for video in data.videos if video.method != REAL]
    paired = sum(bool(video.target) for video in fakes)
    return Diagnosis(
        dataset=data.name,
        root=str(root),
        videos=len(data.videos),
        reals=len(data.videos) - len(fakes),
        fakes=len(fakes),
        paired=paired,
        unpaired=len(fakes) - paired,
        counts=counts,
        findings=tuple(findings),
        notes=(*_layout(found), *data.notes, *leaks(data, deep, skip=set(without))),
        relations=tuple(relations),
        estimate=guess,
    )


def _counts(manifest: Mapping[str, Any], found: Survey) -> tuple[Count, ...]:
    """Count by method, compression and split, with what the lists or the manifest expect."""
    data = found.dataset
    have = Counter((video.method, video.compression, video.split) for video in data.videos)
    named = Counter((method, split) for (method, _), split in found.named.items())
    methods = ordered_methods(dict(manifest), {method for method, _, _ in have} | set(manifest.get("methods", [])))
    compressions = manifest.get("compressions") or sorted({name for _, name, _ in have}) or [NATIVE]
    counts = []
    for method in methods:
        official = manifest.get("expected", {}).get(method, {})
        for compression in compressions:
            expected = {split: named[method, split] or official.get(split) for split in SPLITS}
            whole = sum(named[method, split] for split in SPLITS) or official.get("all")
            mine = {split: have[method, compression, split] for split in (*SPLITS, "")}
            counts.append(Count(method, compression, "all", sum(mine.values()), whole))
            counts += [
                Count(method, compression, split, number, expected.get(split))
                for split, number in mine.items()
                if number or expected.get(split)
            ]
    return tuple(counts)


def _short(counts: Iterable[Count]) -> list[str]:
    return [
        f"{count.found} of {count.expected} {count.method} videos ({count.compression}) are here"
        for count in counts
        if count.split == "all" and count.expected is not None and count.found < count.expected
    ]


def _absent(counts: Iterable[Count], partial: bool) -> list[str]:
    """Say which class, and in a whole copy which method, has not one video."""
    found = Counter[str]()
    for count in counts:
        found[count.method] += count.found if count.split == "all" else 0
    fakes = {method: number for method, number in found.items() if method != REAL}
    told = [] if found[REAL] else ["no real video is here"]
    told += [] if any(fakes.values()) else ["no fake is here"]
    return told if partial else told + [f"no video of {method} is here" for method, n in fakes.items() if not n]


def _unpaired(found: Survey) -> list[str]:
    reasons: dict[str, list[str]] = defaultdict(list)
    for absent in found.missing:
        if absent.kind == "pair":
            reasons[absent.reason].append(absent.path)
    return [f"{len(paths)} fakes without a pair (kept), {reason}: {some(paths)}" for reason, paths in reasons.items()]


def _missing(found: Survey, partial: bool) -> list[str]:
    """Say which masks and listed files are missing; a folder without any mask is part of a partial copy."""
    data = found.dataset
    masked = {str(PurePosixPath(video.mask).parent) for video in data.videos if video.mask}
    masks: dict[str, list[str]] = defaultdict(list)
    others: dict[str, list[str]] = defaultdict(list)
    for absent in found.missing:
        if absent.kind == "mask":
            masks[str(PurePosixPath(absent.path).parent)].append(absent.path)
        elif absent.kind in ("file", "listed"):
            others[absent.reason].append(absent.path)
    sentences = [
        f"{len(paths)} masks are missing: {some(paths)}"
        for folder, paths in masks.items()
        if folder in masked or not partial
    ]
    return sentences + [f"{len(paths)} files are missing ({reason}): {some(paths)}" for reason, paths in others.items()]


def _gaps(found: Survey, partial: bool) -> list[str]:
    """Say which videos the lists name, or other compressions have, and are not where their neighbours are."""
    if partial:
        return []
    have: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for each in found.dataset.videos:
        have[each.method, each.compression][each.id] = each.path
    wanted: dict[str, set[str]] = defaultdict(set)
    for (method, _), paths in have.items():
        wanted[method] |= paths.keys()
    for method, id_ in found.named:
        wanted[method].add(id_)
    sentences = []
    for (method, compression), paths in sorted(have.items()):
        beside = PurePosixPath(next(iter(paths.values())))
        gone = [str(beside.with_name(id_ + beside.suffix)) for id_ in sorted(wanted[method] - paths.keys())]
        if gone and beside.stem in paths:  # else ids are not the files' names
            sentences.append(f"{len(gone)} videos of {method} ({compression}) are missing: {some(gone)}")
    return sentences


def _layout(found: Survey) -> list[str]:
    """Say what is called otherwise than usual, each name once."""
    names = {(PurePosixPath(path).name, usual) for path, usual in found.deviations.items()}
    return [f"{name} is read as {usual}." for name, usual in sorted(names)]
