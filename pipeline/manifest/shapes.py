"""Types of all that a manifest may hold, and the patterns and templates in it: checked before any is used."""

import math
import re
import string
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.manifest.paths import Vocabulary, compiled, split_levels

Shape = (
    Any  # a type, a tuple of shapes (any of them), a list of one shape (of its items), a table with one (of its values)
)

TOP: dict[str, Shape] = {
    **dict.fromkeys(("name", "title", "licence", "citation", "size", "hint", "root"), str),
    **{key: [str] for key in ("methods", "masked", "compressions")},
    **dict.fromkeys(("paired", "cropped"), bool),
    "source": [{"": object}],
    "splits": {"": object},
    "sampling": {"": object},
    "fields": {"": (str, [str])},
    "aliases": {"": {"": str}},
    "expected": {"": {"": int}},
}
SOURCE: dict[str, Shape] = {
    **dict.fromkeys(("kind", "role", "path", "id", "method", "compression", "identity", "donor", "split"), str),
    **dict.fromkeys(("separator", "line", "from"), str),
    **dict.fromkeys(("target", "file"), (str, [str])),
    **{key: [str] for key in ("keys", "columns")},
    **dict.fromkeys(("folders", "required"), bool),
    "roles": {"": str},
    "cut": {"": (str, [str])},
}
SPLITS: dict[str, Shape] = {
    **dict.fromkeys(("rule", "from", "leaks", "donors", "note", "file", "real", "rest", "seeded", "unlisted"), str),
    **{key: {"": str} for key in ("files", "values")},
    "listed": [str],
    "validation": float,
    "shares": {"": float},
    "counts": {"": int},
}
TEMPLATES = ("role", "id", "method", "compression", "identity", "target", "donor", "split", "file")
PATTERNS = ("path", "keys", "cut")


def problems(manifest: Mapping[str, Any]) -> list[str]:
    """Return what has the wrong type, one sentence each; then, if nothing has, patterns and templates that are none."""
    found = _wrong(manifest, TOP, "")
    if not found:
        found += _wrong(manifest.get("splits", {}), SPLITS, "splits: ")
        for number, source in enumerate(manifest.get("source", []), 1):
            found += _wrong(source, SOURCE, f"source {number}: ")
    if found:
        return found
    vocabulary = Vocabulary(manifest.get("fields", {}), manifest.get("aliases", {}))
    for number, source in enumerate(manifest.get("source", []), 1):
        for key, text in _texts(source, PATTERNS):
            found += [f"source {number}: {key} {text!r} is no pattern: {why}." for why in _pattern(text, vocabulary)]
        for key, text in _texts(source, TEMPLATES):
            found += [f"source {number}: {key} {text!r} is no template: {why}." for why in _template(text)]
    splits = manifest.get("splits", {})
    for text in [*splits.get("files", {}).values(), splits.get("file", "x")]:
        found += [f"splits: {text!r} is no pattern: {why}." for why in _pattern(text, vocabulary)]
    return found


def _wrong(values: Mapping[str, Any], shapes: Mapping[str, Shape], where: str) -> list[str]:
    return [
        f"{where}{key} must be {_said(shapes[key])}, not {value!r}."
        for key, value in values.items()
        if key in shapes and not _fits(value, shapes[key])
    ]


def _fits(value: Any, shape: Shape) -> bool:
    if isinstance(shape, tuple):
        return any(_fits(value, one) for one in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(item, shape[0]) for item in value)
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(_fits(item, shape[""]) for item in value.values())
    if shape is float:
        return type(value) in (int, float) and math.isfinite(value) and value >= 0
    if shape is int:
        return type(value) is int and value >= 0
    return isinstance(value, shape)


def _said(shape: Shape) -> str:
    if isinstance(shape, tuple):
        return " or ".join(map(_said, shape))
    if isinstance(shape, list):
        return f"a list, each of its items {_said(shape[0])}"
    if isinstance(shape, dict):
        return f"a table, each of its values {_said(shape[''])}"
    names = {
        str: "text",
        bool: "true or false",
        int: "a whole number from 0",
        float: "a number from 0",
        object: "anything",
    }
    return names[shape]


def _texts(source: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Give every text under some of a source's keys."""
    for key in keys:
        value = source.get(key, [])
        several = value.values() if isinstance(value, dict) else [value]
        for one in several:
            for text in one if isinstance(one, list) else [one]:
                yield key, text


def _pattern(text: str, vocabulary: Vocabulary) -> list[str]:
    """Return why a text is no pattern, if so."""
    try:
        for level in split_levels(text):
            compiled(level, vocabulary)
    except (re.error, ValueError, IndexError) as error:
        return [str(error) or "a level of it has no name"]
    return []


def _template(text: str) -> list[str]:
    """Return why a text is no template, if so."""
    try:
        fields = [each for each in string.Formatter().parse(text) if each[1] is not None]
    except ValueError as error:
        return [str(error)]
    return [
        f"{{{name}}} names no field" for _, name, form, turn in fields if not str(name).isidentifier() or form or turn
    ]
