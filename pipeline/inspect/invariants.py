"""Invariants of a store's rows, checked on its columns; each check yields the violations it finds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import store
from pipeline.config import Recipe
from pipeline.store import Names, stored_names
from pipeline.store.schema import NO_PAIR

Columns = Mapping[str, NDArray[Any]]
NOTHING: NDArray[Any] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Stored:
    """The columns of a store and its groups."""

    rows: Columns
    blends: Columns
    rejects: Columns
    names: Names
    recipe: Recipe
    counts: Mapping[str, Any]
    group: store.Group


def check(group: store.Group, columns: Mapping[str, Columns], recipe: Recipe) -> list[str]:
    """Return every broken promise, in a sentence each.

    Parameters
    ----------
    group : store.Group
    columns : mapping
        Columns by group: `""`, `blend`, `rejected`.
    recipe : Recipe
    """
    stored = Stored(
        columns[""], columns[store.BLENDS], columns[store.REJECTS], stored_names(group), recipe,
        store.attributes_of(group)["counts"], group,
    )  # fmt: skip
    if found := [*one_length(stored), *pointers(stored)]:
        return found  # nothing else can be looked up
    return [text for promise in PROMISES for text in promise(stored)]


def _some(rows: NDArray[np.bool_]) -> str:
    broken = np.flatnonzero(rows)
    return f"{len(broken)} rows, the first {broken[0]}"


def one_length(stored: Stored) -> Iterator[str]:
    """Check that every column has an entry for each row."""
    for columns, dimension in ((stored.rows, "frame"), (stored.blends, "seed"), (stored.rejects, "reason")):
        for name, values in columns.items():
            if not name.startswith("video_") and len(values) != len(columns[dimension]):
                yield f"{name}: {len(values)} entries beside {len(columns[dimension])} of {dimension}"


def pointers(stored: Stored) -> Iterator[str]:
    """Check that every number that stands for a row or a video stands for one."""
    rows = len(stored.rows["frame"])
    for name, values, first, length in (
        ("video", stored.rows["video"], 0, len(stored.rows["video_id"])),
        ("real", stored.rows["real"], NO_PAIR, rows),
        ("blend/inside", stored.blends.get("inside", NOTHING), 0, rows),
        ("blend/outside", stored.blends.get("outside", NOTHING), 0, rows),
    ):
        yield from _broken(f"{name}: numbers outside {first} to {length - 1}", (values < first) | (values >= length))


def same_face(stored: Stored) -> Iterator[str]:
    """Check that a fake and its real show the same face of the same frame at the same compression, in the same box."""
    rows = stored.rows
    real, method = rows["real"], rows["method"]
    paired = real != NO_PAIR
    own = np.arange(len(real))
    yield from _broken("real: a real row does not point at itself", (method == 0) & (real != own))
    yield from _broken("real: the paired row is not real", paired & (method[real] != 0))
    for name in ("frame", "face", "compression"):
        yield from _broken(f"{name}: differs between a row and its real", paired & (rows[name] != rows[name][real]))
    size = np.stack([rows["video_width"], rows["video_height"], rows["video_width"], rows["video_height"]], axis=1)[
        rows["video"]
    ]
    apart = np.abs(rows["box"] - rows["box"][real] * (size / size[real])).max(axis=1, initial=0)
    yield from _broken("box: a fake's is not its real's", paired & ~(apart <= 0.01))
    target = rows["video_target"][rows["video"]]
    yield from _broken(
        "real: not of the video the fake was made from", paired & (target != rows["video_id"][rows["video"]][real])
    )


def twins(stored: Stored) -> Iterator[str]:
    """Check that rows of one face and method that differ in compression show the same frame."""
    rows = stored.rows
    ids = np.unique(rows["video_id"].astype(str), return_inverse=True)[1].reshape(-1)[rows["video"]]
    keys = np.stack([rows["face"], rows["method"].astype(np.int64), ids.astype(np.int64)], axis=1)
    order = np.lexsort(keys.T)
    same = (np.diff(keys[order], axis=0) == 0).all(axis=1)
    for name in ("frame", "score", "split"):
        broken = np.zeros(len(order), dtype=bool)
        broken[order[1:]] = same & (np.diff(rows[name][order].astype(np.float64)) != 0)
        yield from _broken(f"{name}: differs between compressions of one face", broken)


def ordered(stored: Stored) -> Iterator[str]:
    """Check that rows stand by split, target video, method, compression, video and frame."""
    rows = stored.rows
    target = np.unique(
        np.where(rows["video_target"] != "", rows["video_target"], rows["video_id"]).astype(str), return_inverse=True
    )[1]
    keys = [rows["split"], target.reshape(-1)[rows["video"]]]
    keys += [rows[name] for name in ("method", "compression", "video", "frame")]
    if not np.array_equal(np.lexsort([np.asarray(key) for key in keys[::-1]]), np.arange(len(rows["frame"]))):
        yield "the rows are not in the order of split, target video, method, compression, video, frame"


def frames_of_the_real(stored: Stored) -> Iterator[str]:
    """Check that frames are inside their video and that every fake with a known real has its pair."""
    rows = stored.rows
    count = rows["video_frames"][rows["video"]]
    if "video_offset" in rows:  # a fake that is followed has its real's frames
        plain = (rows["video_offset"] == 0) & (rows["video_rate"] == 1)
        paired = rows["real"] != NO_PAIR
        count = np.where(paired & ~plain[rows["video"]], count[rows["real"]], count)
    yield from _broken("frame: outside its video", (rows["frame"] < 0) | (rows["frame"] >= count))
    paired_fakes = (rows["method"] != 0) & (rows["video_target"][rows["video"]] != "")
    yield from _broken("real: a fake with a known real has no pair", paired_fakes & (rows["real"] == NO_PAIR))


def labels(stored: Stored) -> Iterator[str]:
    """Check that reals are labelled real; a fake is, too, only where its SSIM label is empty."""
    rows = stored.rows
    yield from _broken("label: neither 0 nor 1", rows["label"] > 1)
    yield from _broken("label: a real is labelled fake", (rows["method"] == 0) & (rows["label"] != 0))
    turned = (rows["method"] != 0) & (rows["label"] == 0)
    if "ssim" not in stored.group:
        yield from _broken("label: a fake is labelled real although there is no ssim label", turned)
        return
    pixels = store.gather(store.array_of(stored.group, "ssim"), np.flatnonzero(turned))
    if pixels.any():
        yield "ssim: a fake that is labelled real has manipulated pixels"


def values_in_range(stored: Stored) -> Iterator[str]:
    """Check that numbers that have a range are in it."""
    rows = stored.rows
    finite = np.isfinite(rows["alignment"])
    yield from _broken("alignment: outside -1 to 1", finite & (np.abs(rows["alignment"]) > 1 + 1e-6))
    yield from _broken("alignment: missing for a pair", ~finite & (rows["real"] != NO_PAIR))
    yield from _broken("box: empty or not finite", ~((rows["box"][:, 2:] - rows["box"][:, :2]) > 0).all(axis=1))
    for name in ("method", "split", "compression"):
        yield from _broken(
            f"{name}: a number that flag_meanings does not explain", rows[name] >= len(getattr(stored.names, name))
        )


def blends(stored: Stored) -> Iterator[str]:
    """Check that both faces of a blend are of its split and compression and of two people; the background is real."""
    some, rows = stored.blends, stored.rows
    if not some:
        return
    identity = rows["video_identity"][rows["video"]]
    inside, outside = some["inside"], some["outside"]
    for name in ("split", "compression"):
        for side, at in (("inside", inside), ("outside", outside)):
            yield from _broken(f"blend/{name}: not that of the {side}", some[name] != rows[name][at])
    yield from _broken("blend/inside: the same person as outside", identity[inside] == identity[outside])
    yield from _broken("blend/outside: not a real row", rows["method"][outside] != 0)
    yield from _broken(
        "blend/inside: a real row in a blend of a fake, or the other way round",
        (rows["method"][inside] == 0) != (some["kind"] == 0),
    )
    yield from _broken("blend/label: not 1", some["label"] != 1)


def counted(stored: Stored) -> Iterator[str]:
    """Check that the counts in the attributes are those of the arrays."""
    found = {
        "rows": len(stored.rows["frame"]),
        "videos": len(stored.rows["video_id"]),
        "rejected_rows": int(stored.rejects["rows"].sum()),
        "blends": len(stored.blends.get("seed", ())),
    }
    for name, number in found.items():
        if stored.counts[name] != number:
            yield f"counts: {name} is {stored.counts[name]}, but the arrays hold {number}"
    if (stored.rejects["reason"] == "").any():
        yield "rejected: an entry without a reason"


def _broken(text: str, rows: Any) -> Iterator[str]:
    if np.any(rows):
        yield f"{text} ({_some(np.asarray(rows))})"


PROMISES = (same_face, twins, ordered, frames_of_the_real, labels, values_in_range, blends, counted)
