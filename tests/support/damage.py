"""Random damage to a store: one file flipped, cut, emptied, zeroed, deleted, or swapped with another of its array."""

import shutil
from pathlib import Path

import numpy as np
import stores

KINDS = ("flip", "cut", "empty", "blank", "delete", "swap")


def hit(location: str, rng: np.random.Generator) -> str:
    """Damage one file, metadata and data alike; return what was done."""
    files = stores.files(location)
    folders = sorted({name.split("/c/")[0].removesuffix("/zarr.json") for name in files} - {"zarr.json"})
    folder = str(rng.choice([*folders, ""]))  # each array as likely as another, however many shards it has
    some = [n for n in files if n.split("/c/")[0].removesuffix("zarr.json").rstrip("/") == folder]
    name, kind = str(rng.choice(some)), str(rng.choice(KINDS))
    path, content = files[name], files[name].read_bytes()
    if kind == "flip":
        changed = bytearray(content)
        changed[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
    elif kind == "cut":
        path.write_bytes(content[: rng.integers(len(content))])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "blank":
        path.write_bytes(bytes(len(content)))
    elif kind == "delete":
        path.unlink()
    else:
        swapped = str(rng.choice([other for other in some if other != name] or sorted(set(files) - {name})))
        spare = Path(location).with_suffix(".spare")
        shutil.move(path, spare)
        shutil.move(files[swapped], path)
        shutil.move(spare, files[swapped])
        return f"{name}: swapped with {swapped}"
    return f"{name}: {kind}"
