"""Trees of face crops that another program made: DeepfakeBench's, and plain folders of real and fake crops."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from pipeline.config import SPLITS
from pipeline.manifest.folder import Folder, is_media, join, stem
from pipeline.manifest.readers import listing
from pipeline.manifest.readers.source import Surroundings, name
from pipeline.manifest.records import NATIVE, REAL, Entry

REALS = re.compile(r"real|original|genuine|pristine|authentic|youtube|actors", re.IGNORECASE)
FAKES = re.compile(r"fake|manipulat|synthe|forged|altered", re.IGNORECASE)
SPLIT_WORDS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
               "test": "test", "testing": "test"}  # fmt: skip
LEVELS = {"raw": "raw", "c0": "raw", "c23": "c23", "c40": "c40"}
FRAMES, MASKS = "frames", ("masks", "mask")
TABLES = ("", "dataset_json", "preprocessing/dataset_json", "preprocessing/dataset_json_v3")
ABOVE = ("", "rgb", "datasets/rgb")  # where the paths of the JSON files may begin
FIRST = ("test", "val", "train")  # of a video that is in several splits: nothing tested on is trained on
METHOD = "fake"


@dataclass(frozen=True)
class Crops:
    """A folder of crops, or one crop, before it is known what it belongs to."""

    path: str
    fake: bool
    method: str = METHOD
    compression: str = NATIVE
    split: str = ""
    mask: str | None = None


def read_folders(source: Mapping[str, Any], around: Surroundings) -> Iterator[Entry]:
    """Yield the crops of plain folders: `[SPLIT/]real/...` and `[SPLIT/]fake/[METHOD/][COMPRESSION/]...`.

    A folder that holds pictures is a video, its pictures are frames of it. Where the pictures of the class `real` lie
    loose, each is a video of its own, and folders of the class `fake` are methods. Masks are where `masks` stands for
    the name of the class. An export's own list (`videos.csv`) is taken instead, where there is one.
    """
    del source
    yield from listing.read(around) or _paired(list(_classes(around.folder, "", "")))


def read_bench(source: Mapping[str, Any], around: Surroundings) -> Iterator[Entry]:
    """Yield the folders of crops that DeepfakeBench's JSON files name, or, without those, all below a `frames`.

    Classes, splits and compressions are those of the files; without them the words in the path. An export's own list
    (`videos.csv`) is taken instead, where there is one.
    """
    del source
    listed = listing.read(around)
    yield from listed or _paired(_described(around) or list(_framed(around.folder, "")))


def _classes(folder: Folder, here: str, split: str) -> Iterator[Crops]:
    """Find the folders of classes and what is in them."""
    for last, is_folder in folder.names(here).items():
        path = join(here, last)
        if not is_folder or last.casefold() in MASKS:
            continue
        if last.casefold() in SPLIT_WORDS:
            yield from _classes(folder, path, SPLIT_WORDS[last.casefold()])
        elif REALS.search(last) or FAKES.search(last):
            real = not FAKES.search(last)
            loose = _holds_pictures(folder, join(here, next(iter(_reals(folder, here)), last)))
            for found in _videos(folder, path, loose):
                yield _crops(folder, found, here, last, split, fake=not real, loose=loose)
        else:
            yield from _classes(folder, path, split)


def _reals(folder: Folder, here: str) -> list[str]:
    return [
        last for last, inner in folder.names(here).items() if inner and not FAKES.search(last) and REALS.search(last)
    ]


def _crops(folder: Folder, found: str, here: str, cls: str, split: str, *, fake: bool, loose: bool) -> Crops:
    inside = PurePosixPath(found).relative_to(join(here, cls)).parts
    above = inside[:-1]
    levels = [LEVELS[part.casefold()] for part in above if part.casefold() in LEVELS]
    methods = [part for part in above if part.casefold() not in LEVELS]
    mask = next(
        (path for word in MASKS if (path := folder.locate("/".join(filter(None, (here, word, *inside)))))), None
    )
    return Crops(found, fake, (methods or [METHOD])[0], (levels or [NATIVE])[0], split, mask if fake else None)


def _videos(folder: Folder, here: str, loose: bool) -> Iterator[str]:
    """Yield the folders that hold pictures, or the pictures themselves where these lie loose."""
    names = folder.names(here)
    pictures = [join(here, last) for last, inner in names.items() if not inner and is_media(last)]
    if loose:
        yield from pictures
    elif pictures:
        yield here
    for last, inner in names.items():
        if inner:
            yield from _videos(folder, join(here, last), loose)


def _holds_pictures(folder: Folder, here: str) -> bool:
    return any(not inner and is_media(last) for last, inner in folder.names(here).items())


def _framed(folder: Folder, here: str) -> Iterator[Crops]:
    """Find the folders of crops below every `frames`."""
    for last, is_folder in folder.names(here).items():
        path = join(here, last)
        if is_folder and last.casefold() == FRAMES:
            for video, inner in folder.names(path).items():
                if inner and (REALS.search(here) or FAKES.search(here)):
                    yield _of_path(folder, join(path, video), fake=not _is_real(here))
        elif is_folder:
            yield from _framed(folder, path)


def _is_real(path: str) -> bool:
    return bool(REALS.search(path)) and not FAKES.search(path)


def _of_path(folder: Folder, path: str, *, fake: bool, split: str = "", level: str = "") -> Crops:
    """Take method, compression and mask from the path of a folder of frames."""
    parts = PurePosixPath(path).parts
    known = [LEVELS[part.casefold()] for part in parts if part.casefold() in LEVELS]
    place = next((at for at, part in enumerate(parts) if FAKES.search(part)), None)
    after = parts[place + 1] if place is not None and place + 1 < len(parts) else FRAMES
    method = METHOD if after.casefold() in (FRAMES, *LEVELS) else after
    mask = folder.locate(path.replace(FRAMES, MASKS[0])) if fake else None
    return Crops(path, fake, method, LEVELS.get(level, (known or [NATIVE])[0]), split, mask)


def _described(around: Surroundings) -> list[Crops]:
    """Read the JSON files; a folder that several of them name, or several splits, is taken once."""
    folder = around.folder
    found: dict[str, Crops] = {}
    splits: dict[str, set[str]] = defaultdict(set)
    for above in TABLES:
        for last in folder.names(above):
            if last.endswith(".json"):
                for label, split, level, paths in _listed(folder.root / above / last, around):
                    here = _located(folder, str(PurePosixPath(paths[0].replace("\\", "/")).parent))
                    if here is not None:
                        splits[here].add(split)
                        fake = not re.search("real", label, re.IGNORECASE)
                        found.setdefault(here, _of_path(folder, here, fake=fake, level=level))
    several = sum(len(names) > 1 for names in splits.values())
    if several:
        around.findings.notes.append(f"{several} videos are in several splits; each is in the first of "
                                     f"{', '.join(FIRST)} that names it.")  # fmt: skip
    return [
        replace(crops, split=next(split for split in FIRST if split in splits[path])) for path, crops in found.items()
    ]


def _listed(file: Any, around: Surroundings) -> Iterator[tuple[str, str, str, list[str]]]:
    """Yield label, split, compression and the paths of the frames of every video of a JSON file."""
    try:
        sets = json.loads(file.read_text(encoding="utf-8"))
        for labels in sets.values():
            for label, of_split in labels.items():
                for split in SPLITS:
                    for key, value in of_split.get(split, {}).items():
                        for level, video in [("", value)] if "frames" in value else [(key, v) for v in value.values()]:
                            if video["frames"]:
                                yield label, split, level, video["frames"]
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        around.findings.notes.append(f"{file} is not one of DeepfakeBench's lists of videos and is not read.")


def _located(folder: Folder, path: str) -> str | None:
    """Return where a path of a JSON file, which began at another machine's folder, lies here."""
    parts = [part for part in PurePosixPath(path).parts if part not in (".", "..", "/")]
    for first in range(len(parts)):
        for above in ABOVE:
            if found := folder.locate("/".join(filter(None, (above, *parts[first:])))):
                return found
    return None


