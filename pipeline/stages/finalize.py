"""Complete a store from its crops: labels, blends, digests, counts."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.config import Labelling, Recipe
from pipeline.crew import Crew
from pipeline.errors import StoreError
from pipeline.labels import LABELS
from pipeline.progress import Progress
from pipeline.stages import blending, checking, labelling, lending, lent_labels, shards, thresholds, trusting
from pipeline.stages.lending import Lender
from pipeline.store import seal, stored_names, stored_recipe
from pipeline.store.hashing import column_digest
from pipeline.store.schema import IMAGE, NO_PAIR, THRESHOLD, WITHHELD, label_spec

FOLLOWING = ("label", THRESHOLD.name, *trusting.COLUMNS)  # columns that follow from the crops and the labels


def finish(
    crew: Crew,
    location: str,
    root: Path,
    progress: Progress,
    again: Collection[str] = (),
    lenders: Sequence[Lender] = (),
) -> None:
    """Write whatever a store with complete crops still lacks, then its digests and counts.

    Parameters
    ----------
    crew : Crew
    location : str
    root : Path
        The dataset's folder, for masks.
    progress : Progress
    again : collection of str
        Label kinds to compute again although they are there.
    lenders : sequence of Lender
        Finished stores whose labels are taken over where they were made from the same crops.
    """
    group = store.open_group(location, "r+")
    if missing := store.missing_shards(store.array_of(group, IMAGE.name)):
        raise StoreError(f"{location} lacks {len(missing)} shards of its crops; forgery-prep verify says more.")
    store.clean(location)
    recipe = stored_recipe(group)
    kinds = [kind for kind in LABELS if kind in recipe.labelling.kinds]
    outdated = {kind for kind in kinds if _outdated(group, kind, recipe)}
    again = {kind for kind in kinds if kind in again or LABELS[kind].source in again}
    digests: dict[str, str] = dict(store.attributes_of(group).get("digests", {}))
    if not _recorded(group, IMAGE.name, digests):
        crops, _ = checking.read_back(crew, location, [IMAGE.name], "crops", progress)
        digests[IMAGE.name] = checking.record(group, IMAGE.name, crops[IMAGE.name])
    stale = outdated | again
    stale |= {"label"} if "ssim" in stale else set()
    stale |= {*trusting.COLUMNS} if stale & {*trusting.KINDS} else set()
    digests = {name: value for name, value in digests.items() if name not in stale}
    # before any array changes: a killed run leaves no digest of what it had begun to replace
    group.attrs.update({"complete": False, "digests": digests})
    columns = store.read_columns(group)
    columns |= thresholds.settle(crew, location, columns, recipe, "ssim" in outdated | again, progress)
    trusting.add_missing(group, columns, recipe)
    for kind in outdated:
        _make(group, kind, recipe)
    rows = labelling.rows_of(columns, stored_names(group))
    made_from = Sources(rows, recipe, root, lent_labels.find(group, columns, rows, lenders))
    read, measured = _label(crew, location, made_from, kinds, again, progress)
    digests |= {kind: checking.record(group, kind, each) for kind, each in read.items()}
    if "ssim" in read or "label" not in digests:
        measured["label"] = labels_of(columns, read.get("ssim"), recipe.labelling.ssim_minimum)
    for name, values in measured.items():
        columns[name] = values
        store.write_column(group, name, values)
        digests[name] = column_digest(name, values)
    # a run that is killed from here on need not read the labels again
    group.attrs.update({"digests": digests, "counts": _counts(group, columns, read)})
    _blend(crew, location, columns, made_from, read.get("hull"), digests, progress)
    for prefix in ("", f"{store.REJECTS}/", f"{store.BLENDS}/"):
        digests |= _column_digests(group, prefix)
    digests = {name: value for name, value in digests.items() if name in group}
    group.attrs.update({"digests": digests, "counts": _counts(group, columns, read)})
    seal.close(location)


@dataclass(frozen=True)
class Sources:
    """What labels are made from, and how."""

    rows: labelling.Rows
    recipe: Recipe
    root: Path  # the dataset's folder, for masks
    lent: Mapping[str, labelling.Lent]  # labels of finished stores that are taken over, by kind


def _label(
    crew: Crew,
    location: str,
    sources: Sources,
    kinds: Sequence[str],
    again: Collection[str],
    progress: Progress,
) -> tuple[dict[str, checking.ReadBack], trusting.Columns]:
    """Write the labels that are missing, and those of the kinds `again`; then read every shard once.

    Returns
    -------
    read : dict of str to ReadBack
        The kinds that were written, and those without a digest.
    measured : dict of str to ndarray of shape (rows,)
        `trusting.COLUMNS`, where they follow from a label that was written or have no digest.
    """
    group = store.open_group(location)
    arrays = {kind: store.array_of(group, kind) for kind in kinds}
    todo = {
        kind: range(store.shard_count(array)) if kind in again else store.missing_shards(array)
        for kind, array in arrays.items()
    }
    digests = store.attributes_of(group)["digests"]
    unread = [kind for kind in kinds if todo[kind] or not _recorded(group, kind, digests)]
    if "ssim" in kinds and "ssim" not in unread and "label" not in digests:
        unread.append("ssim")  # the column `label` counts its pixels
    measure = bool({*unread} & {*trusting.KINDS}) or not {*trusting.COLUMNS} <= digests.keys()
    if not unread and not measure:
        return {}, {}
    rows, recipe = sources.rows, sources.recipe
    trusted = (rows, recipe) if measure else None
    written = shards.write_labels(crew, location, todo, rows, recipe, sources.root, progress, sources.lent)
    read, measured = checking.read_back(crew, location, unread, "labels", progress, written, trusted)
    if damaged := {kind: each.damaged for kind, each in read.items() if each.damaged}:  # by a power cut or a disk
        more = shards.write_labels(crew, location, damaged, rows, recipe, sources.root, progress, sources.lent)
        read, measured = checking.read_back(crew, location, unread, "labels", progress, {**written, **more}, trusted)
    for kind in read.keys() & sources.lent.keys():
        if not read[kind].damaged:
            lending.check(kind, read[kind].rows, sources.lent[kind])
    return read, measured


def _blend(
    crew: Crew,
    location: str,
    columns: Mapping[str, NDArray[Any]],
    sources: Sources,
    hull: checking.ReadBack | None,
    digests: dict[str, str],
    progress: Progress,
) -> None:
    """Make the blends and digest them, if they are not those that follow from the labels as they are now."""
    group = store.open_group(location, "r+")
    rows, recipe = sources.rows, sources.recipe
    if not recipe.blending.kinds or _has_blends(group, recipe, digests):
        return
    if hull is None and "hull" in recipe.labelling.kinds:
        hull = checking.read_back(crew, location, ["hull"], "labels", progress)[0]["hull"]
    planned = blending.plan(columns, usable_of(columns, hull), recipe)
    if not blending.is_made(group, planned, recipe):  # a killed run leaves no digest of what it had begun to replace
        for path in [path for path in digests if path.startswith(f"{store.BLENDS}/")]:
            del digests[path]
        group.attrs["digests"] = digests
    written = blending.write_blends(crew, location, columns, rows, planned, recipe, progress)
    if not written and _has_blends(group, recipe, digests):
        return
    read = _read_blends(crew, location, progress, written)
    if damaged := {path: each.damaged for path, each in read.items() if each.damaged}:  # by a power cut or a disk
        for path, numbers in damaged.items():
            for number in numbers:
                store.delete_shard(store.array_of(group, path), number)
        more = blending.write_blends(crew, location, columns, rows, planned, recipe, progress)
        read = _read_blends(crew, location, progress, {**written, **more})
    digests |= {path: checking.record(group, path, each) for path, each in read.items()}


def _has_blends(group: store.Group, recipe: Recipe, digests: Mapping[str, str]) -> bool:
    """Tell whether the blends are whole, read back, and follow from the labels with these digests."""
    return blending.follows(group, recipe, digests) and all(
        _recorded(group, path, digests) and not store.missing_shards(store.array_of(group, path))
        for path in blending.PATHS
    )


def usable_of(columns: Mapping[str, NDArray[Any]], hull: checking.ReadBack | None) -> NDArray[np.bool_]:
    """Return which rows may be blended in, of shape (rows,): pairs that differ, by their hull labels if any."""
    usable = np.asarray(columns["real"] != NO_PAIR)
    return usable if hull is None else usable & hull.possible & (hull.ones > 0)


def _read_blends(
    crew: Crew, location: str, progress: Progress, written: shards.Written
) -> dict[str, checking.ReadBack]:
    """Read every pixel array of the blends again."""
    if store.BLENDS not in store.open_group(location):
        return {}
    return checking.read_back(crew, location, blending.PATHS, "blends", progress, written)[0]


def _recorded(group: store.Group, path: str, digests: Mapping[str, str]) -> bool:
    """Tell whether an array was read back since it was written: its digest is there and a number for each row."""
    return path in digests and seal.numbers(group, path) is not None


def _outdated(group: store.Group, kind: str, recipe: Recipe) -> bool:
    """Tell whether a kind's array is missing or was made with other parameters."""
    if kind not in group:
        return True
    return bool(store.attributes_of(store.array_of(group, kind))["parameters"] != _parameters(kind, recipe.labelling))


