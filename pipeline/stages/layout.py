"""Creation of a run's store: every array in its final shape, and all columns that follow from the crops."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline import store
from pipeline.config import Chunking, digest
from pipeline.crop import record
from pipeline.crop.record import Sizes
from pipeline.crop.row_table import Table, assemble
from pipeline.crop.staging import Part, Reject
from pipeline.errors import StoreError
from pipeline.manifest import Dataset
from pipeline.manifest.leaks import file_leaks, frame_leaks
from pipeline.registration.mapping import Followed
from pipeline.stages.agreement import compare, compare_rows
from pipeline.store import Names, seal
from pipeline.store.schema import FORMAT_VERSION, IMAGE, REJECTS, ROWS, SPECIAL, VIDEOS, ArraySpec
from pipeline.versions import versions

APART = "Training and test are not apart: "  # begins notes
DECIDED_BY = {  # parts of the recipe, by array
    "image": ("sampling", "detection", "cropping"),
    "frame": ("sampling",),
    "box": ("detection", "cropping"),
    "score": ("detection",),
    "alignment": ("cropping",),
    "landmarks": ("detection", "cropping"),
}


def lay_out(
    location: str,
    dataset: Dataset,
    settings: Mapping[str, Any],
    chunking: Chunking,
    parts: Sequence[Part],
    sizes: Sizes | None = None,
) -> Table:
    """Decide every row and, where that is not done yet, make the store's arrays.

    Parameters
    ----------
    location : str
    dataset : Dataset
    settings : mapping
        Everything that decides the store's bytes; becomes root attributes.
    chunking : Chunking
    parts : sequence of Part
    sizes : mapping, optional
        Sizes of the dataset's files, for the record of them.

    Raises
    ------
    StoreError
        There is no row at all; the arrays that are there were made for other rows, or with other settings.
    """
    names = Names(dataset.methods, dataset.compressions)
    rejects = [reject for part in parts for reject in part.rejects]
    if not any(len(part.columns["frame"]) for part in parts):
        reasons = "; ".join(dict.fromkeys(f"{each.video.path}: {each.reason}" for each in rejects[:3]))
        raise StoreError(f"No face of {dataset.name} can be used ({reasons}); nothing was stored.")
    table = assemble(names, parts)
    videos = _videos(table)
    if store.exists(location) and (begun := store.open_group(location)).attrs.get("laid_out"):
        attributes, wanted = store.attributes_of(begun), {**settings, "software": versions()}
        compare(location, {name: attributes.get(name) for name in wanted}, wanted)
        decided = {spec.name for spec in (*ROWS, *VIDEOS, *SPECIAL)}
        columns = {name: values for name, values in {**table.columns, **videos}.items() if name in decided}
        compare_rows(location, begun, columns)
        return table
    group = store.create(
        location,
        {
            "format_version": FORMAT_VERSION,
            **settings,
            "manifest_digest": digest(settings["manifest"]),
            "recipe_digest": digest(settings["recipe"]),
            "seed": settings["recipe"]["seed"],
            "software": versions(),
            "notes": [*dataset.notes, *_leaks(table)],
        },
    )
    size = settings["recipe"]["cropping"]["size"]
    lengths = {"sample": len(table), "y": size, "x": size, "channel": 3, "edge": 4, "point": 68, "xy": 2}
    store.add_array(group, IMAGE, lengths, chunking, parameters=_parameters(IMAGE, settings))
    for spec in ROWS:
        meanings = {"flag_meanings": list(getattr(names, spec.name))} if hasattr(names, spec.name) else {}
        store.add_array(group, spec, lengths, chunking, parameters=_parameters(spec, settings), **meanings)
        if spec.name in table.columns:  # `label` waits for the SSIM labels
            store.write_column(group, spec.name, table.columns[spec.name])
    special = tuple(spec for spec in SPECIAL if spec.name in videos)
    store.write_table(group, (*VIDEOS, *special), videos, chunking)
    store.write_table(
        store.subgroup(group, store.REJECTS), REJECTS, _rejects(rejects, dataset, _usual(parts)), chunking
    )
    seal.write_record(group, record.lines(dataset.videos, sizes or {}, table.sources))
    group.attrs["laid_out"] = True
    return table


def tables(dataset: Dataset, parts: Sequence[Part]) -> tuple[Table, dict[str, Any]]:
    """Return all rows, and every column of the store that follows from the staged parts, by its path."""
    table = assemble(Names(dataset.methods, dataset.compressions), parts)
    rejects = _rejects(table.rejects, dataset, _usual(parts))
    return table, {**table.columns, **_videos(table), **{f"{store.REJECTS}/{n}": v for n, v in rejects.items()}}


def _leaks(table: Table) -> list[str]:
    """Say which files or frames are in two splits under two names: what is tested on would have been trained on."""
    leaks = file_leaks((source.video, source.sha256) for source in table.sources)
    leaks += frame_leaks((source.video, source.prints) for source in table.sources)
    return [f"{APART}{leak}." for leak in leaks]


def _parameters(spec: ArraySpec, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return those parts of the recipe that decide an array's values."""
    return {name: settings["recipe"][name] for name in DECIDED_BY.get(spec.name, ())}


def _videos(table: Table) -> dict[str, list[Any]]:
    """Return the videos' columns, those of `SPECIAL` only where there is such a video."""
    of_video = ("id", "path", "target", "donor", "identity")
    of_source = ("mask_first", "turn", "sha256", "frames", "width", "height")
    columns: dict[str, list[Any]] = {
        f"video_{name}": [getattr(source.video, name) for source in table.sources] for name in of_video
    }
    columns |= {f"video_{name}": [getattr(source, name) for source in table.sources] for name in of_source}
    columns |= {"video_mask": [source.video.mask or "" for source in table.sources]}
    if any(source.mask_inverted for source in table.sources):
        columns |= {"video_mask_inverted": [source.mask_inverted for source in table.sources]}
    if any(source.people > 1 for source in table.sources):
        columns |= {
            f"video_{name}": [getattr(source, name) for source in table.sources] for name in ("people", "chosen")
        }
    if any(source.followed for source in table.sources):
        read = [source.followed or Followed((source.width, source.height)) for source in table.sources]
        columns |= {f"video_{name}": [getattr(each, name) for each in read] for name in ("offset", "rate", "since")}
        columns |= {"video_transform": [np.reshape(each.transform, (2, 3)) for each in read]}
    return columns


def _usual(parts: Sequence[Part]) -> int:
    """Return how many rows a video of these parts was asked for, on average: what a missing one is counted as."""
    asked = sum(len(part.columns["video"]) + sum(reject.rows for reject in part.rejects) for part in parts)
    return round(asked / max(1, sum(len(part.sources) for part in parts)))


def _rejects(rejects: Sequence[Reject], dataset: Dataset, usual: int) -> dict[str, list[Any]]:
    """Return the rejects' columns; what the dataset's folder lacks comes first, at `usual` rows a video."""
    columns: dict[str, list[Any]] = {
        "video": [path for path, _ in dataset.missing] + [reject.video.path for reject in rejects],
        "frame": [-1] * len(dataset.missing) + [reject.frame for reject in rejects],
        "stage": ["scan"] * len(dataset.missing) + [reject.stage for reject in rejects],
        "reason": [reason for _, reason in dataset.missing] + [reject.reason for reject in rejects],
        "rows": [usual * (path in dataset.lost) for path, _ in dataset.missing] + [each.rows for each in rejects],
    }
    for name in ("method", "compression", "split"):
        columns[name] = [""] * len(dataset.missing) + [getattr(reject.video, name) for reject in rejects]
    return columns
