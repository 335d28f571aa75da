"""A store that is made beside the one it will replace, and the moment in which it does; on a disk alone."""

import json
import shutil
from pathlib import Path

from pipeline import store
from pipeline.files import flush
from pipeline.store.writing import writing


def new_of(location: str) -> str:
    """Return where the successor of a store is made."""
    return f"{Path(location).resolve()}.growing"


def replace(location: str) -> None:
    """Put a finished successor in a store's place, then delete the store; `recover` ends it after a kill."""
    place = Path(location).resolve()
    with writing(location):
        place.rename(_old_of(location))
        Path(new_of(location)).rename(place)
        flush(place.parent)
        shutil.rmtree(_old_of(location))


def recover(location: str) -> None:
    """End a replacement that was stopped half-way."""
    if not store.is_local(location) or not _old_of(location).exists():
        return
    place = Path(location).resolve()
    with writing(location):
        if not place.exists():
            Path(new_of(location)).rename(place)
            flush(place.parent)
        if is_complete(place):
            shutil.rmtree(_old_of(location))


def discard(location: str) -> None:
    """Delete a successor that is not finished, and what was staged for it."""
    if store.is_local(location):
        for place in (new_of(location), f"{new_of(location)}.parts"):
            shutil.rmtree(place, ignore_errors=True)


def is_complete(place: Path) -> bool:
    """Tell whether there is a finished store at a path."""
    try:
        about = json.loads((place / "zarr.json").read_text(encoding="utf-8"))
        return bool(about["attributes"]["complete"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _old_of(location: str) -> Path:
    return Path(f"{Path(location).resolve()}.before")
