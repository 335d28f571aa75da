"""Dataset from the entries of the readers: paired, split, checked and ordered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.errors import LeakError, ManifestError
from pipeline.manifest.folder import Folder
from pipeline.manifest.identity import Key
from pipeline.manifest.leaks import donor_leaks, identity_leaks, pair_leaks, some
from pipeline.manifest.order import first, ordered
from pipeline.manifest.pairing import pair
from pipeline.manifest.paths import Vocabulary, split_levels, template_fields
from pipeline.manifest.readers import READERS
from pipeline.manifest.readers.source import Surroundings, unnamed
from pipeline.manifest.records import Dataset, Entry, Findings, Missing, Video
from pipeline.manifest.splits import Assignment, Context, assign

DONORS, OFFICIAL = "Donors are not kept apart by this split: ", "The official split leaks: "  # begin notes of leaks


@dataclass(frozen=True)
class Survey:
    """A dataset's folder as it is, complete or not."""

    dataset: Dataset  # where a list of splits is missing, videos have the split ""
    problems: tuple[str, ...] = ()  # stop a run
    leaks: tuple[str, ...] = ()  # stop a run
    missing: tuple[Missing, ...] = ()
    named: Mapping[Key, str] = field(default_factory=dict)  # where lists name every video: videos -> split
    deviations: Mapping[str, str] = field(default_factory=dict)  # path on disk -> the usual name
    strangers: tuple[str, ...] = ()  # videos and images that fit no pattern


def scan(
    manifest: dict[str, Any], root: Path, *, seed: int = 0, limit: int | None = None, subset: bool = False
) -> Dataset:
    """Find, pair, split and check every file of a dataset.

    Parameters
    ----------
    manifest : dict
        From `load_manifest`.
    root : Path
        The dataset's folder; the CSV file for `pairs`.
    seed : int
        Decides the splits where the dataset has none of its own.
    limit : int, optional
        Keep so many real videos with all their fakes, for unpaired data so many videos per method (see `first`).
    subset : bool
        Only a part of the dataset is here on purpose: what its own lists name beyond that is not missing.

    Returns
    -------
    Dataset
        Ordered by split, target, method and compression.

    Raises
    ------
    ManifestError
        The folder cannot be understood; every problem is listed.
    LeakError
        A person, a source video or a pair is on both sides of a split, and the official split is not to blame.
    """
    found = survey(manifest, root, seed=seed)
    if found.problems:
        raise ManifestError(_listed(f"{manifest['title']} in {root} cannot be used", found.problems))
    if found.leaks:
        raise LeakError(_listed(f"The splits of {manifest['title']} in {root} leak", found.leaks))
    dataset, missing = found.dataset, found.missing
    if subset:
        missing = tuple(absent for absent in missing if absent.kind != "listed")
        if left_out := len(found.missing) - len(missing):
            note = f"{left_out} files that the dataset's lists name are not here and not missed (--subset)."
            dataset = replace(dataset, notes=(*dataset.notes, note), **_records(missing))
    return dataset if limit is None else first(dataset, limit, missing)


