"""The task of one group, a real video and all its fakes: plan, crop, judge the pairs, stage."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Recipe
from pipeline.crop import staging, suspects
from pipeline.crop.known import Known, NotAsBefore, Span, read, usable
from pipeline.crop.pairs import Pairs
from pipeline.crop.plan import Plan, plan
from pipeline.crop.pointing import pointed
from pipeline.crop.reading import Context
from pipeline.crop.staging import Crops, Part, Reject, as_columns, new_part
from pipeline.crop.versions import Cropped, Cropper
from pipeline.exclusions import Exclusion
from pipeline.manifest import COMPRESSIONS, REAL, Dataset, Video
from pipeline.video import watch


@dataclass(frozen=True)
class Group:
    """A real video with all that was made from it, or a fake whose real is not known."""

    number: int
    target: str
    reals: tuple[Video, ...]  # its compressions, least compressed first
    fakes: tuple[tuple[Video, ...], ...]  # one entry a fake, its compressions, least compressed first

    @property
    def videos(self) -> tuple[Video, ...]:
        """Every file, reals first."""
        return self.reals + tuple(video for versions in self.fakes for video in versions)


def groups(dataset: Dataset) -> list[Group]:
    """Group a dataset's files by the real video they come from, in the order of their ids."""
    found: dict[tuple[str, str, str], list[Video]] = {}
    for video in dataset.videos:
        found.setdefault((video.target or video.id, video.method, video.id), []).append(video)
    whole: dict[str, list[tuple[Video, ...]]] = {}
    for (target, _, _), versions in sorted(found.items()):
        # an unpaired fake is its own group, even if a real happens to share its name
        key = target if versions[0].target else f"{versions[0].method}/{target}"
        whole.setdefault(key, []).append(
            tuple(sorted(versions, key=lambda video: COMPRESSIONS.index(video.compression)))
        )
    return [
        Group(
            number,
            entries[0][0].target or entries[0][0].id,
            tuple(video for versions in entries for video in versions if video.method == REAL),
            tuple(versions for versions in entries if versions[0].method != REAL),
        )
        for number, (_, entries) in enumerate(sorted(whole.items()))
    ]


def index_group(
    group: Group,
    root: Path,
    recipe: Recipe,
    cropped: bool,
    folder: Path,
    device: str = "cpu",
    exclude: tuple[Exclusion, ...] = (),
    known: Sequence[Span] = (),
) -> tuple[int, int]:
    """Find, crop and stage every face of one group.

    Parameters
    ----------
    group : Group
    root : Path
        The dataset's folder.
    recipe : Recipe
    cropped : bool
        The pictures are face crops already: no detection, the box is the whole frame.
    folder : Path
        Takes the staged part.
    device : str
        For the detector: `cpu` or `cuda`.
    exclude : tuple of Exclusion
        Faces and files that are not used.
    known : sequence of Span
        What a finished store has of some of its files: copied where it is what would be made.

    Returns
    -------
    kept, lost : int
        Rows staged, and rows asked for that cannot be had.
    """
    context = Context(root, recipe, device, cropped, exclude)
    with watch.watching(staging.note(folder, group.number), suspects.settle(folder, group.number)):
        try:
            return _index(group, context, folder, read(known))
        except NotAsBefore:
            return _index(group, context, folder, {})


def _index(group: Group, context: Context, folder: Path, known: Known) -> tuple[int, int]:
    with new_part(folder, group.number) as (staged, done):  # first: a folder that cannot be written shows at once
        planned, unusable = plan(group.reals, group.fakes, context, staged)
        videos = _crop(planned, context, staged, known) if planned else []
        rows = [row for cropped in videos for row in cropped.rows]
        rejects = [*unusable, *(reject for cropped in videos for reject in cropped.rejects)]
        sources = planned.sources if planned else ()
        done.append(Part(sources, tuple(_without_root(reject, context.root) for reject in rejects), as_columns(rows)))
    return len(rows), sum(reject.rows for reject in rejects)


def _crop(planned: Plan, context: Context, staged: Crops, known: Known) -> list[Cropped]:
    """Crop the main video, then each fake where that was cropped; find the landmarks of what is kept."""
    cropper = Cropper(planned, context, staged)
    if known:
        cropper = dataclasses.replace(cropper, known=usable(known, planned, cropper.asked))
    main, frames = cropper.crop(planned.main)
    pairs = Pairs(planned, context, frames, cropper.known.keys())
    fakes = [pairs.judge(*cropper.crop(take, frames), take) for take in planned.fakes]
    return [dataclasses.replace(video, rows=pointed(video.rows, planned, context, staged)) for video in (main, *fakes)]


def _without_root(reject: Reject, root: Path) -> Reject:
    """Take the dataset's folder out of a reason: where a dataset lies says nothing about it."""
    return dataclasses.replace(reject, reason=reject.reason.replace(f"{root}{os.sep}", ""))