def _make(group: store.Group, kind: str, recipe: Recipe) -> None:
    """Make a kind's empty array; one made with other parameters goes as a whole, so that the two never mix."""
    lengths = dict(zip(("sample", "y", "x"), store.array_of(group, IMAGE.name).shape, strict=False))
    parameters = _parameters(kind, recipe.labelling)
    store.add_array(group, label_spec(kind), lengths, recipe.chunking, parameters=parameters)


def _parameters(kind: str, settings: Labelling) -> dict[str, Any]:
    """Return everything that decides a kind's values, with those of the kind that it is made from."""
    parameters = LABELS[kind].parameters(settings)
    if (source := LABELS[kind].source) in LABELS:
        parameters = parameters | {source: LABELS[source].parameters(settings)}
    return dict(json.loads(json.dumps(parameters)))


def labels_of(columns: Mapping[str, NDArray[Any]], ssim: checking.ReadBack | None, minimum: int) -> NDArray[np.uint8]:
    """Return the column `label`, of shape (rows,): 1 for every fake but those whose SSIM label has too few pixels.

    Parameters
    ----------
    columns : mapping
        The store's columns.
    ssim : ReadBack, optional
        Of the SSIM labels, where the store has them.
    minimum : int
        Pixels below which a fake is labelled real.
    """
    fake = columns["method"] != 0
    if ssim is not None:
        fake &= (ssim.ones >= minimum) | ~ssim.possible
    return np.asarray(fake, dtype=np.uint8)


