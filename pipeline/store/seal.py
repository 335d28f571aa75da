"""The group `checks/`: what a finished store needs to find damage to itself, and to undo it.

Its arrays hold one number for each row of every array of pixels, so that a row with other values is found by itself.
One more array holds a line of text for each file of the dataset (`pipeline.crop.record`), with which other stores take
its rows over. Its attributes hold a digest of every metadata file and a second copy of the root's attributes; the
consolidated metadata in the root is the second copy of everything else.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Chunking, digest
from pipeline.errors import DamageError
from pipeline.store import arrays
from pipeline.store.hashing import column_digest
from pipeline.store.schema import ArraySpec

METADATA = "zarr.json"
RECORD = "made_from"  # array inside the group: a line for each file of the dataset
RECORD_PATH = f"{arrays.CHECKS}/{RECORD}"
COPIES = "consolidated_metadata"  # in the root's metadata: of every other metadata file
DIGEST_BYTES = 32  # SHA-256

Numbers = NDArray[np.uint64]


@dataclass(frozen=True)
class Seal:
    """Metadata of a store at the moment it was finished."""

    root: dict[str, Any]  # attributes of the root
    files: dict[str, str]  # digests of the other metadata files, by the path of their array or group


def key_of(path: str) -> str:
    """Return the name of the metadata file of an array or a group; of the root for an empty path."""
    return f"{path}/{METADATA}" if path else METADATA


def array_name(path: str) -> str:
    """Return the name that the numbers of an array of pixels have inside the group.

    >>> array_name("blend/image")
    'blend_image'
    """
    return path.replace("/", "_")


def numbers_of(digests: Sequence[bytes]) -> Numbers:
    """Return the first eight bytes of each row's digest as a number: an array of shape (rows,)."""
    whole = np.frombuffer(b"".join(digests), dtype="<u8")
    return np.ascontiguousarray(whole[:: DIGEST_BYTES // 8], dtype=np.uint64)


def write_numbers(group: arrays.Group, path: str, numbers: Numbers) -> None:
    """Record the numbers of the rows of one array of pixels; `numbers` has shape (rows,)."""
    spec = ArraySpec(
        array_name(path),
        ("blend" if "/" in path else "sample",),
        "uint64",
        f"First eight bytes, little-endian, of the SHA-256 of every row of {path}",
    )
    _write(group, spec, numbers)


def _write(group: arrays.Group, spec: ArraySpec, values: Any, **attributes: str) -> None:
    """Make and write one array of one dimension inside the group `checks/`."""
    if arrays.CHECKS not in group:
        arrays.subgroup(group, arrays.CHECKS)
    inside = arrays.group_of(group, arrays.CHECKS)
    arrays.add_array(inside, spec, {spec.dims[0]: len(values)}, Chunking(), **attributes)
    arrays.write_column(inside, spec.name, values)


def write_record(group: arrays.Group, lines: Sequence[str]) -> None:
    """Write the record of the dataset's files, a line of text each."""
    meaning = "A line for each file of the dataset, in its order: its place, its size, what was measured on it; JSON"
    _write(
        group,
        ArraySpec(RECORD, ("file",), "string", meaning, fill=""),
        np.asarray(lines, dtype=object),
        digest=digest_of_record(lines),
    )


def record(group: arrays.Group) -> list[str] | None:
    """Return the record of the dataset's files; None where there is none, or it is not what was written."""
    if RECORD_PATH not in group:
        return None
    array = arrays.array_of(group, RECORD_PATH)
    try:
        lines = None if arrays.missing_shards(array) else [str(line) for line in arrays.read(array)]
    except DamageError:
        return None
    return lines if lines is not None and digest_of_record(lines) == record_digest(group) else None


def record_digest(group: arrays.Group) -> str:
    """Return the digest that the record of the dataset's files had when it was written."""
    return str(arrays.attributes_of(arrays.array_of(group, RECORD_PATH)).get("digest", ""))


def digest_of_record(lines: Sequence[str]) -> str:
    """Return the digest of a record of a dataset's files."""
    return column_digest(RECORD_PATH, np.asarray(lines, dtype=object))


def numbers(group: arrays.Group, path: str) -> Numbers | None:
    """Return the numbers recorded for one array of pixels, of shape (rows,); None where they cannot be read."""
    name = f"{arrays.CHECKS}/{array_name(path)}"
    if name not in group:
        return None
    array = arrays.array_of(group, name)
    try:
        return None if arrays.missing_shards(array) else np.asarray(arrays.read(array), dtype=np.uint64)
    except DamageError:
        return None


def close(location: str) -> None:
    """Record the metadata of a store that has all its values, and mark it as complete."""
    group = arrays.open_group(location, "r+")
    checks = arrays.group_of(group, arrays.CHECKS)
    every = dict(arrays.every_array(group))
    wanted = {array_name(path) for path, array in every.items() if array.shards is not None}
    wanted |= {RECORD} & {*checks.array_keys()}
    for name in {name for name, _ in checks.arrays()} - wanted:  # of an array that is there no more
        arrays.delete_group(checks, name)
    groups = {name for name, _ in group.groups()} - {arrays.CHECKS}
    paths = sorted({*every, *groups, *(f"{arrays.CHECKS}/{name}" for name in wanted)})
    root = {**arrays.attributes_of(group), "complete": True}
    files = {path: digest(document(location, path)) for path in paths}
    checks.attrs.update(attributes(Seal(root, files)))
    arrays.consolidate(location, complete=True)


def attributes(known: Seal) -> dict[str, Any]:
    """Return the attributes of the group that hold a seal, with a digest of itself."""
    return {"root": known.root, "files": known.files, "digest": digest([known.root, known.files])}


def document(location: str, path: str) -> dict[str, Any] | None:
    """Return the metadata of an array or a group as it is stored, without the copies; None if it is no JSON object."""
    text = arrays.read_text(location, key_of(path))
    try:
        found = json.loads(text or "")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def seal_in(found: dict[str, Any] | None) -> Seal | None:
    """Return the seal in the metadata of the group `checks/`; None if there is none, or it is itself damaged."""
    try:
        about = (found or {})["attributes"]
        known = Seal(about["root"], about["files"])
    except (KeyError, TypeError):
        return None
    return known if about == attributes(known) else None
