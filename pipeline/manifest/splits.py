"""Assignment of videos to splits: official rules, or seeded ones by identity where there are none.

Videos come in with what the data themselves say about their split (in their own words) in the place of the split.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pipeline.config import SPLITS
from pipeline.manifest.folder import Folder, stem
from pipeline.manifest.identity import Key, deal, deal_counts, groups
from pipeline.manifest.paths import Vocabulary, find, usual_path
from pipeline.manifest.records import REAL, Findings, Missing, Video

SHARES = {"train": 0.72, "val": 0.14, "test": 0.14}  # FaceForensics++: 720, 140 and 140 of 1000
LARGEST = 0.8  # share of the videos beyond which one group of people leaves too little for the other splits


@dataclass
class Assignment:
    """The splits of videos, and what was met on the way."""

    splits: dict[Key, str] = field(default_factory=dict)
    leaks: list[str] = field(default_factory=list)
    named: dict[Key, str] = field(default_factory=dict)  # where lists name every video: videos -> split
    donors_cross: bool = False  # no split can keep donors on one side


@dataclass(frozen=True)
class Context:
    """Inputs of a rule beside the videos."""

    rules: Mapping[str, Any]  # the manifest's [splits]
    methods: Sequence[str]
    folder: Folder
    seed: int
    findings: Findings


def assign(videos: Sequence[Video], context: Context) -> Assignment:
    """Give every video its split by the manifest's rule.

    Parameters
    ----------
    videos : sequence of Video
        With the data's own word for the split, or "", as their split.
    context : Context
        The rule and where its lists are.

    Returns
    -------
    Assignment
        A video that no list names has no split in it.
    """
    return RULES[context.rules["rule"]](videos, context)


def dealt(videos: Sequence[Video], rules: Mapping[str, Any], seed: int) -> dict[Key, str]:
    """Return the splits that a rule deals out among videos, of which nothing else tells; empty where it deals none.

    Parameters
    ----------
    videos : sequence of Video
        With their splits.
    rules : mapping
        The manifest's [splits].
    seed : int
    """
    shares = rules.get("shares", SHARES)
    if rules["rule"] == "seeded":
        return _seeded(videos, Context(rules, (), Folder(Path()), seed, Findings())).splits
    if "validation" in rules:
        rest = [video for video in videos if video.split != "test"]
        return _train_and_val(rest, Context(rules, (), Folder(Path()), seed, Findings()))
    if "seeded" in rules:
        some = [video for video in videos if fnmatchcase(video.identity, rules["seeded"])]
        return deal(groups(some, donors=False), shares, seed)
    if rules["rule"] == "column" and "values" not in rules:
        return deal(groups(videos, donors=rules.get("donors") != "free"), shares, seed)
    return {}


def _pair_lists(videos: Sequence[Video], context: Context) -> Assignment:
    """Read lists of pairs [a, b]: reals a and b and fakes a_b and b_a belong to the list's split."""
    done = Assignment()
    names: dict[str, str] = {}
    for split, pattern in context.rules["files"].items():
        path = _side_file(pattern, context)
        if path is None:
            continue
        for pair in _pairs(path, context):
            for name in pair:
                if names.setdefault(name, split) != split:
                    done.leaks.append(f"video {name} is in the split files of both {names[name]} and {split}")
                done.named[REAL, name] = names[name]
            for method in context.rules.get("listed", context.methods):
                done.named |= {(method, "_".join(order)): names[order[0]] for order in (pair, pair[::-1])}
    for video in videos:
        shown = video.target or video.identity  # of a fake whose real video is not here
        if shown in names:
            done.splits[video.method, video.id] = names[shown]
    if "seeded" in context.rules:  # people whom the lists do not speak of
        others = [video for video in videos if fnmatchcase(video.identity, context.rules["seeded"])]
        done.splits |= deal(groups(others, donors=False), context.rules.get("shares", SHARES), context.seed)
        done.donors_cross = bool(others)
    return done


