"""A finished store that grows: more videos, methods, compressions, frames or label kinds than it was made from.

Its successor is made beside it as any store is, but takes over what would be the same; then it takes its place.
"""

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pipeline import store
from pipeline.config import differences
from pipeline.errors import StoreError
from pipeline.manifest import REAL, Video
from pipeline.progress import Progress, Silent
from pipeline.stages import beside, lending
from pipeline.stages.lending import Lender
from pipeline.stages.run import NOTE, Job, run
from pipeline.store.lock import alone
from pipeline.versions import versions

Grows = Callable[[Any, Any], bool]  # whether a setting's new value adds to the old one
GROWS: tuple[tuple[str, Grows], ...] = (  # settings that may change; no other may
    ("files*", lambda old, new: True),
    ("recipe.name", lambda old, new: True),
    ("recipe.sampling.real.*", lambda old, new: new > old),
    ("recipe.sampling.fake.*", lambda old, new: new > old),
    ("recipe.labelling.kinds", lambda old, new: {*old} <= {*new}),
    ("recipe.chunking.codec", lambda old, new: True),  # the same values
    ("limit", lambda old, new: old is not None and (new is None or new > old)),
)
GIGA = 1e9


def extend(
    job: Job,
    *,
    workers: int = 2,
    scheduler: str | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> None:
    """Add to a finished store what a dataset or a recipe has more; the result is what one run over all makes.

    The store stays as it is until its successor, made beside it, is complete. The same call goes on after a kill.

    Parameters
    ----------
    job : Job
        The whole of what the store is to hold.
    workers, scheduler, device, progress
        As for `pipeline.stages.run.run`.

    Raises
    ------
    StoreError
        There is no finished store, or something else than an addition differs; the sentence names it.
    """
    shown = progress or Silent()
    if scheduler:
        here = dataclasses.replace(job.dataset, root=job.dataset.root.absolute())
        job = dataclasses.replace(job, location=store.absolute(job.location), dataset=here)
    _check_place(job)
    with alone(job.location):
        beside.recover(job.location)
        old, settings = _old_and_new(job)
        if not _changes(old, settings):
            shown.say(f"{job.location} is complete: nothing to do.")
            return
        shown.say(disk(job, old))
        successor = dataclasses.replace(job, location=beside.new_of(job.location))
        if _begun_otherwise(successor, settings):
            beside.discard(job.location)
        run(successor, workers=workers, scheduler=scheduler, device=device, progress=shown, lenders=[old])
        beside.replace(job.location)


def outlook(job: Job) -> str:
    """Say what `extend` would find, refusing what it would refuse; nothing is written."""
    _check_place(job)
    old, settings = _old_and_new(job)
    if not _changes(old, settings):
        return f"{job.location} is complete: nothing would be done."
    return f"{job.location} would be extended. {disk(job, old)}"


def _check_place(job: Job) -> None:
    if not store.is_local(job.location):
        raise StoreError(
            f"{job.location} cannot be extended in its place; make a store of what is new and join the two with "
            "forgery-prep merge."
        )
    if not store.exists(job.location) and not Path(beside.new_of(job.location)).exists():
        raise StoreError(f"There is no store at {job.location} to extend; forgery-prep run without --extend makes one.")


def _old_and_new(job: Job) -> tuple[Lender, dict[str, Any]]:
    """Open the store, and return what decides the bytes of its successor, if that only adds to it."""
    old, settings = lending.lender(job.location), json.loads(json.dumps(job.settings()))
    attributes = store.completed(store.attributes_of(old.group))
    new = {**settings, "software": versions()}
    told = list(_refused({name: attributes.get(name) for name in new}, new))
    if told:
        raise StoreError(
            f"{job.location} cannot be extended, since other settings would change what is there: {', '.join(told)}. "
            "Choose another --store."
        )
    there = {video.path for video in job.dataset.videos}
    if gone := [file.video.path for file in old.files if file.video.path not in there]:
        raise StoreError(
            f"{job.location} cannot be extended: {len(gone)} of its {len(old.files)} files are not in the dataset, the "
            f"first is {gone[0]}. Bring them back, or make a store of what is new and join the two with "
            "forgery-prep merge."
        )
    return old, settings


def _refused(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Name the settings whose change is no addition, with both values."""
    for name in sorted(old.keys() | new.keys()):
        before, after, path = old.get(name), new.get(name), f"{prefix}{name}"
        grows = next((test for pattern, test in GROWS if fnmatchcase(path, pattern)), None)
        if before == after or (grows and grows(before, after)):
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _refused(before, after, f"{path}.")
        elif path == "exclude":
            yield "the list of excluded faces"
        else:
            yield from differences({path: before}, {path: after})


def _changes(old: Lender, settings: Mapping[str, Any]) -> bool:
    attributes = store.completed(store.attributes_of(old.group))
    return bool(differences({name: attributes.get(name) for name in settings}, settings))


def _begun_otherwise(job: Job, settings: Mapping[str, Any]) -> bool:
    """Tell whether a successor was begun for something else than is asked for now."""
    new = {**settings, "software": versions()}
    found = []
    if store.exists(job.location):
        attributes = store.attributes_of(store.open_group(job.location))
        found.append({name: attributes.get(name) for name in new})
    if (note := job.staging / NOTE).exists():
        found.append(json.loads(note.read_text(encoding="utf-8")))
    return any(differences(each, new) for each in found)


def disk(job: Job, old: Lender) -> str:
    """Say how much room the store and its successor take while there are both."""
    place = Path(job.location).resolve()
    now = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    asked = _asked(job, job.dataset.videos) / max(1, _asked(job, [file.video for file in old.files], old))
    free = shutil.disk_usage(place).free
    before, after = old.recipe.chunking.codec, job.recipe.chunking.codec
    recoded = f" All of it is stored by {after} in place of {before} (chunking.codec)." if before != after else ""
    return (
        f"A store of about {now * asked / GIGA:.1f} GB is made beside {job.location} of {now / GIGA:.1f} GB, which is "
        f"deleted when the new one is complete; {free / GIGA:.1f} GB are free.{recoded}"
    )


def _asked(job: Job, videos: "tuple[Video, ...] | list[Video]", old: Lender | None = None) -> float:
    """Return how many rows are asked for of some videos, times the label kinds and the crop that each has."""
    recipe = old.recipe if old else job.recipe
    rows = sum(recipe.sampling.count(video.method == REAL, video.split) for video in videos)
    return rows * (3.0 + len(recipe.labelling.kinds))  # a crop has three channels
