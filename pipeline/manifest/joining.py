"""Parts of one dataset that were prepared apart, put together again without their files."""

import dataclasses
import re
from collections.abc import Sequence

from pipeline.errors import LeakError, ManifestError
from pipeline.manifest.leaks import donor_leaks, identity_leaks, pair_leaks
from pipeline.manifest.order import ordered
from pipeline.manifest.records import Dataset, Video
from pipeline.manifest.splits import dealt
from pipeline.manifest.survey import DONORS, OFFICIAL

COUNTED = re.compile(r"\d+ files ")  # notes that come after those of leaks


def joined(parts: Sequence[Dataset], seed: int) -> Dataset:
    """Join parts of one dataset.

    Parameters
    ----------
    parts : sequence of Dataset
        Of one manifest; no file is in two of them.
    seed : int
        By which splits are dealt where the dataset has none.

    Returns
    -------
    Dataset
        As a scan of a folder with the files of all parts gives it; what a part missed and another has is not missing.

    Raises
    ------
    LeakError
        A person, a source video or a pair is on both sides of a split.
    ManifestError
        The splits, or the pairs, would be others if all files were scanned at once.
    """
    manifest = parts[0].manifest
    videos = ordered(manifest, [video for part in parts for video in part.videos])
    _check_pairs(parts)
    _check_splits(parts, videos, seed)
    there = {name for video in videos for name in (video.path, video.id)}
    missing = sorted({entry for part in parts for entry in part.missing if entry[0] not in there})
    return dataclasses.replace(
        parts[0],
        videos=videos,
        notes=tuple(_notes(parts, videos)),
        missing=tuple(missing),
        lost=frozenset(path for part in parts for path in part.lost) & {path for path, _ in missing},
    )


def _check_pairs(parts: Sequence[Dataset]) -> None:
    """Refuse fakes that are kept without their real, which may be in another part."""
    for part in parts:
        lonely = {path for path, _ in part.missing} & {video.path for video in part.videos}
        if lonely and len(parts) > 1:
            raise ManifestError(
                f"{len(lonely)} fakes, the first {min(lonely)}, were prepared without their real video, which may be "
                "in another part: prepare each fake where its real is."
            )


def _check_splits(parts: Sequence[Dataset], videos: Sequence[Video], seed: int) -> None:
    """Refuse parts whose videos would be in other splits if they were dealt out together."""
    rules = parts[0].manifest["splits"]
    now = {(video.method, video.id): video.split for video in videos}
    for own in (dealt(part.videos, rules, seed) for part in parts):
        if any(now[key] != split for key, split in own.items()):
            return  # the data say more than the rule: nothing was dealt
    together = dealt(videos, rules, seed)
    if other := sorted(key for key, split in together.items() if now[key] != split):
        method, name = other[0]
        raise ManifestError(
            f"The splits of {parts[0].name} are dealt out among the videos that are there: prepared together, "
            f"{len(other)} of them would be in another split, the first is {method} {name} (now in {now[other[0]]}, "
            f"then in {together[other[0]]}). Prepare them in one run, or give them a list of splits."
        )


def _notes(parts: Sequence[Dataset], videos: Sequence[Video]) -> list[str]:
    """Return the notes of all parts, those of leaks for all videos together."""
    rules = parts[0].manifest["splits"]
    told = list(dict.fromkeys(note for part in parts for note in part.notes))
    found = [*pair_leaks(videos), *identity_leaks(videos)]
    donors = donor_leaks(videos)
    free = rules.get("donors") == "free" or any(note.startswith(DONORS) for note in told)
    if not free:
        found += donors
    if found and rules.get("leaks") != "reported":
        raise LeakError(f"Together the splits of {parts[0].name} leak: {'; '.join(found)}.")
    leaks = [f"{DONORS}{leak}." for leak in donors if free] + [f"{OFFICIAL}{leak}." for leak in found]
    others = [note for note in told if not note.startswith((DONORS, OFFICIAL))]
    last = [note for note in others if COUNTED.match(note)]
    return [*(note for note in others if note not in last), *leaks, *last]
