"""Files that a process died with: each costs itself alone, not its group."""

import json
from pathlib import Path

from pipeline.crop import staging
from pipeline.files import replacing
from pipeline.store.writing import writing
from pipeline.video import trial, watch


def settle(folder: Path, number: int) -> dict[str, str]:
    """Try the files that a process had open when it died at one group; return those that are not opened again, and why.

    Raises
    ------
    SourceError
        One of them does not answer.
    MemoryError
        One of them, or the machine, lacks memory. If the next run finds the same, the file is refused.
    """
    refused = _refused(folder, number)
    for about in watch.left_behind(staging.note(folder, number)):
        path = about["path"]
        if path in refused:
            continue
        try:
            reason = trial.judge(about)
        except MemoryError:
            if not staging.has_failed(folder, number):
                raise
            reason = f"{path} needs more memory than there is, in two runs."
        if reason:
            refused[path] = reason
            with writing(str(folder)), replacing(_place(folder, number)) as part:
                part.write_text(json.dumps(refused), encoding="utf-8")
    return refused


def _refused(folder: Path, number: int) -> dict[str, str]:
    place = _place(folder, number)
    return dict(json.loads(place.read_text(encoding="utf-8"))) if place.exists() else {}


def _place(folder: Path, number: int) -> Path:
    return folder / f"refused-{number:06d}.json"
