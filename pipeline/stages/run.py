"""One run, from a dataset to a finished store: every stage in order, each going on where a killed run stopped."""

import contextlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline import store
from pipeline.config import Recipe, digest
from pipeline.crew import Crew
from pipeline.crop import groups, staging
from pipeline.crop.record import Sizes
from pipeline.errors import StoreError
from pipeline.files import replacing
from pipeline.manifest import Dataset
from pipeline.progress import Checked, Progress, Silent
from pipeline.stages import beside, checking, layout, lending, shards, sizes
from pipeline.stages.agreement import compare
from pipeline.stages.finalize import finish
from pipeline.stages.lending import Lender, Taken
from pipeline.stages.needs import needs
from pipeline.store.lock import alone, lock_of, staging_of
from pipeline.store.schema import IMAGE
from pipeline.store.writing import writing
from pipeline.versions import versions
from pipeline.video import archives, checksum

NOTE = "run.json"  # in the staging folder: the settings that it was begun with
STAMPS = "files.json"  # there too: size and time of change of every file


@dataclass(frozen=True)
class Job:
    """A run: its dataset, recipe and store."""

    dataset: Dataset
    recipe: Recipe
    location: str  # of the store: a path or a URL
    limit: int | None = None  # real videos; None = all
    known_sizes: Sizes | None = None  # of the dataset's files, where these are not at hand

    @property
    def staging(self) -> Path:
        """Folder for what is not in the store yet."""
        return staging_of(self.location)

    def sizes(self) -> Sizes:
        """Return the sizes of the dataset's files, by their paths."""
        return sizes.of_dataset(self.dataset) if self.known_sizes is None else self.known_sizes

    def settings(self) -> dict[str, Any]:
        """Return everything that decides the store's bytes, as plain values."""
        found = self.sizes()
        files = [[video.path, *found.get(video.path, ())] for video in self.dataset.videos]
        return {
            "dataset": self.dataset.name,
            "manifest": self.dataset.manifest,
            "recipe": self.recipe.to_dict(),
            "limit": self.limit,
            "files": {"number": len(files), "digest": digest(files)},
            "exclude": [line.key() for line in self.dataset.exclude] or None,
        }


