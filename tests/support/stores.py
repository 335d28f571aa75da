"""Stores compared value by value, and damaged on purpose."""

import json
import shutil
from pathlib import Path

import numpy as np

from pipeline import store


def files(location: Path | str) -> dict[str, Path]:
    """Return every file of a store by its path inside it."""
    root = Path(location)
    return {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}


def times(location: Path | str, *parts: str) -> dict[str, int]:
    """Return when each data file of a store was last written; of some arrays alone if they are named."""
    return {
        name: path.stat().st_mtime_ns
        for name, path in files(location).items()
        if "/c/" in name and (not parts or name.split("/c/")[0] in parts)
    }


def assert_same(one: Path | str, other: Path | str) -> None:
    """Check that two stores hold the same: every file's bytes, and all metadata."""
    first, second = files(one), files(other)
    assert first.keys() == second.keys()
    for name, path in first.items():
        if path.name == "zarr.json":
            assert json.loads(path.read_text()) == json.loads(second[name].read_text()), name
        else:
            assert path.read_bytes() == second[name].read_bytes(), name


def columns(location: Path | str, group: str = "") -> dict[str, np.ndarray]:
    """Return the columns of a store or of a group inside it."""
    opened = store.open_group(str(location))
    return store.read_columns(store.group_of(opened, group) if group else opened)


def pixels(location: Path | str, name: str) -> np.ndarray:
    """Return all values of one array."""
    return store.read(store.array_of(store.open_group(str(location)), name))


def copy(location: Path | str, to: Path) -> str:
    """Copy a store with its times."""
    shutil.copytree(location, to)
    return str(to)


def shard(location: Path | str, name: str, number: int) -> Path:
    """Return the file of one shard or chunk."""
    (found,) = [path for path in (Path(location) / name / "c").rglob("*") if path.is_file() and _number(path) == number]
    return found


def _number(path: Path) -> int:
    parts = path.parts
    return int(parts[len(parts) - parts[::-1].index("c")])


def flip(path: Path, place: float = 0.5) -> None:
    """Flip one bit of a file, at a share of its length."""
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
