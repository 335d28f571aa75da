"""Parse one manifest file and report every error in it."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config import MANIFESTS, SPLITS, Sampling, overlay
from pipeline.errors import ConfigError, ManifestError
from pipeline.manifest import shapes
from pipeline.manifest.folder import is_media
from pipeline.manifest.paths import template_fields
from pipeline.manifest.records import COMPRESSIONS

FOLDER = MANIFESTS

REQUIRED = ("name", "title", "licence", "citation", "source", "splits")
OPTIONAL = (
    "size",  # what it takes on disk, for people
    "hint",  # one more sentence for people
    "methods",  # manipulations in their order
    "masked",  # those of them that come with masks
    "compressions",  # least compressed first; none: NATIVE
    "paired",  # false: nobody knows which real video a fake was made from
    "cropped",  # true: the images are face crops already
    "root",  # "file": --root is a file
    "fields",
    "aliases",
    "sampling",
    "expected",
)

# reader kind -> (keys it needs, further keys it knows)
SOURCES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "patterns": (
        frozenset({"role", "path", "id"}),
        frozenset({"roles", "method", "compression", "identity", "target", "donor", "split", "folders"}),
    ),
    "folders": (
        frozenset({"role", "path", "id"}),
        frozenset({"roles", "method", "compression", "identity", "target", "donor", "split"}),
    ),
    "archives": (
        frozenset({"role", "path", "id"}),
        frozenset({"roles", "method", "compression", "identity", "target", "donor", "split"}),
    ),
    "table": (
        frozenset({"role", "path", "id", "file"}),
        frozenset(
            {
                "roles",
                "method",
                "compression",
                "identity",
                "target",
                "donor",
                "split",
                "keys",
                "cut",
                "columns",
                "separator",
                "line",
                "from",
                "required",
            }
        ),
    ),
    "pairs": (frozenset(), frozenset()),
    "crops": (frozenset(), frozenset()),
    "deepfakebench": (frozenset(), frozenset()),
}
TEMPLATES = ("role", "id", "method", "compression", "identity", "target", "donor", "split")

# split rule -> (keys it needs, further keys it knows); every rule knows the common ones
RULES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "pair lists": (frozenset({"files"}), frozenset({"listed", "seeded", "shares"})),
    "test list": (frozenset({"file", "real"}), frozenset({"validation"})),
    "name lists": (frozenset({"files"}), frozenset({"rest"})),
    "column": (frozenset(), frozenset({"values", "validation", "shares", "unlisted"})),
    "seeded": (frozenset(), frozenset({"shares", "counts", "rest"})),
}
COMMON = frozenset({"rule", "from", "leaks", "donors", "note"})


def known_datasets() -> tuple[str, ...]:
    """Return the names of the datasets that a manifest is shipped for."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_manifest(name_or_path: str) -> dict[str, Any]:
    """Read a manifest and check it.

    Parameters
    ----------
    name_or_path : str
        The name of a known dataset, or the path of a `.toml` file.

    Returns
    -------
    dict
        The file's tables as plain values.

    Raises
    ------
    ManifestError
        There is no such manifest, or it is wrong; every problem is listed.
    """
    path = Path(name_or_path) if name_or_path.endswith(".toml") else FOLDER / f"{name_or_path}.toml"
    try:
        manifest = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(known_datasets())
        raise ManifestError(
            f"There is no manifest for {name_or_path}; known datasets are {known}, or give the path of a .toml file."
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ManifestError(f"The manifest {path} cannot be read: {error}.") from error
    if problems := validate(manifest):
        raise ManifestError(f"The manifest {path} is wrong:\n" + "\n".join(f"- {problem}" for problem in problems))
    return manifest


def validate(manifest: Mapping[str, Any]) -> list[str]:
    """Return everything that is wrong with a manifest's plain values, one sentence each."""
    known = (*REQUIRED, *OPTIONAL)
    problems = [f"{key} is missing." for key in REQUIRED if key not in manifest]
    problems += [
        f"{key} is not a key of a manifest; known are {', '.join(known)}." for key in manifest if key not in known
    ]
    if wrong := shapes.problems(manifest):
        return problems + wrong
    for number, source in enumerate(manifest.get("source", []), 1):
        problems += [f"source {number}: {problem}" for problem in _source_problems(source)]
    problems += [f"splits: {problem}" for problem in _split_problems(manifest.get("splits", {}))]
    for name in set(manifest.get("compressions", [])) - set(COMPRESSIONS):
        problems.append(f"compressions: {name} is not one of {', '.join(COMPRESSIONS)}.")
    for name in set(manifest.get("masked", [])) - set(manifest.get("methods", [])):
        problems.append(f"masked: {name} is not among the methods.")
    try:
        overlay(Sampling(), manifest.get("sampling", {}), "sampling")
    except ConfigError as error:
        problems.append(str(error))
    return problems


def _source_problems(source: Mapping[str, Any]) -> list[str]:
    kind = source.get("kind", "patterns")
    if kind not in SOURCES:
        return [f"there is no reader kind {kind}; known are {', '.join(SOURCES)}."]
    needed, further = SOURCES[kind]
    problems = [f"{key} is missing." for key in sorted(needed - source.keys())]
    problems += [f"{key} is not a key of kind {kind}." for key in sorted(source.keys() - needed - further - {"kind"})]
    problems += _wrong_expression(source.get("line", ""))
    if problems or kind not in {"patterns", "archives", "folders"}:
        return problems
    known = template_fields(source["path"]) | {"stem"} | ({"folder"} if kind in {"archives", "folders"} else set())
    for key in TEMPLATES:
        templates = source.get(key, "")
        for template in templates if isinstance(templates, list) else [templates]:
            if unknown := template_fields(template) - known:
                problems.append(f"{key} names {', '.join(sorted(unknown))}, which the path does not have.")
    if kind == "patterns" and not is_media(source["path"]):
        problems.append("path must end like a video or an image, say .mp4.")
    return problems


def _wrong_expression(text: str) -> list[str]:
    try:
        re.compile(text)
    except re.error as error:
        return [f"line is no regular expression: {error}."]
    return []


def _split_problems(splits: Mapping[str, Any]) -> list[str]:
    rule = splits.get("rule")
    if rule not in RULES:
        return [f"there is no rule {rule}; known are {', '.join(RULES)}."]
    needed, further = RULES[rule]
    problems = [f"{key} is missing." for key in sorted(needed - splits.keys())]
    problems += [f"{key} is not a key of the rule {rule}." for key in sorted(splits.keys() - needed - further - COMMON)]
    if "counts" in splits and "rest" not in splits:
        problems.append("counts needs rest, the split of all others.")
    if splits.get("rest", SPLITS[0]) not in SPLITS:
        problems.append(f"rest: {splits['rest']} is no split.")
    for table in ("shares", "counts", "files"):
        problems += [f"{table}: {name} is no split." for name in splits.get(table, {}) if name not in SPLITS]
    problems += [f"values: {name} is no split." for name in splits.get("values", {}).values() if name not in SPLITS]
    return problems
