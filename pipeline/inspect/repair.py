"""Repair of a damaged store: what follows from sound data is made again, crops and columns from the dataset's files.

Nothing that is sound is written, and nothing is written that is not, by its digest, what was there before.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.crop.row_table import reals
from pipeline.errors import DamageError, ForgeryPrepError
from pipeline.inspect import metadata, sources
from pipeline.inspect.bench import Bench, is_column, lacks_columns, put_column, put_record, sound, with_files
from pipeline.inspect.verify import Finding, examine, ranges
from pipeline.labels import LABELS
from pipeline.progress import Checked, Progress, Silent
from pipeline.stages import blending, checking, finalize, labelling, shards, thresholds, trusting
from pipeline.stages.cluster import cluster
from pipeline.store import seal, stored_names, stored_recipe
from pipeline.store.hashing import row_digests
from pipeline.store.lock import alone
from pipeline.store.schema import IMAGE, THRESHOLD

MADE_FROM = {"pair": "image", "mask": ""}  # array that a label kind's source stands for; any other is its own name


@dataclass(frozen=True)
class Repaired:
    """Outcome of a repair, a sentence each."""

    done: list[str]  # what was put back
    left: list[str]  # what is still wrong, and why it could not be put back; empty: the store is what it was


def repair(
    location: str,
    root: Path | None = None,
    *,
    workers: int = 2,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> Repaired:
    """Put back what is damaged in a finished store; its digest is then what it was.

    Parameters
    ----------
    location : str
    root : Path, optional
        The dataset's folder (or CSV of pairs), for crops, masks and what was measured on the videos.
    workers, scheduler, progress
        As for `pipeline.stages.run.run`.

    Raises
    ------
    StoreError
        There is no store of this format at all; another run is writing it.
    """
    shown = progress or Silent()
    with alone(location) as check:
        shown = Checked(shown, check)
        found = metadata.look(location)
        if not found.finished:
            return Repaired([], [metadata.UNFINISHED])
        done = metadata.restore(location, found)
        if found.lost:
            return Repaired(done, list(metadata.look(location).findings))
        with cluster(workers, scheduler) as crew:
            findings = examine(crew, location, shown)
            damage = damage_of(store.open_group(location), findings)
            bench = Bench(crew, location, root, shown, damage, frozenset(damage), done)
            for step in STEPS if damage else ():
                step(bench)
            if bench.suspects:
                findings = examine(crew, location, shown)
            left = [each.text for each in findings]
            if found.written is None and not left:
                _seal(bench)
        return Repaired(bench.done, [*bench.notes, *left] if left else [])


def damage_of(group: store.Group, findings: list[Finding]) -> dict[str, set[int]]:
    """Return what shards of what arrays are damaged: all of an array where a finding names none."""
    damage: dict[str, set[int]] = {}
    for finding in findings:
        if finding.path:
            every = range(store.shard_count(store.array_of(group, finding.path)))
            damage.setdefault(finding.path, set()).update(every if finding.shard is None else {finding.shard})
    return damage


def _derived(bench: Bench) -> None:
    """Put back the column `real`, which follows from others."""
    if "real" in bench.damage and not {"face", "compression", "method"} & bench.damage.keys():
        put_column(bench, "real", reals(sound(bench)))


def _columns(bench: Bench) -> None:
    """Put back the columns and the record that were measured on the dataset's files, or read from its manifest."""
    lost = [path for path in bench.damage if is_column(bench.group, path) and path not in finalize.FOLLOWING]
    lost += [path for path in bench.damage if path == seal.RECORD_PATH]
    if lost:
        with_files(bench, ", ".join(lost), lambda files: _put_columns(bench, lost, sources.columns(files)))


def _put_columns(bench: Bench, paths: Sequence[str], made: Mapping[str, Any]) -> None:
    for path in paths:
        (put_record if path == seal.RECORD_PATH else put_column)(bench, path, made[path])


def _crops(bench: Bench) -> None:
    """Put back crops from the dataset's files; those rows of a damaged shard that can still be read are kept."""
    if IMAGE.name not in bench.damage or lacks_columns(bench, "crops"):
        return
    array = store.array_of(bench.group, IMAGE.name)
    kept = {number: dict(_readable(bench.group, number)) for number in sorted(bench.damage[IMAGE.name])}
    gone = [row for number in kept for row in range(*store.shard_rows(array, number)) if row not in kept[number]]
    made: sources.Crops = {}

    def make(files: sources.Sources) -> None:
        crops, notes = sources.crops(files, sound(bench), gone)
        made.update(crops)
        bench.notes += notes

    if gone:
        with_files(bench, f"image: rows {ranges(gone)}", make)
    for number, crops in kept.items():
        rows = range(*store.shard_rows(array, number))
        crops |= {row: made[row] for row in rows if row in made}
        if len(crops) == len(rows):
            store.write_shard(array, number, np.stack([crops[row] for row in rows]))
            bench.damage[IMAGE.name].discard(number)
    if lost := [row for row in gone if row not in made]:
        bench.notes.append(f"image: rows {ranges(lost)} cannot be put back")
    if not bench.damage[IMAGE.name]:
        bench.mended(IMAGE.name, f"rows {ranges(gone)} were made again" if gone else "written again")


