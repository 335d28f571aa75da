"""The store's `blend/` group: its plan, its arrays, and the task that writes one shard."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import blend, store
from pipeline.blend import Blend
from pipeline.config import Recipe, digest
from pipeline.crew import Crew, Made
from pipeline.errors import RejectError
from pipeline.labels.hull import difference_mask
from pipeline.progress import Progress
from pipeline.stages import shards
from pipeline.stages.labelling import Crops, Rows
from pipeline.store.hashing import row_digests
from pipeline.store.schema import BLENDS

PIXELS = tuple(spec.name for spec in BLENDS if spec.sharded)
PATHS = tuple(f"{store.BLENDS}/{name}" for name in PIXELS)


def write_blends(
    crew: Crew,
    location: str,
    columns: Mapping[str, NDArray[Any]],
    rows: Rows,
    planned: Sequence[Blend],
    recipe: Recipe,
    progress: Progress,
) -> shards.Written:
    """Make the group as planned; one that was planned otherwise is replaced.

    Parameters
    ----------
    crew : Crew
    location : str
    columns : mapping
        The store's columns.
    rows : Rows
        What every row's labels are made from.
    planned : sequence of Blend
        From `plan`.
    recipe : Recipe
    progress : Progress

    Returns
    -------
    dict of (str, int) to bytes
        Digests of the rows of every shard that was written, by array and number.
    """
    while planned:
        group = _ensure(location, planned, columns, recipe)
        todo = sorted({number for name in PIXELS for number in store.missing_shards(store.array_of(group, name))})
        tasks = Made(functools.partial(_task, location, recipe, group, planned, columns, rows), todo)
        total = store.shard_count(store.array_of(group, PIXELS[0]))
        made = shards.on_shards(crew, blend_shard, tasks, total, "blends", progress)
        failed = [each for some, _ in made for each in some]
        if not failed:
            each = zip(todo, made, strict=True)
            return {(path, number): digests for number, (_, of) in each for path, digests in of.items()}
        # rare: no distortion left a mask; the plan without these is as deterministic as the plan with them
        without = set(failed)
        planned = [each for each in planned if each not in without]
    store.delete_group(store.open_group(location, "r+"), store.BLENDS)  # what another recipe left there
    return {}


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
    made_of = _made_of(recipe, store.attributes_of(parent)["digests"])
    if is_made(parent, planned, recipe):
        group = store.group_of(parent, store.BLENDS)
        group.attrs["made_of"] = made_of
        return group
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
    group.attrs.update({"made_for": _made_for(planned, recipe), "made_of": made_of})
    return group


def is_made(group: store.Group, planned: Sequence[Blend], recipe: Recipe) -> bool:
    """Tell whether a store has the blends' arrays and they were made for exactly this plan."""
    return _told(group, "made_for") == _made_for(planned, recipe)


def follows(group: store.Group, recipe: Recipe, digests: Mapping[str, str]) -> bool:
    """Tell whether a store's blends were planned from the labels with these digests, and with this recipe."""
    return _told(group, "made_of") == _made_of(recipe, digests)


def _made_for(planned: Sequence[Blend], recipe: Recipe) -> str:
    parameters = blend.parameters(recipe.blending, recipe.labelling)
    return digest([parameters, [[each.kind, each.inside, each.outside, each.seed] for each in planned]])


def _made_of(recipe: Recipe, digests: Mapping[str, str]) -> str:
    """Return one digest of all that can change a plan: crops, landmarks and the rows never do."""
    parameters = blend.parameters(recipe.blending, recipe.labelling)
    return digest([parameters, recipe.seed, digests.get("label", ""), digests.get("hull", "")])


def _told(group: store.Group, name: str) -> str:
    """Return an attribute of the blends' group; empty where there is none."""
    if store.BLENDS not in group:
        return ""
    return str(store.attributes_of(store.group_of(group, store.BLENDS)).get(name, ""))


def _task(
    location: str,
    recipe: Recipe,
    group: store.Group,
    planned: Sequence[Blend],
    columns: Mapping[str, NDArray[Any]],
    rows: Rows,
    number: int,
) -> tuple[Any, ...]:
    """Return what `blend_shard` is called with for one shard."""
    low, high = store.shard_rows(store.array_of(group, PIXELS[0]), number)
    some = list(planned[low:high])
    inside = [each.inside for each in some]
    pairs = [(int(rows.fake[row]), int(rows.pair[row]), rows.pair_level[row]) for row in inside]
    return location, number, some, columns["landmarks"][inside], pairs, recipe


def blend_shard(
    location: str,
    number: int,
    blends: list[Blend],
    landmarks: NDArray[np.float32],
    pairs: list[tuple[int, int, str]],
    recipe: Recipe,
) -> tuple[list[Blend], dict[str, bytes]]:
    """Render and write one shard's blends, with their insides' landmarks of shape (blends, 68, 2).

    Returns
    -------
    failed : list of Blend
        Blends that cannot be rendered: where there are some, nothing is written.
    digests : dict of str to bytes
        Of the rows of what was written, by array.
    """
    group = store.open_group(location, "r+")
    wanted = [row for each in blends for row in (each.inside, each.outside)]
    of_fakes = [pair for each, pair in zip(blends, pairs, strict=True) if each.kind == "fr"]  # differences are needed
    crops = Crops(group, [*wanted, *(row for fake, real, _ in of_fakes for row in (fake, real))])
    failed, rendered = [], []
    for each, points, (fake, real, level) in zip(blends, landmarks, pairs, strict=True):
        difference = None
        if each.kind == "fr":
            difference = difference_mask(crops[fake], crops[real], recipe.labelling, level)
        try:
            faces = crops[each.inside], crops[each.outside]
            rendered.append(blend.render(each, *faces, points, difference, recipe.blending, recipe.labelling))
        except RejectError:
            failed.append(each)
    digests: dict[str, bytes] = {}
    for path, some in zip(PATHS, zip(*rendered, strict=True), strict=True) if not failed else ():
        values = np.stack(some)
        store.write_shard(store.array_of(group, path), number, values)
        digests[path] = row_digests(values)
    return failed, digests