def _pairs(path: str, context: Context) -> list[list[str]]:
    try:
        pairs = json.loads((context.folder.root / path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        context.findings.problems.append(f"{path} cannot be read: {error}.")
        return []
    good = isinstance(pairs, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(name, str) for name in pair) for pair in pairs
    )
    if not good:
        context.findings.problems.append(f"{path} is not a list of pairs of names.")
        return []
    return [list(pair) for pair in pairs]


def _test_list(videos: Sequence[Video], context: Context) -> Assignment:
    """Read a list of test videos, one `label path` a line; the rest is train, and val by identity."""
    done = Assignment()
    path = _side_file(context.rules["file"], context)
    labels = _labels(path, context) if path else {}
    real = context.rules["real"]
    stems = Counter(stem(listed) for listed in labels)
    by_id = {stem(listed): listed for listed in labels if stems[stem(listed)] == 1}  # of one name: paths decide
    here = set[str]()
    for video in videos:
        listed = _without_ending(video.path)
        listed = listed if listed in labels else by_id.get(video.id, "")
        if listed:
            here.add(listed)
            done.splits[video.method, video.id] = "test"
            if (labels[listed][0] == real) != (video.method == REAL):
                context.findings.problems.append(f"{path} gives {video.path} the label of the other class.")
    context.findings.missing += [
        Missing(listed, f"{path} names it", kind="listed") for key, (_, listed) in labels.items() if key not in here
    ]
    if path:
        rest = [video for video in videos if (video.method, video.id) not in done.splits]
        done.splits |= _train_and_val(rest, context)
    return done


def _labels(path: str, context: Context) -> dict[str, tuple[str, str]]:
    """Return path without ending -> (label, path as listed)."""
    found: dict[str, tuple[str, str]] = {}
    try:
        lines = (context.folder.root / path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        context.findings.problems.append(f"{path} cannot be read: {error}.")
        return found
    for number, line in enumerate(lines, 1):
        words = line.split()
        if len(words) == 2:
            found[_without_ending(words[1])] = (words[0], words[1])
        elif words:
            context.findings.problems.append(f"{path}, line {number}: expected a label and a path, found {line!r}.")
    return found


def _without_ending(path: str) -> str:
    above, slash, last = path.rpartition("/")
    return f"{above}{slash}{stem(last)}"


def _column(videos: Sequence[Video], context: Context) -> Assignment:
    """Translate what the data say; videos of which they say nothing go by identity."""
    done = Assignment()
    values = context.rules.get("values", {split: split for split in SPLITS})
    unknown: Counter[str] = Counter()
    for video in videos:
        split = _translate(video.split, values)
        if split:
            done.splits[video.method, video.id] = split
        elif video.split:
            unknown[video.split] += 1
    for word, count in sorted(unknown.items()):
        known = ", ".join(values)
        context.findings.problems.append(f"{count} files have the split {word!r}; known are {known}.")
    if "validation" in context.rules and "val" not in done.splits.values():
        train = [video for video in videos if done.splits.get((video.method, video.id)) == "train"]
        done.splits |= _train_and_val(train, context)
    if any(not video.split for video in videos):
        members = groups(videos, donors=context.rules.get("donors") != "free")
        done.splits |= deal(members, context.rules.get("shares", SHARES), context.seed, done.splits)
    return done


def _translate(word: str, values: Mapping[str, str]) -> str | None:
    """Look a word up among values, which may be ranges of numbers such as 35-39."""
    for value, split in values.items():
        limits = re.fullmatch(r"(\d+)-(\d+)", value)
        if limits and word.isdigit() and int(limits[1]) <= int(word) <= int(limits[2]):
            return split
        if word.casefold() == value.casefold():
            return split
    return None


def _seeded(videos: Sequence[Video], context: Context) -> Assignment:
    """Deal identities out; donors too where that leaves groups small enough."""
    rules = context.rules
    if "counts" in rules:
        members = groups(videos, donors=False)
        return Assignment(deal_counts(members, rules["counts"], rules["rest"], context.seed))
    members = groups(videos, donors=True)
    alone = groups(videos, donors=False)
    tied = Counter(members.values())
    cross = bool(tied) and max(tied.values()) > LARGEST * len(members) and len(set(alone.values())) > len(tied)
    shares = rules.get("shares", SHARES)
    return Assignment(deal(alone if cross else members, shares, context.seed), donors_cross=cross)


def _name_lists(videos: Sequence[Video], context: Context) -> Assignment:
    """Read lists of names, one a line: a video's own, else that of its real, decides; a real follows its fakes."""
    done = Assignment()
    names: dict[str, str] = {}
    for split, pattern in context.rules["files"].items():
        path = _side_file(pattern, context)
        for name in _lines(path, context) if path else []:
            if names.setdefault(name, split) != split:
                done.leaks.append(f"{name} is in the split files of both {names[name]} and {split}")
    for video in videos:
        split = names.get(video.id) or names.get(video.target or video.identity)
        if split:
            done.splits[video.method, video.id] = split
    for video in videos:
        if video.target and (split := done.splits.get((video.method, video.id))):
            done.splits.setdefault((REAL, video.target), split)
    here = {name for video in videos for name in (video.id, video.target, video.identity)}
    context.findings.missing += [
        Missing(name, f"the list of {split} names it", kind="listed")
        for name, split in names.items()
        if name not in here
    ]
    if "rest" in context.rules:
        for video in videos:
            done.splits.setdefault((video.method, video.id), context.rules["rest"])
    return done


def _lines(path: str, context: Context) -> list[str]:
    """Return the names in a list: of every line the path's last level, without an ending."""
    try:
        lines = (context.folder.root / path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        context.findings.problems.append(f"{path} cannot be read: {error}.")
        return []
    return [stem(line.strip()) for line in lines if line.strip()]


def _train_and_val(videos: Sequence[Video], context: Context) -> dict[Key, str]:
    share = context.rules.get("validation", 0.0)
    shares = {"train": 1.0 - share, "val": share} if share else {"train": 1.0}
    return deal(groups(videos, donors=False), shares, context.seed)


def _side_file(pattern: str, context: Context) -> str | None:
    """Find a file of a fixed name; a missing one is a problem that says where it comes from."""
    found = next(find(context.folder, pattern, Vocabulary(), context.findings), None)
    if found is None:
        source = f" It comes from {context.rules['from']}." if "from" in context.rules else ""
        context.findings.problems.append(f"{context.folder.root / usual_path(pattern, {})} is missing.{source}")
        return None
    return found.path


RULES: dict[str, Callable[[Sequence[Video], Context], Assignment]] = {
    "pair lists": _pair_lists,
    "test list": _test_list,
    "name lists": _name_lists,
    "column": _column,
    "seeded": _seeded,
}
