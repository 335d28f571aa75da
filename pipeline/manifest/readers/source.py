"""Entries from the fields of a match, by a source's templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ManifestError
from pipeline.manifest.folder import Folder
from pipeline.manifest.paths import Vocabulary, fill, template_fields
from pipeline.manifest.records import NATIVE, REAL, Entry, Findings

ROLES = ("real", "fake", "mask")


@dataclass(frozen=True)
class Surroundings:
    """Inputs of a reader beside its source."""

    folder: Folder
    root: Path  # as given: a folder, or the file itself
    vocabulary: Vocabulary
    findings: Findings
    open_archives: bool = True  # False: an archive counts as one entry


def make_entry(source: Mapping[str, Any], path: str, values: Mapping[str, str], findings: Findings) -> Entry | None:
    """Fill a source's templates with the fields of one file.

    Parameters
    ----------
    source : mapping
        One of a manifest's sources.
    path : str
        Of the file, relative to the root.
    values : mapping
        Its fields.
    findings : Findings
        Receives a problem where the role or a field is not known.

    Returns
    -------
    Entry or None
        None where the file's role cannot be told.
    """

    def filled(key: str, default: str = "") -> str:
        return fill(source.get(key, default), values, f"{path}: {key}")

    who = source.get("identity", "")  # fakes go by their target's, so their rows need not name any

    try:
        role = _role(filled("role"), source.get("roles"))
        targets = source.get("target", [])
        targets = [targets] if isinstance(targets, str) else targets
        if role not in ROLES:
            findings.problems.append(f"{path}: {filled('role')!r} says neither real nor fake.")
            return None
        return Entry(
            path=path,
            role=role,
            id=name(filled("id")),
            method=REAL if role == "real" else filled("method", "{method}"),
            compression=filled("compression", "{compression}" if "compression" in values else NATIVE),
            identity=filled("identity") if template_fields(who) <= values.keys() else "",
            targets=tuple(name(fill(target, values, path)) for target in targets) if role == "fake" else (),
            donor=filled("donor") if role == "fake" else "",
            split=filled("split"),
        )
    except ManifestError as error:
        findings.problems.append(str(error))
        return None


def name(text: str) -> str:
    """Return an id that can be a file's name."""
    return text.replace("/", "_")


def unnamed(text: str) -> bool:
    r"""Tell whether a text cannot be the name of a file or a folder on every system.

    >>> [text for text in ("id0_0001", "", "..", "a/b", "a\n") if unnamed(text)]
    ['', '..', 'a/b', 'a\n']
    """
    return text.strip() in ("", ".", "..") or any(sign in "/\\\x7f" or sign < " " for sign in text)


def _role(word: str, roles: Mapping[str, str] | None) -> str:
    """Translate a word of the dataset; `*` stands for every word not listed."""
    if roles is None:
        return word
    spelled = {key.casefold(): role for key, role in roles.items()}
    return spelled.get(word.casefold(), spelled.get("*", word))
