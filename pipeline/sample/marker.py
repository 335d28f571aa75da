"""The file that says what a sample folder was made with, and whether it is complete."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.config import differences
from pipeline.errors import ConfigError
from pipeline.files import write_json
from pipeline.sample.layout import CRF
from pipeline.sample.manipulations import MANIPULATIONS

NAME = "sample.json"
VERSION = 1  # of everything that decides the files' bytes
METHODS = tuple(MANIPULATIONS)


def settings(
    seed: int, frames: int, people: int, donors: int, videos: Sequence[Path], portraits: Sequence[Path]
) -> dict[str, Any]:
    """Return what decides the files, as plain values; a user's own files by name and size."""
    more: dict[str, Any] = {"order": "random"} if videos or portraits else {"frames": frames, "people": people}
    if donors > 1:
        more["donors"] = donors
    return {
        "version": VERSION,
        "seed": seed,
        "methods": list(METHODS),
        "crf": dict(CRF),
        **more,
        "videos": {path.name: path.stat().st_size for path in videos},
        "portraits": {path.name: path.stat().st_size for path in portraits},
    }


def start(root: Path, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """Claim a folder; return the summary of a complete sample with these settings when it holds one.

    Raises
    ------
    ConfigError
        The folder holds a sample made otherwise, or files that are no sample.
    WriteError
        The folder cannot be made or written.
    """
    path = root / NAME
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            made, summary = found["settings"], found["summary"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path} cannot be read; delete {root} or choose another folder.") from error
        if changed := differences(made, wanted):
            raise ConfigError(
                f"{root} holds a sample made with other settings: {', '.join(changed)}. Choose another folder."
            )
        return dict(summary) if summary else None
    if root.is_dir() and any(root.iterdir()):
        raise ConfigError(f"{root} is not empty and holds no sample; choose another folder.")
    write_json(path, {"settings": wanted, "summary": None})
    return None


def release(root: Path) -> None:
    """Give up a claimed folder, and remove it where nothing was made in it."""
    (root / NAME).unlink()
    if not any(root.iterdir()):
        root.rmdir()


def finish(
    root: Path, made: dict[str, Any], clips: Mapping[str, str], identities: int, fakes: int, left_out: Sequence[str]
) -> None:
    """Note that a sample is complete, and which of the user's files each number is."""
    summary = {"identities": identities, "fakes": fakes, "left_out": list(left_out), "clips": dict(clips)}
    write_json(root / NAME, {"settings": made, "summary": summary})