def _paired(found: Sequence[Crops]) -> Iterator[Entry]:
    """Name the crops and find the real of each fake by its name."""
    words = Counter((crops.fake and crops.method, crops.compression, stem(crops.path)) for crops in found)
    clashing = {word for (_, _, word), count in words.items() if count > 1}

    def id_of(crops: Crops) -> str:
        word = stem(crops.path)
        return name(str(PurePosixPath(crops.path).with_name(word))) if word in clashing else word

    reals = {id_of(crops) for crops in found if not crops.fake}
    for crops in found:
        yield Entry(
            path=crops.path,
            role="fake" if crops.fake else "real",
            id=id_of(crops),
            method=crops.method if crops.fake else REAL,
            compression=crops.compression,
            targets=real_of(id_of(crops), reals) if crops.fake else (),
            split=crops.split,
            mask=crops.mask,
        )


def real_of(fake: str, reals: set[str]) -> tuple[str, ...]:
    """Return the id of the real that a fake's name names, alone; nothing where none or several could be meant.

    It is the real of the same name, or else the longest that remains of the fake's name when one run of its words, not
    the first, is left out.

    Examples
    --------
    >>> real_of("000_001", {"000", "001"}), real_of("id0_id1_0002", {"id0_0002", "id1_0002"})
    (('000',), ('id0_0002',))
    >>> real_of("a_b_c", {"a_b", "a_c"}), real_of("b", {"a"})
    ((), ())
    """
    words = fake.split("_")
    for length in range(len(words), 0, -1):
        gap = len(words) - length
        left = {"_".join((*words[:at], *words[at + gap :])) for at in range(1, length + 1)}
        if shared := sorted(left & reals):
            return tuple(shared) if len(shared) == 1 else ()
    return ()
