r"""Path patterns with named fields, matched against a folder level by level.

A pattern is a path whose levels may hold fields: `manipulated_sequences/{method}/{compression}/videos/{id}.mp4`.
A level may have several names, the usual one first (`videos|images`: the first that holds something counts), be left
out by some copies (`videos|`) or be put in by some (`[videos]`); files above it and in it then both count; `**` stands
for any number of folders. Names match without regard to case. A last level that ends like a video or an image stands
for any video, any image and any folder of frames of that name; another ending (`.json`, `.tar.gz`) for itself alone.
"""

import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import ManifestError
from pipeline.manifest.folder import DEPTH, Folder, is_media, join, stem
from pipeline.manifest.records import Findings

DEEP = "**"  # a level that stands for any number of folders


@dataclass(frozen=True)
class Match:
    """A file or folder that fits a pattern."""

    path: str  # relative to the root, forward slashes
    fields: dict[str, str]  # canonical values

    @property
    def stem(self) -> str:
        """Return the file's name without its ending."""
        return stem(self.path)


@dataclass(frozen=True)
class Vocabulary:
    """Allowed values of the fields in a manifest's patterns.

    Parameters
    ----------
    fields : mapping
        Field to a list of values, or to a regular expression. A field that is not listed holds anything.
    aliases : mapping
        Field to {name found on disk: value it stands for}.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def expression(self, name: str) -> str:
        """Return the regular expression of one field's values, aliases included."""
        values = self.fields.get(name)
        if not isinstance(values, list):
            return str(values or r"[^/]+?")
        known = [*values, *self.aliases.get(name, {})]
        return "|".join(re.escape(value) for value in sorted(known, key=len, reverse=True))

    def canonical(self, name: str, value: str) -> str:
        """Return the value that a name on disk stands for."""
        values = self.fields.get(name)
        spelled: dict[str, str] = {known.casefold(): known for known in values} if isinstance(values, list) else {}
        spelled |= {alias.casefold(): known for alias, known in self.aliases.get(name, {}).items()}
        return spelled.get(value.casefold(), value)


def find(folder: Folder, pattern: str, vocabulary: Vocabulary, findings: Findings) -> Iterator[Match]:
    """Yield everything under a folder that fits a pattern, in the order of the names.

    Parameters
    ----------
    folder : Folder
        The dataset's root.
    pattern : str
        See the module's description.
    vocabulary : Vocabulary
        What the fields may hold.
    findings : Findings
        Receives the deviations met on the way and the videos whose names do not fit.
    """
    levels = [_Level.parse(text, vocabulary) for text in split_levels(pattern)]
    yield from _descend(folder, "", levels, {}, vocabulary, findings)


def match_path(path: str, pattern: str, vocabulary: Vocabulary) -> dict[str, str] | None:
    """Return the fields of a path that need not exist, or None where it does not fit the pattern."""
    texts, levels = path.split("/"), [_Level.parse(text, vocabulary) for text in split_levels(pattern)]
    if len(texts) != len(levels):
        return None
    values: dict[str, str] = {}
    for text, level in zip(texts, levels, strict=True):
        name = stem(text) if level.media else text
        if level.expression is None:
            found = values if name.casefold() in {known.casefold() for known in level.names} else None
        else:
            matched = level.expression.fullmatch(name)
            found = _merge(values, matched.groupdict(), vocabulary) if matched else None
        if found is None:
            return None
        values = found
    return values


def split_levels(pattern: str) -> list[str]:
    """Return a pattern's levels."""
    return pattern.split("/")


def compiled(level: str, vocabulary: Vocabulary) -> object:
    """Return one level of a pattern, ready for use; raises ValueError, IndexError or re.error where it is none."""
    return _Level.parse(level, vocabulary)


