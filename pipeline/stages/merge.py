"""Stores of one recipe, made of different videos on machines that share nothing, joined as one run over all has it."""

from collections.abc import Sequence
from pathlib import Path

from pipeline import exclusions, store
from pipeline.config import differences
from pipeline.errors import StoreError
from pipeline.manifest import Dataset, joined
from pipeline.progress import Progress
from pipeline.stages import lending
from pipeline.stages.layout import APART
from pipeline.stages.lending import Lender
from pipeline.stages.run import Job, run
from pipeline.versions import versions

SHOWN = 3  # differences in a sentence
ALIKE = ("dataset", "manifest", "recipe", "exclude", "software")  # attributes that all have to share


def merge(
    locations: Sequence[str],
    into: str,
    *,
    workers: int = 2,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Make one store of several; they stay as they are, and their datasets are not looked at.

    Crops, columns and labels are copied; blends are made, since whom a face is blended with depends on all that are
    there. The same call goes on after a kill.

    Parameters
    ----------
    locations : sequence of str
        Two finished stores or more.
    into : str
        The store to make.
    workers, scheduler, progress
        As for `pipeline.stages.run.run`.

    Raises
    ------
    StoreError
        They are not of one recipe, manifest and software, or have videos in common.
    LeakError
        Together their splits leak.
    ManifestError
        One run over all would deal their videos out to other splits.
    """
    lenders = [lending.lender(location) for location in locations]
    _check(lenders, locations, into)
    attributes = store.attributes_of(lenders[0].group)
    first = lenders[0].location
    root = Path(first).parent if store.is_local(first) else Path.cwd()  # nothing is read there, but messages name it
    dataset = joined([_dataset(lender, root) for lender in lenders], attributes["seed"])
    sizes = {path: size for lender in lenders for path, size in lending.recorded_sizes(lender.files).items()}
    job = Job(dataset, lenders[0].recipe, into, known_sizes=sizes)
    run(job, workers=workers, scheduler=scheduler, progress=progress, lenders=lenders)


def _check(lenders: Sequence[Lender], locations: Sequence[str], into: str) -> None:
    """Refuse stores that do not go together."""
    if len({lender.location for lender in lenders}) < 2 or store.absolute(into) in {each.location for each in lenders}:
        raise StoreError("Name at least two stores to join, and with --store another place for what they become.")
    first, known = store.completed(store.attributes_of(lenders[0].group)), dict[str, str]()
    for lender, location in zip(lenders, locations, strict=True):
        about = store.completed(store.attributes_of(lender.group))
        if about["limit"] is not None:
            raise StoreError(f"{location} is a trial store (--limit {about['limit']}); such stores are not joined.")
        mine, theirs = ({name: each.get(name) for name in ALIKE} for each in (first, about))
        if told := differences(mine, theirs):
            named = ", ".join(told[:SHOWN]) + (f" and {len(told) - SHOWN} more" if len(told) > SHOWN else "")
            raise StoreError(f"{locations[0]} and {location} cannot be joined, they differ in {named}.")
        for video in (file.video for file in lender.files):
            for name in (video.path, f"{'' if video.target else video.method}/{video.target or video.id}"):
                if known.setdefault(name, location) != location:
                    raise StoreError(
                        f"{known[name]} and {location} cannot be joined, both hold {video.path} or another video of "
                        "the same real: each real video with all that was made from it belongs into one of them."
                    )
    if told := differences(first["software"], versions()):
        raise StoreError(f"The stores were made with other software than is here: {', '.join(told)}.")


def _dataset(lender: Lender, root: Path) -> Dataset:
    """Return the part of a dataset that a store was made from."""
    about = store.attributes_of(lender.group)
    missing = lender.missing
    return Dataset(
        about["dataset"],
        root,
        tuple(file.video for file in lender.files),
        about["manifest"],
        tuple(note for note in about["notes"] if not note.startswith(APART)),  # said anew of all together
        tuple((path, reason) for path, reason, _ in missing),
        frozenset(path for path, _, lost in missing if lost),
        tuple(exclusions.from_key(key) for key in about.get("exclude") or ()),
    )
