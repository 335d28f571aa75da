"""Pairing of each fake with its real video and its mask."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pipeline.manifest.folder import there
from pipeline.manifest.paths import template_fields, usual_path
from pipeline.manifest.records import COMPRESSIONS, NATIVE, REAL, Entry, Findings, Missing, Video


def pair(manifest: Mapping[str, Any], entries: Sequence[Entry], root: Path, findings: Findings) -> list[Video]:
    """Turn entries into videos: every fake with its real of the same compression and its mask.

    A fake whose real video is not here stays, without a pair: its class is known.

    Parameters
    ----------
    manifest : mapping
        Says whether fakes have reals and which methods have masks.
    entries : sequence of Entry
        What the readers found.
    root : Path
        The dataset's folder.
    findings : Findings
        Receives files that claim the same place, and fakes and masks without their counterpart.

    Returns
    -------
    list of Video
        With the data's own word for the split as their split.
    """
    by_role: dict[str, list[Entry]] = {"real": [], "fake": [], "mask": []}
    for entry in entries:
        by_role[entry.role].append(entry)
    reals = {(entry.id, entry.compression): entry for entry in _unique(by_role["real"], findings)}
    masks: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)  # of one compression, or of all (NATIVE)
    for entry in _unique(by_role["mask"], findings):
        masks[entry.method, entry.id][entry.compression] = entry.path
    compressions: dict[str, list[str]] = defaultdict(list)
    for id_, compression in reals:
        compressions[id_].append(compression)
    videos = [_video(entry, entry, None) for entry in reals.values()]
    absent = dict[tuple[str, str], Missing]()
    for fake in _unique(by_role["fake"], findings):
        loose = not manifest.get("paired", True) or not fake.targets
        real = None if loose else _real(fake, reals, compressions)
        if real is None and not loose:
            findings.missing.append(Missing(fake.path, _reason(fake, compressions), fake.targets[0], "pair"))
        mask = _mask(manifest, fake, masks, root)
        if isinstance(mask, Missing):
            absent[fake.method, fake.id] = mask._replace(target=real.id if real else fake.id)
            mask = None
        videos.append(_video(fake, real, mask))
    findings.missing.extend(absent.values())
    return videos


def _unique(entries: Iterable[Entry], findings: Findings) -> list[Entry]:
    """Refuse two files for one place."""
    seen: dict[tuple[str, str, str], Entry] = {}
    for entry in entries:
        other = seen.setdefault((entry.method, entry.id, entry.compression), entry)
        if other is not entry:
            what = f"{entry.role} {entry.id} ({entry.method}, {entry.compression})"
            findings.problems.append(f"{other.path} and {entry.path} both are {what}; keep one of them.")
    return list(seen.values())


def _real(
    fake: Entry, reals: Mapping[tuple[str, str], Entry], compressions: Mapping[str, Sequence[str]]
) -> Entry | None:
    for target in fake.targets:
        if "*" not in target:
            found = [target] if (target, fake.compression) in reals else []
        else:
            ids = (id_ for id_ in compressions if fnmatchcase(id_, target))
            found = [id_ for id_ in ids if (id_, fake.compression) in reals]
        if len(found) == 1:  # several are a guess, and a wrong pair is worse than none
            return reals[found[0], fake.compression]
    return None


def _reason(fake: Entry, compressions: Mapping[str, Sequence[str]]) -> str:
    target = fake.targets[0]
    if not target:
        return "no real video is named for it"
    if others := compressions.get(target):
        here = ", ".join(sorted(others, key=COMPRESSIONS.index))
        return f"its real video {target} is here as {here} but not as {fake.compression}"
    likely = [id_ for pattern in fake.targets if "*" in pattern for id_ in compressions if fnmatchcase(id_, pattern)]
    if likely:
        return f"several videos could be its real one: {', '.join(likely)}"
    return f"its real video {target} is not here"


def _mask(
    manifest: Mapping[str, Any], fake: Entry, masks: Mapping[tuple[str, str], Mapping[str, str]], root: Path
) -> str | Missing | None:
    if fake.mask is not None:
        return fake.mask if there(root / fake.mask) else Missing(fake.mask, f"the mask of {fake.path}", kind="mask")
    shown = masks.get((fake.method, fake.id), {})
    found = next((shown[name] for name in (fake.compression, NATIVE, *COMPRESSIONS) if name in shown), None)
    if found is None and fake.method in manifest.get("masked", []):
        patterns = [source["path"] for source in manifest["source"] if source.get("role") == "mask"]
        values = {"method": fake.method, "id": fake.id}
        usual = next((path for path in patterns if template_fields(path) <= values.keys()), "")
        return Missing(usual_path(usual, values), f"the mask of {fake.method} {fake.id}", kind="mask")
    return found


def _video(entry: Entry, real: Entry | None, mask: str | None) -> Video:
    own = entry.role == "real"
    known = "" if own or real or not entry.targets or "*" in entry.targets[0] else entry.targets[0]
    return Video(
        id=entry.id,
        path=entry.path,
        method=REAL if own else entry.method,
        compression=entry.compression,
        split=entry.split,
        identity=(real or entry).identity or known or (real or entry).id,  # an absent real's name is who it shows
        target=real.id if real else "",
        donor=entry.donor,
        mask=mask,
    )
