"""The formats that a store can be exported to, and the one function that does it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.exchange import deepfakebench, folders
from pipeline.exchange.folder import whole
from pipeline.exchange.selection import Choice, Rows, choose
from pipeline.labels import LABELS
from pipeline.progress import Progress, Silent
from pipeline.versions import versions

Write = Callable[[Rows, Path, Sequence[str], int, Progress], list[str]]
MASKS = ("mask", "ssim")  # the first of these that a store has, where a format takes one mask


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes
    ----------
    about : str
        For people.
    write : callable
        (rows, empty folder, label kinds, threads, progress) -> remarks.
    one_mask : bool
        It takes one binary label, as a mask; else any number of kinds.
    """

    about: str
    write: Write
    one_mask: bool = False


FORMATS: Mapping[str, Format] = {
    "deepfakebench": Format("DeepfakeBench's frames, masks, landmarks and JSON", deepfakebench.write, one_mask=True),
    "folders": Format("PNG files in folders by split, class, method and video, with a table", folders.write),
}


def export(
    location: str,
    name: str,
    out: Path,
    choice: Choice | None = None,
    *,
    workers: int = 2,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[int, list[str]]:
    """Write a store, or a part of it, in another format.

    Parameters
    ----------
    location : str
        Path or URL of a finished store.
    name : str
        One of `FORMATS`.
    out : Path
        Folder to write: it is there whole or not at all.
    choice : Choice, optional
        What to take; all by default.
    workers : int
        Threads.
    overwrite : bool
        Replace an earlier export at `out`.
    progress : Progress, optional

    Returns
    -------
    rows : int
        Rows that were chosen.
    remarks : list of str

    Raises
    ------
    ConfigError
        The format, a name or the folder makes no sense.
    StoreError
        The store is missing, unfinished, or lacks a label kind.
    WriteError
        No space or no permission.
    """
    if name not in FORMATS:
        raise ConfigError(f"There is no format {name}; known are {', '.join(FORMATS)}.")
    form, asked = FORMATS[name], choice or Choice()
    rows = choose(location, asked)
    kinds = _kinds(form, name, asked.kind, rows)
    about = {
        "store": location,
        "dataset": rows.dataset,
        "format": name,
        "choice": asdict(asked),
        "software": versions(),
    }
    with whole(out, about, overwrite) as part:
        remarks = form.write(rows, part, kinds, workers, progress or Silent())
    return len(rows.picked), remarks


def _kinds(form: Format, name: str, asked: tuple[str, ...], rows: Rows) -> tuple[str, ...]:
    if not form.one_mask:
        return asked or tuple(kind for kind in LABELS if kind in rows.arrays)
    if len(asked) > 1 or any(LABELS[kind].flags is None for kind in asked):
        binary = ", ".join(kind for kind in LABELS if LABELS[kind].flags)
        raise ConfigError(f"{name} has one mask a crop: give one --kind of {binary}.")
    return asked or tuple(kind for kind in MASKS if kind in rows.arrays)[:1]
