"""One real video and all its fakes: frames chosen once, faces found once, the same crops taken from every version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Recipe
from pipeline.crop.gather import gather
from pipeline.crop.staging import COLUMNS, Part, new_part
from pipeline.crop.versions import Draft
from pipeline.manifest import COMPRESSIONS, REAL, Dataset, Video


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
    """Gather a dataset's files by the real video they come from, in the order of their ids."""
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
    group: Group, root: Path, recipe: Recipe, cropped: bool, folder: Path, device: str = "cpu"
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

    Returns
    -------
    kept, lost : int
        Rows staged, and rows asked for that cannot be had.
    """
    with new_part(folder, group.number) as (store, done):
        draft = Draft(root, recipe, store, device, cropped)
        gather(draft, group.reals, group.fakes)
        done.append(Part(tuple(draft.sources), tuple(draft.rejects), as_columns(draft.rows)))
    return len(draft.rows), sum(reject.rows for reject in draft.rejects)


def as_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Turn rows into the columns of a part; none into empty columns."""
    return {
        name: np.asarray([row[name] for row in rows], dtype=kind).reshape(-1, *shape)
        for name, (kind, shape) in COLUMNS.items()
    }