def _column_digests(group: store.Group, prefix: str) -> dict[str, str]:
    """Return the digests of every column of a group or subgroup."""
    if prefix and prefix.rstrip("/") not in group:
        return {}
    inner = store.group_of(group, prefix.rstrip("/")) if prefix else group
    return {prefix + name: column_digest(prefix + name, values) for name, values in store.read_columns(inner).items()}


def _counts(
    group: store.Group, columns: Mapping[str, NDArray[Any]], read: Mapping[str, checking.ReadBack]
) -> dict[str, Any]:
    """Count what is in the store and what is not."""
    rejects = store.read_columns(store.group_of(group, store.REJECTS))
    fakes = columns["method"] != 0
    before: dict[str, int] = store.attributes_of(group).get("counts", {}).get("without_label", {})
    return {
        "rows": len(fakes),
        "videos": len(columns["video_id"]),
        "faces": len(np.unique(columns["face"])),
        "fakes": int(fakes.sum()),
        "relabelled_real": int((fakes & (columns["label"] == 0)).sum()),
        "rejected_rows": int(rejects["rows"].sum()),
        "without_label": before | {kind: int((~each.possible).sum()) for kind, each in read.items()},
        "withheld": {kind: int((columns["withheld"] & flag > 0).sum()) for kind, flag in WITHHELD.items()},
        "blends": int(store.array_of(group, f"{store.BLENDS}/label").shape[0]) if store.BLENDS in group else 0,
    }