def _readable(group: store.Group, number: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Give those rows of one shard of crops that can be read and are, by their recorded numbers, what they were."""
    array, written = store.array_of(group, IMAGE.name), seal.numbers(group, IMAGE.name)
    if written is None or number in store.missing_shards(array):
        return
    for row in range(*store.shard_rows(array, number)):
        with contextlib.suppress(DamageError):
            crop = store.read(array, [row])
            if seal.numbers_of([row_digests(crop)])[0] == written[row]:
                yield row, crop[0]


def _threshold(bench: Bench) -> None:
    """Measure the column of thresholds again, which the `ssim` labels are made with."""
    if THRESHOLD.name in bench.damage and IMAGE.name not in bench.damage and not lacks_columns(bench, THRESHOLD.name):
        recipe = stored_recipe(bench.group)
        made = thresholds.measure(bench.crew, bench.location, sound(bench), recipe, bench.progress)
        put_column(bench, THRESHOLD.name, made)


def _labels(bench: Bench) -> None:
    """Compute damaged shards of labels again, then the column `label`."""
    lost = [kind for kind in LABELS if kind in bench.damage]
    if (lost or {*finalize.FOLLOWING} & bench.damage.keys()) and not lacks_columns(bench, "labels"):
        rows = labelling.rows_of(sound(bench), stored_names(bench.group))
        for kind in lost:
            _label(bench, kind, rows)
        _label_column(bench)
        _trust_columns(bench, rows)


def _label(bench: Bench, kind: str, rows: labelling.Rows) -> None:
    source = LABELS[kind].source
    if MADE_FROM.get(source, source) in bench.damage or (kind == "ssim" and THRESHOLD.name in bench.damage):
        bench.notes.append(f"{kind}: what it is made from is damaged itself")
        return
    if source == "mask" and not (bench.root and bench.root.exists()):
        bench.notes.append(f"{kind}: it is read from the dataset's folder; name it with --root")
        return
    recipe, some = stored_recipe(bench.group), sorted(bench.damage[kind])
    root = _folder(bench.root) if bench.root else Path()
    try:
        shards.write_labels(bench.crew, bench.location, {kind: some}, rows, recipe, root, bench.progress)
    except ForgeryPrepError as error:
        bench.notes.append(f"{kind}: {error}")
    else:
        bench.mended(kind, f"{len(some)} shards were computed again")


def _label_column(bench: Bench) -> None:
    if "label" in bench.damage and "ssim" not in bench.damage:
        read, minimum = None, stored_recipe(bench.group).labelling.ssim_minimum
        if "ssim" in bench.group:
            read = _read(bench, "ssim")
        put_column(bench, "label", finalize.labels_of(sound(bench), read, minimum))


def _trust_columns(bench: Bench, rows: labelling.Rows) -> None:
    lost = [name for name in trusting.COLUMNS if name in bench.damage]
    if lost and not {"image", "ssim", "hull", "mask", THRESHOLD.name} & bench.damage.keys():
        trusted = rows, stored_recipe(bench.group)
        measured = checking.read_back(bench.crew, bench.location, (), "labels", bench.progress, trusted=trusted)[1]
        _put_columns(bench, lost, measured)


def _blends(bench: Bench) -> None:
    """Make blends again, from crops, landmarks, labels and the plan that follows from them."""
    prefix = f"{store.BLENDS}/"
    lost = {path: numbers for path, numbers in bench.damage.items() if path.startswith(prefix)}
    if not lost:
        return
    if lacks_columns(bench, "blends") or {IMAGE.name, "hull", "label"} & bench.damage.keys():
        bench.notes.append("blend: what the blends are made from is damaged itself")
        return
    if any(path.removeprefix(prefix) not in blending.PIXELS for path in lost):
        store.delete_group(bench.group, store.BLENDS)  # its plan is damaged: all of it is made again
    else:
        for path, numbers in lost.items():
            for number in numbers:
                store.delete_shard(store.array_of(bench.group, path), number)
    columns, recipe = sound(bench), stored_recipe(bench.group)
    rows = labelling.rows_of(columns, stored_names(bench.group))
    usable = finalize.usable_of(columns, _read(bench, "hull") if "hull" in bench.group else None)
    planned = blending.plan(columns, usable, recipe)
    blending.write_blends(bench.crew, bench.location, columns, rows, planned, recipe, bench.progress)
    for path in lost:
        bench.mended(path, "made again")


def _numbers(bench: Bench) -> None:
    """Record again the numbers of the rows of arrays whose values are, by their digest, what they were."""
    if store.CHECKS not in bench.group:
        return  # `_seal` writes them all
    for path in _pixels(bench.group):
        name = f"{store.CHECKS}/{seal.array_name(path)}"
        if {path, name} & bench.suspects and path not in bench.damage and _record(bench, path):
            bench.damage.pop(name, None)


def _record(bench: Bench, path: str) -> bool:
    """Write the numbers of one array's rows where they are others, if its values are what they were; tell whether."""
    read = _read(bench, path)
    if read.damaged or checking.digest_of(bench.group, path, read) != bench.digest(path):
        return False
    written = seal.numbers(bench.group, path)
    if written is None or not np.array_equal(written, seal.numbers_of(read.rows)):
        checking.record(bench.group, path, read)
        bench.done.append(f"{store.CHECKS}/{seal.array_name(path)}: written again")
    return True


def _read(bench: Bench, path: str) -> checking.ReadBack:
    return checking.read_back(bench.crew, bench.location, [path], path, bench.progress)[0][path]


def _seal(bench: Bench) -> None:
    """Record the metadata of a store that has no record of it, and whose values are all what they were."""
    if all([_record(bench, path) for path in _pixels(bench.group)]):
        seal.close(bench.location)
        bench.done.append(f"{seal.key_of(store.CHECKS)}: written from the store's metadata as it is")


STEPS: tuple[Callable[[Bench], None], ...] = (_derived, _columns, _crops, _threshold, _labels, _blends, _numbers)


def _pixels(group: store.Group) -> list[str]:
    return [path for path, array in store.every_array(group) if array.shards is not None]


def _folder(root: Path) -> Path:
    """Return the folder that paths start from: a CSV of pairs stands for its own."""
    return root.parent if root.is_file() else root
