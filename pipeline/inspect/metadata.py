"""Metadata of a finished store: what was changed in it since, and how it is put back from its second copy."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline import store
from pipeline.config import differences, digest
from pipeline.errors import StoreError
from pipeline.store import seal
from pipeline.store.schema import FORMAT_VERSION

GROUP_KEYS = {"zarr_format": 3, "node_type": "group"}  # of the root's metadata, beside attributes and copies
TOLD = 100  # characters of one difference
UNFINISHED = "the store is unfinished: run the command that began it again"


@dataclass(frozen=True)
class Metadata:
    """State of a store's metadata."""

    finished: bool = True  # what follows is empty where it is not
    findings: tuple[str, ...] = ()
    written: seal.Seal | None = None  # None: nothing says what the metadata should be
    known: dict[str, dict[str, Any]] = field(default_factory=dict)  # undamaged files, by path; from their copies too
    damaged: tuple[str, ...] = ()  # paths whose own file is not what was written

    @property
    def lost(self) -> list[str]:
        """Paths whose file and copy are both damaged."""
        return [path for path in self.damaged if path not in self.known]


def look(location: str) -> Metadata:
    """Compare every metadata file of a store with what was recorded when the store was finished.

    Raises
    ------
    StoreError
        There is no store at all, or it has another format version.
    """
    root = seal.document(location, "")
    own = seal.document(location, store.CHECKS)
    if root is None and own is None:
        store.open_group(location)  # the sentence for no store
        raise StoreError(f"{location}: neither {seal.key_of('')} nor {seal.key_of(store.CHECKS)} can be read.")
    copies = _copies(root)
    known = seal.seal_in(own) or seal.seal_in(copies.get(store.CHECKS))
    attributes = (root or {}).get("attributes")
    if root is not None and isinstance(attributes, dict):
        whole = known is None or set(attributes) <= set(known.root)  # else a name was damaged
        if attributes.get("complete") is not True and whole:
            return Metadata(finished=False)
    if known is None or known.root.get("format_version") != FORMAT_VERSION:
        store.open_group(location)  # says which version it has
    if known is None:
        return Metadata(findings=(_no_seal(own),))
    return _compare(location, root, own, known, copies)


def _copies(root: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return the copies of all other metadata files that the root holds, as the files themselves are written."""
    inside = ((root or {}).get(seal.COPIES) or {}) if isinstance((root or {}).get(seal.COPIES), dict) else {}
    found = inside.get("metadata")
    members = found.items() if isinstance(found, dict) else ()
    return {
        path: {name: value for name, value in copy.items() if name != seal.COPIES}
        for path, copy in members
        if isinstance(copy, dict)
    }


def _no_seal(own: Mapping[str, Any] | None) -> str:
    state = "is missing or no JSON" if own is None else "is damaged"
    return (
        f"{seal.key_of(store.CHECKS)} {state}, so nothing says what the store's metadata should be (a store of an "
        "earlier version has none); verify --repair writes it where all values are those that were written"
    )


def _compare(
    location: str,
    root: Mapping[str, Any] | None,
    own: dict[str, Any] | None,
    known: seal.Seal,
    copies: Mapping[str, dict[str, Any]],
) -> Metadata:
    findings, damaged = list(_root_findings(root, known)), []
    ours = {"attributes": seal.attributes(known), **GROUP_KEYS}
    if own != ours:
        findings.append(f"{seal.key_of(store.CHECKS)}: is damaged")
    good: dict[str, dict[str, Any]] = {}
    for path, recorded in known.files.items():
        file, copy = seal.document(location, path), copies.get(path)
        sound = next((each for each in (file, copy) if each is not None and digest(each) == recorded), None)
        if sound is not None:
            good[path] = sound
        if sound is None or file != sound:
            damaged.append(path)
            findings.append(_file_finding(path, file, sound))
        elif root is not None and copy != sound:
            findings.append(f"{seal.key_of('')}: its copy of {seal.key_of(path)} is damaged")
    if root is not None and (odd := set(copies) ^ {*known.files, store.CHECKS}):
        findings.append(f"{seal.key_of('')}: its copies are not of the store's own arrays ({', '.join(sorted(odd))})")
    elif root is not None and copies[store.CHECKS] != ours:
        findings.append(f"{seal.key_of('')}: its copy of {seal.key_of(store.CHECKS)} is damaged")
    return Metadata(True, tuple(findings), known, good, tuple(damaged))


def _root_findings(root: Mapping[str, Any] | None, known: seal.Seal) -> Iterator[str]:
    """Say what is wrong with the root's own metadata but its copies."""
    name = seal.key_of("")
    if root is None:
        yield f"{name}: is missing or no JSON"
        return
    attributes = root.get("attributes")
    if not isinstance(attributes, dict):
        yield f"{name}: has no attributes"
    else:
        gone = [key for key in known.root if key not in attributes]
        yield from (f"{name}: attribute {key} is missing" for key in gone)
        there = {key: value for key, value in known.root.items() if key in attributes}
        yield from (f"{name}: attribute {_short(text)}" for text in differences(there, attributes))
    rest = {key: value for key, value in root.items() if key not in ("attributes", seal.COPIES)}
    yield from (f"{name}: {_short(text)}" for text in differences(GROUP_KEYS, rest))
    if not isinstance(root.get(seal.COPIES), dict):
        yield f"{name}: {seal.COPIES} is missing"


def _file_finding(path: str, file: Mapping[str, Any] | None, sound: Mapping[str, Any] | None) -> str:
    name = seal.key_of(path)
    if file is None:
        return f"{name}: is missing or no JSON"
    told = [_short(text) for text in differences(sound, file)] if sound is not None else []
    return f"{name}: {'; '.join(told) or 'is not what was written, and neither is its copy'}"


def _short(text: str) -> str:
    """Return one difference, without its values where these are long."""
    return text if len(text) <= TOLD else f"{text.partition(' (was ')[0]} is not what was written"


def restore(location: str, found: Metadata) -> list[str]:
    """Put metadata files back from their copies; return what was put back, a sentence each.

    Parameters
    ----------
    location : str
    found : Metadata
        Of this store, from `look`.
    """
    if found.written is None or not found.findings:
        return []
    for path in found.damaged:
        if path in found.known:
            _write(location, path, found.known[path])
    if not found.lost:
        _write(location, "", {"attributes": found.written.root, **GROUP_KEYS})
        _write(location, store.CHECKS, {"attributes": seal.attributes(found.written), **GROUP_KEYS})
        store.consolidate(location, complete=True)
    return [f"put back: {text}" for text in found.findings if not any(text.startswith(f"{p}/") for p in found.lost)]


def _write(location: str, path: str, value: Mapping[str, Any]) -> None:
    store.write_text(location, seal.key_of(path), json.dumps(value, indent=2))
