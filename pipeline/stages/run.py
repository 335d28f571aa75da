"""One run, from a dataset to a finished store: every stage in order, each going on where a killed run stopped."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import store
from pipeline.config import Recipe, differences, digest
from pipeline.crop import staging
from pipeline.errors import StoreError
from pipeline.files import replacing
from pipeline.manifest import Dataset
from pipeline.progress import Progress, Silent
from pipeline.stages import layout, shards
from pipeline.stages.cluster import Workers, cluster
from pipeline.stages.finalize import finish
from pipeline.store.lock import alone, staging_of
from pipeline.store.writing import writing
from pipeline.versions import versions
from pipeline.video import archives

NOTE = "run.json"  # in the staging folder: the settings that it was begun with


@dataclass(frozen=True)
class Job:
    """A run: its dataset, recipe and store."""

    dataset: Dataset
    recipe: Recipe
    location: str  # of the store: a path or a URL
    limit: int | None = None  # real videos; None = all

    @property
    def staging(self) -> Path:
        """Folder for what is not in the store yet."""
        return staging_of(self.location)

    def settings(self) -> dict[str, Any]:
        """Return everything that decides the store's bytes, as plain values."""
        files = [[video.path, *_stamp(self.dataset.root / video.path)] for video in self.dataset.videos]
        return {
            "dataset": self.dataset.name,
            "manifest": self.dataset.manifest,
            "recipe": self.recipe.to_dict(),
            "limit": self.limit,
            "files": {"number": len(files), "digest": digest(files)},
        }


def run(
    job: Job,
    *,
    workers: int = 2,
    scheduler: str | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Make a store, or finish one that a stopped run began; a finished one is left as it is.

    Parameters
    ----------
    job : Job
    workers : int
        Processes.
    scheduler : str, optional
        Address of a Dask scheduler to use instead.
    device : str
        Where faces are detected: `cpu` or `cuda`.
    overwrite : bool
        Delete what is there first.
    progress : Progress, optional

    Raises
    ------
    StoreError
        The store was made, or begun, with other settings; another run is writing it.
    WriteError
        No space or no permission; what is written stays and the same call goes on.
    """
    shown = progress or Silent()
    with alone(job.location):
        settings = json.loads(json.dumps(job.settings()))
        if overwrite:
            _delete(job)
        done = _progress_of(job, settings)
        if not store.is_local(job.location):
            store.check_writable(job.location)
        if done.get("complete"):
            shown.say(f"{job.location} is complete: nothing to do.")
            return
        with cluster(workers, scheduler) as crew:
            if not done.get("cropped"):
                _begin(job, settings)
                _crop(crew, job, settings, device, shown)
            shutil.rmtree(job.staging, ignore_errors=True)
            finish(crew, job.location, job.dataset.root, shown)


def outlook(job: Job) -> str:
    """Say what a run would find at its store, refusing what the run would refuse; nothing is written."""
    done = _progress_of(job, json.loads(json.dumps(job.settings())))
    if done.get("complete"):
        return f"{job.location} is complete: nothing would be done."
    begun = bool(done) or (job.staging / NOTE).exists()
    return f"{job.location} {'was begun: the run would go on' if begun else 'would be made'}."


def _crop(crew: Workers, job: Job, settings: Mapping[str, Any], device: str, progress: Progress) -> None:
    """Stage every video's faces, decide the rows and write the crops."""
    found = shards.index_all(crew, job.dataset, job.recipe, job.staging, device, progress)
    table = layout.lay_out(job.location, job.dataset, settings, job.recipe.chunking, found)
    shards.write_images(crew, job.location, table, job.recipe, job.staging, progress)
    store.open_group(job.location, "r+").attrs["cropped"] = True


def _stamp(path: Path) -> tuple[int, ...]:
    """Return a file's size, so that a changed dataset is noticed; a folder's number of entries."""
    path = archives.file_of(path)
    try:
        return (sum(1 for _ in path.iterdir()) if path.is_dir() else path.stat().st_size,)
    except OSError:
        return ()


def _delete(job: Job) -> None:
    """Delete the store and what was staged for it."""
    with writing(job.location):
        shutil.rmtree(job.staging, ignore_errors=True)
        if not store.exists(job.location):
            return
        if not store.is_local(job.location):
            store.delete(job.location)
            return
        # moved away first: a kill while it is deleted leaves no half of a store
        job.staging.mkdir()
        Path(job.location).rename(job.staging / "old")
        shutil.rmtree(job.staging, ignore_errors=True)


def _progress_of(job: Job, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the store's attributes, none without a store; refuse a store made with other settings."""
    if not store.exists(job.location):
        if not (job.staging / NOTE).exists() and _occupied(job.location):
            raise StoreError(f"{job.location} is there already and is no store; choose another --store.")
        return {}
    attributes = store.attributes_of(store.open_group(job.location))
    _compare(job, {name: attributes.get(name) for name in settings}, settings)
    return attributes


def _occupied(location: str) -> bool:
    """Tell whether making a store would delete somebody's files."""
    path = Path(location)
    return store.is_local(location) and (path.is_file() or (path.is_dir() and any(path.iterdir())))


def _begin(job: Job, settings: Mapping[str, Any]) -> None:
    """Open the staging folder, refusing one that was begun with other settings or other software."""
    note = job.staging / NOTE
    begun = {**settings, "software": versions()}
    with writing(str(job.staging)):
        job.staging.mkdir(parents=True, exist_ok=True)
        if note.exists():
            _compare(job, json.loads(note.read_text(encoding="utf-8")), begun)
            staging.clean(job.staging)
            store.clean(job.location)
            return
        with replacing(note) as part:
            part.write_text(json.dumps(begun), encoding="utf-8")


def _compare(job: Job, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    if changed := differences(old, new):
        # other files follow from another limit or manifest; their digest says nothing to anybody
        told = [text for text in changed if not text.startswith("files.")] or ["the dataset's files have changed"]
        raise StoreError(
            f"{job.location} was made with other settings: {', '.join(told)}. "
            "Choose another --store, or --overwrite this one."
        )