def survey(manifest: dict[str, Any], root: Path, *, seed: int = 0, open_archives: bool = True) -> Survey:
    """Look at a dataset's folder as `scan` does, but report problems and leaks instead of raising them.

    Parameters
    ----------
    manifest, root, seed
        As for `scan`.
    open_archives : bool
        False: an archive counts as one video, whatever it holds, which is quick.
    """
    findings = Findings()
    base = root if root.is_dir() else root.parent
    if not root.exists():
        return Survey(Dataset(manifest["name"], base, (), manifest), (f"{root} does not exist.",))
    around = Surroundings(
        folder=Folder(base),
        root=root,
        vocabulary=Vocabulary(manifest.get("fields", {}), manifest.get("aliases", {})),
        findings=findings,
        open_archives=open_archives,
    )
    sources = manifest["source"]
    entries = [entry for source in sources for entry in READERS[source.get("kind", "patterns")](source, around)]
    if not entries and not findings.problems:
        findings.problems.append(_nothing(manifest, around))
    findings.problems += _unnamed(entries)
    paired = pair(manifest, entries, base, findings)
    context = Context(manifest["splits"], manifest.get("methods", []), around.folder, seed, findings)
    assigned = assign(paired, context) if entries else Assignment()
    videos = _with_splits(paired, assigned, findings)
    leaks = _leaks(manifest["splits"], videos, assigned, findings)
    missing = sorted(findings.missing)
    strangers = sorted(set(findings.strangers) - {entry.path for entry in entries})
    if strangers:
        findings.notes.append(f"{len(strangers)} files fit no pattern or list and are left out: {some(strangers)}.")
    return Survey(
        dataset=Dataset(
            name=manifest["name"],
            root=base,
            videos=ordered(manifest, videos),
            manifest=manifest,
            notes=tuple(findings.notes),
            **_records(missing),
        ),
        problems=tuple(findings.problems),
        leaks=tuple(leaks),
        missing=tuple(missing),
        named=assigned.named,
        deviations=findings.deviations,
        strangers=tuple(strangers),
    )


def _unnamed(entries: Sequence[Entry]) -> list[str]:
    """Say which methods and ids cannot be names of files: of a store's crops that are written as pictures, say."""
    words = {(what, getattr(entry, what)): entry.path for entry in entries for what in ("method", "id")}
    return [
        f"{path}: its {what} {word!r} cannot be the name of a file; use letters, digits and _."
        for (what, word), path in words.items()
        if unnamed(word)
    ]


def _records(missing: Sequence[Missing]) -> dict[str, Any]:
    """Return what a dataset holds of its missing files."""
    return {
        "missing": tuple((absent.path, absent.reason) for absent in missing),
        "lost": frozenset(absent.path for absent in missing if absent.kind in ("file", "listed")),
    }


def _with_splits(videos: Sequence[Video], assigned: Assignment, findings: Findings) -> list[Video]:
    """Put the splits in; leave out what no list names, unless a list itself is missing."""
    done = []
    for video in videos:
        split = assigned.splits.get((video.method, video.id), "")
        if split or findings.problems:
            done.append(replace(video, split=split))
        else:
            findings.missing.append(Missing(video.path, "no list of splits names it", video.target))
    return done


def _leaks(rules: Mapping[str, Any], videos: Sequence[Video], assigned: Assignment, findings: Findings) -> list[str]:
    """Return the leaks that stop a run; those of official splits become notes."""
    known = [video for video in videos if video.split]
    fatal = [*assigned.leaks, *pair_leaks(known), *identity_leaks(known)]
    donors = donor_leaks(known)
    if assigned.donors_cross or rules.get("donors") == "free":
        findings.notes += [f"{DONORS}{leak}." for leak in donors]
    else:
        fatal += donors
    if rules.get("leaks") == "reported":
        findings.notes += [f"{OFFICIAL}{leak}." for leak in fatal]
        return []
    return [f"{leak}." for leak in fatal]


def _nothing(manifest: Mapping[str, Any], around: Surroundings) -> str:
    """Say what was expected in a folder, and where it seems to be instead."""
    folder, absent = around.folder, around.findings.missing
    if absent:
        listed = f"None of the {len(absent)} files of {manifest['title']} that are listed is there"
        return f"{listed}; the first is {folder.root / absent[0].path} ({absent[0].reason})."
    patterns = [source["path"] for source in manifest["source"] if "path" in source]
    tops = {split_levels(pattern)[0] for pattern in patterns}
    literal = {top.split("|")[0].casefold() for top in tops if "[" not in top and not template_fields(top)}
    for name, is_folder in folder.names("").items():
        if is_folder and literal & {inner.casefold() for inner in folder.names(name)}:
            return f"{folder.root} is one folder too high: give --root {folder.root / name}."
        if is_folder and name.casefold() in literal:
            continue
    return f"{folder.root} holds nothing of {manifest['title']}; expected {', '.join(patterns)}."


def _listed(what: str, sentences: Sequence[str]) -> str:
    return f"{what}:\n" + "\n".join(f"- {sentence}" for sentence in sentences)
