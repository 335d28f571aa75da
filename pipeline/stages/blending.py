"""The store's `blend/` group: its plan, its arrays, and the task that writes one shard."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import blend, store
from pipeline.blend import Blend
from pipeline.config import Recipe, digest
from pipeline.errors import RejectError, TaskError
from pipeline.labels.hull import difference_mask
from pipeline.progress import Progress
from pipeline.stages.cluster import Workers
from pipeline.stages.labelling import Rows
from pipeline.store.schema import BLENDS

PIXELS = tuple(spec.name for spec in BLENDS if spec.sharded)


def write_blends(
    crew: Workers,
    location: str,
    columns: Mapping[str, NDArray[Any]],
    rows: Rows,
    usable: NDArray[np.bool_],
    recipe: Recipe,
    progress: Progress,
) -> None:
    """Make the group as planned; one that was planned otherwise is replaced.

    Parameters
    ----------
    crew : Workers
    location : str
    columns : mapping
        The store's columns.
    rows : Rows
        What every row's labels are made from.
    usable : ndarray of shape (n,), bool
        Fakes whose difference from their real is not empty.
    recipe : Recipe
    progress : Progress
    """
    planned = plan(columns, usable, recipe)
    while planned:
        group = _ensure(location, planned, columns, recipe)
        todo = sorted({number for name in PIXELS for number in store.missing_shards(store.array_of(group, name))})
        tasks = [(location, number, *_inputs(group, number, planned, columns, rows), recipe) for number in todo]
        failed: list[Blend] = []
        total = store.shard_count(store.array_of(group, PIXELS[0]))
        with progress.stage("blends", total) as advance:
            advance(total - len(todo), "")
            for outcome in crew.map(blend_shard, tasks):
                if outcome.failure:
                    raise TaskError(f"Blending failed: {outcome.failure}. Run the same command again to try once more.")
                failed += outcome.value
                advance(1, "")
        if not failed:
            return
        # rare: no distortion left a mask; the plan without these is as deterministic as the plan with them
        planned = [each for each in planned if each not in set(failed)]
    store.delete_group(store.open_group(location, "r+"), store.BLENDS)  # what another recipe left there


def plan(columns: Mapping[str, NDArray[Any]], usable: NDArray[np.bool_], recipe: Recipe) -> list[Blend]:
    """Choose the partners of every real row; `usable`, of shape (rows,), says which fakes may be blended in."""
    identity, donor = blend.people(*(columns[f"video_{name}"] for name in ("id", "identity", "donor")))
    return blend.plan(
        blend.Rows(
            landmarks=columns["landmarks"],
            genuine=columns["method"] == 0,
            fake=(columns["label"] == 1) & usable,
            split=columns["split"],
            compression=columns["compression"],
            identity=identity[columns["video"]],
            donor=donor[columns["video"]],
            video=columns["video"],
        ),
        recipe.blending,
        recipe.seed,
    )


def _ensure(
    location: str, planned: Sequence[Blend], columns: Mapping[str, NDArray[Any]], recipe: Recipe
) -> store.Group:
    """Return the group for a plan, making it anew unless it was made for exactly this plan."""
    parent = store.open_group(location, "r+")
    parameters = blend.parameters(recipe.blending, recipe.labelling)
    made_for = digest([parameters, [list(asdict(each).values()) for each in planned]])
    if store.BLENDS in parent and store.attributes_of(store.group_of(parent, store.BLENDS)).get("made_for") == made_for:
        return store.group_of(parent, store.BLENDS)
    group = store.subgroup(parent, store.BLENDS)
    outside = np.array([each.outside for each in planned])
    values: dict[str, Any] = {
        "label": np.ones(len(planned), dtype=np.uint8),
        "kind": [blend.KINDS.index(each.kind) for each in planned],
        "split": columns["split"][outside],
        "compression": columns["compression"][outside],
        "inside": [each.inside for each in planned],
        "outside": outside,
        "seed": [each.seed for each in planned],
    }
    size = recipe.cropping.size
    meanings = {"kind": list(blend.KINDS)} | {
        name: parent[name].attrs["flag_meanings"] for name in ("split", "compression")
    }
    for spec in BLENDS:
        more = {"flag_meanings": meanings[spec.name]} if spec.name in meanings else {}
        lengths = {"sample": len(planned), "y": size, "x": size, "channel": 3}
        store.add_array(group, spec, lengths, recipe.chunking, parameters=parameters, **more)
        if spec.name in values:
            store.write_column(group, spec.name, values[spec.name])
    group.attrs["made_for"] = made_for
    return group


Inputs = tuple[list[Blend], NDArray[np.float32], list[tuple[int, int, str]]]


def _inputs(
    group: store.Group, number: int, planned: Sequence[Blend], columns: Mapping[str, NDArray[Any]], rows: Rows
) -> Inputs:
    """Return a shard's blends, the landmarks of their insides, and the pairs their differences come from."""
    low, high = store.shard_rows(store.array_of(group, PIXELS[0]), number)
    some = list(planned[low:high])
    inside = [each.inside for each in some]
    pairs = [(int(rows.fake[row]), int(rows.pair[row]), rows.pair_level[row]) for row in inside]
    return some, columns["landmarks"][inside], pairs


def blend_shard(
    location: str,
    number: int,
    blends: list[Blend],
    landmarks: NDArray[np.float32],
    pairs: list[tuple[int, int, str]],
    recipe: Recipe,
) -> list[Blend]:
    """Render and write one shard's blends, with their insides' landmarks of shape (blends, 68, 2).

    Where some cannot be rendered nothing is written, and those are returned.
    """
    group = store.open_group(location, "r+")
    images = store.array_of(group, "image")
    failed, rendered = [], []
    for each, points, (fake, real, level) in zip(blends, landmarks, pairs, strict=True):
        inside, outside = store.read(images, [each.inside, each.outside])
        difference = None
        if each.kind == "fr":
            ours, theirs = store.read(images, [fake, real])
            difference = difference_mask(ours, theirs, recipe.labelling, level)
        try:
            rendered.append(blend.render(each, inside, outside, points, difference, recipe.blending, recipe.labelling))
        except RejectError:
            failed.append(each)
    if not failed:
        for name, values in zip(("image", "hull", "boundary"), zip(*rendered, strict=True), strict=True):
            store.write_shard(store.array_of(group, f"{store.BLENDS}/{name}"), number, np.stack(values))
    return failed