def template_fields(template: str) -> set[str]:
    """Return the names of the fields in a pattern or a template."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def fill(template: str, values: Mapping[str, str], where: str) -> str:
    """Return a template with its fields replaced by values.

    Raises
    ------
    ManifestError
        The template names a field that has no value.
    """
    try:
        return template.format_map(values)
    except KeyError as error:
        raise ManifestError(f"{where}: {template!r} needs {error}, which is not among {', '.join(values)}.") from None


def usual_path(pattern: str, values: Mapping[str, str]) -> str:
    """Return where a file with these field values usually lies; `*` stands for fields without a value."""
    levels = [text.split("|")[0] for text in split_levels(pattern) if not text.startswith("[")]
    text = "/".join(levels)
    return text.format_map({name: values.get(name, "*") for name in template_fields(text)})


@dataclass(frozen=True)
class _Level:
    names: tuple[str, ...]
    optional: bool
    expression: re.Pattern[str] | None  # None: no fields
    media: bool

    @classmethod
    def parse(cls, text: str, vocabulary: Vocabulary) -> "_Level":
        names = tuple(name for name in text.strip("[]").split("|") if name)
        optional = text.startswith("[") or text.endswith("|")
        media = is_media(names[0])
        if not template_fields(text):
            return cls(names, optional, None, media)
        pieces, seen = "", set[str]()
        for literal, name, _, _ in string.Formatter().parse(stem(names[0]) if media else names[0]):
            pieces += re.escape(literal)
            if name:
                pieces += f"(?P={name})" if name in seen else f"(?P<{name}>{vocabulary.expression(name)})"
                seen.add(name)
        return cls(names, optional, re.compile(pieces, re.IGNORECASE), media)


def _descend(
    folder: Folder,
    here: str,
    levels: list[_Level],
    values: dict[str, str],
    vocabulary: Vocabulary,
    findings: Findings,
) -> Iterator[Match]:
    level, rest = levels[0], levels[1:]
    if not rest:
        yield from _leaves(folder, here, level, values, vocabulary, findings)
        return
    if level.names == (DEEP,):
        yield from _descend(folder, here, rest, values, vocabulary, findings)
        if here.count("/") < DEPTH:
            for name, is_folder in folder.names(here).items():
                if is_folder:
                    yield from _descend(folder, join(here, name), levels, values, vocabulary, findings)
        return
    if level.optional:
        yield from _descend(folder, here, rest, values, vocabulary, findings)
    for spelled in _inner(folder, here, level, values, vocabulary):
        held = False
        for name, usual, found in spelled:
            for match in _descend(folder, join(here, name), rest, found, vocabulary, findings):
                held = True
                _note(findings, here, [name], usual)
                yield match
        if held:
            return


def _inner(
    folder: Folder,
    here: str,
    level: _Level,
    values: dict[str, str],
    vocabulary: Vocabulary,
) -> Iterator[list[tuple[str, str, dict[str, str]]]]:
    """Yield the folders of a level, for each alternative name of it: as it is called, its usual name, the fields."""
    names = folder.names(here)
    if level.expression is None:
        for alternative in level.names:
            found = [name for name in folder.spellings(here, alternative) if names[name]]
            yield [(name, level.names[0], values) for name in found]
        return
    fitting = []
    for name, is_folder in names.items():
        if is_folder and (matched := level.expression.fullmatch(name)):
            found_values = _merge(values, matched.groupdict(), vocabulary)
            if found_values is not None:
                fitting.append((name, level.names[0].format_map(found_values), found_values))
    yield fitting


def _leaves(
    folder: Folder,
    here: str,
    level: _Level,
    values: dict[str, str],
    vocabulary: Vocabulary,
    findings: Findings,
) -> Iterator[Match]:
    names = folder.names(here)
    if level.expression is None:
        for usual in level.names:
            if found := folder.spellings(here, usual):
                _note(findings, here, found, usual)
                yield from (Match(join(here, name), values) for name in found)
                return
        return
    files = {stem(name) for name, is_folder in names.items() if not is_folder and is_media(name)}
    for name, is_folder in names.items():
        if level.media and (name in files if is_folder else not is_media(name)):
            continue  # frames extracted beside their video count once, and a sound track not at all
        matched = level.expression.fullmatch(stem(name) if level.media else name)
        found_values = _merge(values, matched.groupdict(), vocabulary) if matched else None
        if found_values is not None:
            yield Match(join(here, name), found_values)
        elif level.media and not is_folder:
            findings.strangers.append(join(here, name))


def _merge(values: dict[str, str], new: dict[str, str], vocabulary: Vocabulary) -> dict[str, str] | None:
    """Add the fields of one level; None where a field already has another value."""
    new = {name: vocabulary.canonical(name, value) for name, value in new.items()}
    if any(values.get(name, value) != value for name, value in new.items()):
        return None
    return values | new


def _note(findings: Findings, here: str, found: list[str], usual: str) -> None:
    for name in found:
        if name != usual:
            findings.deviations[join(here, name)] = usual
