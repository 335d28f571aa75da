"""Crops and columns made again from the dataset's files, for rows of a store that were damaged."""

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import exclusions, store
from pipeline.crop import groups, record, staging
from pipeline.crop.staging import Part
from pipeline.errors import ConfigError
from pipeline.manifest import Dataset, scan
from pipeline.progress import Progress
from pipeline.stages import layout, shards, sizes
from pipeline.stages.cluster import Workers
from pipeline.store import seal, stored_recipe
from pipeline.store.hashing import row_digests
from pipeline.store.lock import staging_of
from pipeline.store.schema import IMAGE

Crops = dict[int, NDArray[np.uint8]]  # by row of the store


@dataclass(frozen=True)
class Sources:
    """The dataset that a store was made from, and where what is made again is staged."""

    crew: Workers
    location: str
    dataset: Dataset
    progress: Progress

    @property
    def folder(self) -> Path:
        """Folder for the staged parts; deleted by `clean`."""
        return staging_of(self.location).with_suffix(".repair")

    def stage(self, videos: Sequence[Any]) -> list[Part]:
        """Find and crop the faces of some videos again, as a run does."""
        self.clean()
        self.folder.mkdir(parents=True)
        recipe = stored_recipe(store.open_group(self.location))
        some = dataclasses.replace(self.dataset, videos=tuple(videos))
        return shards.index_all(self.crew, some, recipe, self.folder, "cpu", self.progress)

    def clean(self) -> None:
        """Delete what was staged."""
        shutil.rmtree(self.folder, ignore_errors=True)


def dataset_of(group: store.Group, root: Path) -> Dataset:
    """Find the files of the dataset that a store was made from.

    Raises
    ------
    ConfigError
        There is no such folder.
    ManifestError
        Its files cannot be understood.
    """
    if not root.exists():
        raise ConfigError(f"the dataset's folder {root} is not there; name it with --root")
    attributes = store.attributes_of(group)
    found = scan(attributes["manifest"], root, seed=attributes["seed"], limit=attributes["limit"])
    lines = tuple(exclusions.from_key(key) for key in attributes.get("exclude") or ())
    return dataclasses.replace(found, exclude=lines)


def columns(sources: Sources) -> dict[str, Any]:
    """Make every column again that follows from the dataset's files, and the record of these, by path.

    This reads all of them.
    """
    table, found = layout.tables(sources.dataset, sources.stage(sources.dataset.videos))
    lines = record.lines(sources.dataset.videos, sizes.of_dataset(sources.dataset), table.sources)
    return {**found, seal.RECORD_PATH: lines}


def crops(sources: Sources, about: Mapping[str, NDArray[Any]], rows: Sequence[int]) -> tuple[Crops, list[str]]:
    """Make the crops of some rows again.

    Parameters
    ----------
    sources : Sources
    about : mapping
        The store's columns, each of shape (rows, ...) or (videos,).
    rows : sequence of int
        Rows of the store.

    Returns
    -------
    crops : dict
        By row; only those that are, by their recorded number, what they were.
    notes : list of str
        Files that are gone or have changed, a sentence each.
    """
    paths = {str(about["video_path"][about["video"][row]]) for row in rows}
    needed = [group for group in groups.groups(sources.dataset) if paths & {video.path for video in group.videos}]
    parts = sources.stage([video for group in needed for video in group.videos])
    recorded = dict(zip(map(str, about["video_path"]), map(str, about["video_sha256"]), strict=True))
    now = {source.video.path: source.sha256 for part in parts for source in part.sources}
    notes = [f"{path} is not there, or cannot be read" for path in sorted(paths - now.keys())]
    notes += [f"{path} is not the file it was" for path in sorted(paths & now.keys()) if now[path] != recorded[path]]
    same = all(now.get(path) == recorded.get(path) for path in now)
    places = _places(parts)
    found: Crops = {}
    group = store.open_group(sources.location)
    size, written = stored_recipe(group).cropping.size, seal.numbers(group, IMAGE.name)
    for row in rows:
        number, offset = _place(places, about, row) or (-1, -1)
        if number < 0:
            continue
        crop = staging.read_crops(sources.folder, number, np.array([offset]), size)[0]
        if same if written is None else _number(crop) == written[row]:
            found[row] = crop
    return found, notes


Places = dict[tuple[str, int], list[tuple[int, int, int]]]  # (path, frame) -> (track, part, offset) of each face


def _places(parts: Sequence[Part]) -> Places:
    places: Places = {}
    for number, part in enumerate(parts):
        cells = (part.columns[name].tolist() for name in ("video", "frame", "track", "offset"))
        for video, frame, track, offset in zip(*cells, strict=True):
            places.setdefault((part.sources[video].video.path, frame), []).append((track, number, offset))
    return {key: sorted(faces) for key, faces in places.items()}


def _place(places: Places, about: Mapping[str, NDArray[Any]], row: int) -> tuple[int, int] | None:
    """Return part and offset of one row's crop: rows of one frame stand in the order of their faces' tracks."""
    video, frame = int(about["video"][row]), int(about["frame"][row])
    together = np.flatnonzero((about["video"] == video) & (about["frame"] == frame))
    faces = places.get((str(about["video_path"][video]), frame), [])
    if len(faces) != len(together):
        return None
    return faces[int(np.searchsorted(together, row))][1:]


def _number(crop: NDArray[np.uint8]) -> np.uint64:
    """Return the number that is recorded for a row with this crop."""
    return np.uint64(seal.numbers_of([row_digests(crop[None])])[0])