def run(
    job: Job,
    *,
    workers: int = 2,
    scheduler: str | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: Progress | None = None,
    lenders: Sequence[Lender] = (),
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
    lenders : sequence of Lender
        Finished stores of the same recipe and software: of their rows and labels those are taken over that would be
        made.

    Raises
    ------
    StoreError
        The store was made, or begun, with other settings; another run is writing it.
    WriteError
        No space or no permission; what is written stays and the same call goes on.
    """
    shown = progress or Silent()
    if scheduler:  # its workers have working folders of their own
        here = replace(job.dataset, root=job.dataset.root.absolute())
        job = replace(job, location=store.absolute(job.location), dataset=here)
    settings = json.loads(json.dumps(job.settings()))
    # before the lock, which a disk that is read-only would refuse
    if not overwrite and _progress_of(job, settings).get("complete"):
        shown.say(f"{job.location} is complete: nothing to do.")
        return
    with alone(job.location) as check:
        shown = Checked(shown, check)
        beside.recover(job.location)
        if overwrite:
            _delete(job)
        done = _progress_of(job, settings)
        if not store.is_local(job.location):
            store.check_writable(job.location)
        wanted = needs(folder_of_the_dataset=job.dataset.root, lock_of_the_store=lock_of(job.location))
        from pipeline.stages.cluster import cluster  # Dask takes a second to load

        with cluster(workers, scheduler, wanted, shown.say) as crew:
            if not done.get("cropped") or _lacks_crops(job):
                _begin(job, settings)
                _crop(crew, job, settings, device, shown, _borrow(job, lenders, shown))
            _progress_of(job, settings)  # nothing has come between
            shutil.rmtree(job.staging, ignore_errors=True)
            finish(crew, job.location, job.dataset.root, shown, lenders=lenders)


def outlook(job: Job) -> str:
    """Say what a run would find at its store, refusing what the run would refuse; nothing is written."""
    done = _progress_of(job, json.loads(json.dumps(job.settings())))
    if done.get("complete"):
        return f"{job.location} is complete: nothing would be done."
    begun = bool(done) or (job.staging / NOTE).exists()
    return f"{job.location} {'was begun: the run would go on' if begun else 'would be made'}."


def _borrow(job: Job, lenders: Sequence[Lender], progress: Progress) -> dict[int, Taken]:
    """Stage what finished stores have of this one already, and return what may be used of the rest."""
    if not lenders:
        return {}
    taken = lending.stage(job.dataset, job.sizes(), job.recipe, job.staging, lenders, job.known_sizes is None)
    whole = sum(each.whole for each in taken.values())
    if whole < len(taken) and job.known_sizes is not None:
        raise StoreError(f"{len(taken) - whole} groups of videos cannot be taken over, and their files are not here.")
    progress.say(f"{whole} of {len(taken)} groups of videos are taken over as they are, {len(taken) - whole} are made.")
    return taken


def _crop(
    crew: Crew,
    job: Job,
    settings: Mapping[str, Any],
    device: str,
    progress: Progress,
    taken: Mapping[int, Taken],
) -> None:
    """Stage every video's faces, decide the rows and write the crops; they can be read when this ends."""
    known = {number: each.known for number, each in taken.items()}
    found = shards.index_all(crew, job.dataset, job.recipe, job.staging, device, progress, known)
    _check_sources(job)
    table = layout.lay_out(job.location, job.dataset, settings, job.recipe.chunking, found, job.sizes())
    group = store.open_group(job.location, "r+")
    written = shards.write_images(crew, job.location, table, job.recipe, job.staging, progress)
    read = _read_crops(crew, job, progress, written)
    if read.damaged:  # of an earlier run, or by a disk
        more = shards.write_images(crew, job.location, table, job.recipe, job.staging, progress, read.damaged)
        read = _read_crops(crew, job, progress, {**written, **more})
    if not read.damaged:
        lending.check(IMAGE.name, read.rows, lending.crops_lent(table, job.staging))
    digests = {IMAGE.name: checking.record(group, IMAGE.name, read)}
    group.attrs.update({"cropped": True, "digests": {**store.attributes_of(group).get("digests", {}), **digests}})


def _read_crops(crew: Crew, job: Job, progress: Progress, written: shards.Written) -> checking.ReadBack:
    return checking.read_back(crew, job.location, [IMAGE.name], "crops", progress, written)[0][IMAGE.name]


def _lacks_crops(job: Job) -> bool:
    """Tell whether crops that were written are gone: they are then made from the videos again."""
    return bool(store.missing_shards(store.array_of(store.open_group(job.location), IMAGE.name)))


def _stamps(job: Job) -> dict[str, list[int]]:
    """Return size and time of change of every file; none for what is not there."""
    found = {}
    for video in job.dataset.videos:
        path = archives.file_of(job.dataset.root / video.path)
        with contextlib.suppress(OSError):
            about = path.stat()
            found[video.path] = [about.st_size, about.st_mtime_ns]
    return found


def _check_sources(job: Job) -> None:
    """Refuse to go on with parts of files that were changed or vanished since the run began, and forget these parts.

    Raises
    ------
    StoreError
        The sentence names the first file.
    """
    stamps = json.loads((job.staging / STAMPS).read_text(encoding="utf-8"))
    now = _stamps(job)
    if changed := _forget(job, {path for path in stamps if stamps[path] != now.get(path)}):
        state = "has changed" if changed[0] in now else "is gone"
        raise StoreError(
            f"{len(changed)} of the dataset's files are not what they were when this run began: "
            f"{job.dataset.root / changed[0]} {state}. Nothing made from them is kept; when they are as they should "
            "be, run the same command again."
        )


def _forget(job: Job, suspect: set[str]) -> list[str]:
    """Delete the staged parts of groups with a file that is not the one they were made from; return such files.

    A file with another time of change is the same if it has the bytes that were recorded when it was probed.
    """
    changed = []
    for group in groups.groups(job.dataset):
        paths = {video.path for video in group.videos} & suspect
        if not paths or not staging.is_sound(job.staging, group.number):
            continue
        part = staging.read_part(job.staging, group.number)
        known = {source.video.path: source.sha256 for source in part.sources}
        other = sorted(path for path in paths if not _holds(job.dataset.root / path, known.get(path)))
        if other:
            staging.discard(job.staging, group.number)
            changed += other
    return changed


def _holds(path: Path, sha256: str | None) -> bool:
    """Tell whether a file still has the digest recorded when it was probed; one that had none is read again."""
    try:
        return checksum.sha256(path) == sha256
    except OSError:
        return False


def _delete(job: Job) -> None:
    """Delete the store and what was staged for it."""
    with writing(job.location):
        shutil.rmtree(job.staging, ignore_errors=True)
        beside.discard(job.location)
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
        if not (job.staging / NOTE).exists() and store.occupied(job.location):
            raise StoreError(f"{job.location} is there already and is no store; choose another --store.")
        return {}
    attributes = store.attributes_of(store.open_group(job.location))
    # one that is complete stays as it is, whatever the versions here; a half-made one must not be of two
    new = settings if attributes.get("complete") else {**settings, "software": versions()}
    compare(job.location, {name: attributes.get(name) for name in new}, new)
    return attributes


def _begin(job: Job, settings: Mapping[str, Any]) -> None:
    """Open the staging folder, refusing one that was begun with other settings or other software."""
    note = job.staging / NOTE
    begun = {**settings, "software": versions()}
    with writing(str(job.staging)):
        job.staging.mkdir(parents=True, exist_ok=True)
        stamps = job.staging / STAMPS
        if note.exists():
            compare(job.location, json.loads(note.read_text(encoding="utf-8")), begun)
            staging.clean(job.staging)
            store.clean(job.location)
            if stamps.exists():
                old, now = json.loads(stamps.read_text(encoding="utf-8")), _stamps(job)
                _forget(job, {path for path in old.keys() | now.keys() if old.get(path) != now.get(path)})
        # the note last: what it stands for is all there
        for place, value in ((stamps, _stamps(job)), (note, begun)):
            with replacing(place) as part:
                part.write_text(json.dumps(value), encoding="utf-8")
