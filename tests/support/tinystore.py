"""A store of tiny made-up faces, written without any video: quick to make, and its truth is known."""

import itertools

import numpy as np

from pipeline import store
from pipeline.config import Chunking, Recipe, overlay
from pipeline.labels import LABELS
from pipeline.store.hashing import array_digest
from pipeline.store.schema import BLENDS, FORMAT_VERSION, IMAGE, REJECTS, ROWS, VIDEOS, label_spec

SPLITS = ("train", "val", "test")


def make_store(
    path,
    *,
    size=64,
    people=2,
    frames=3,
    methods=("Swap", "Patch"),
    compressions=("c23", "c40"),
    splits=SPLITS,
    kinds=tuple(LABELS),
    blends=True,
    recipe=None,
    seed=0,
    strength=60,
    dataset="tiny",
):
    """Write a store; a fake has a brighter square in the middle of its face, `strength` grey levels above its real."""
    rng = np.random.default_rng(seed)
    recipe = overlay(Recipe(), {"cropping": {"size": size}, "chunking": {"shard": 8}, **(recipe or {})}, "test")
    videos = [
        (split, f"{split}{person}", method, compression)
        for split, person in itertools.product(splits, range(people))
        for method, compression in itertools.product(("real", *methods), compressions)
    ]
    faces = {}
    rows, columns = [], {spec.name: [] for spec in ROWS}
    inner = np.zeros((size, size), np.uint8)
    inner[size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = 1
    ring = inner.copy()
    ring[size // 4 + 2 : 3 * size // 4 - 2, size // 4 + 2 : 3 * size // 4 - 2] = 0
    place = {}
    for number, (split, target, method, compression) in enumerate(videos):
        for frame in range(frames):
            face = faces.setdefault((target, frame), len(faces))
            base = np.random.default_rng([seed, face]).integers(60, 160, (size, size, 3))
            grain = rng.normal(0, 1 + 2 * compressions.index(compression), base.shape)
            image = base + grain + (inner[..., None] * strength if method != "real" else 0)
            place[target, method, compression, frame] = len(rows)
            rows.append(np.clip(image, 0, 255).astype(np.uint8))
            angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
            points = size / 2 + size / 3 * np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(0, 0.5, (68, 2))
            values = {
                "label": int(method != "real"), "method": ("real", *methods).index(method),
                "split": SPLITS.index(split), "compression": compressions.index(compression), "video": number,
                "frame": frame, "face": face, "real": place[target, "real", compression, frame],
                "box": [0, 0, size, size], "score": 1.0, "alignment": 1.0, "landmarks": points,
            }  # fmt: skip
            for name, value in values.items():
                columns[name].append(value)
    images = np.stack(rows)
    fake = np.array(columns["label"]) == 1
    pictures = {
        kind: (inner if kind != "boundary" else ring) * fake[:, None, None] for kind in kinds if kind != "noise"
    }
    if "noise" in kinds:
        pictures["noise"] = rng.integers(-40, 40, (len(rows), size, size)).astype(np.int16)
    group = store.create(str(path), {})
    meanings = {"method": ["real", *methods], "split": list(SPLITS), "compression": list(compressions)}
    lengths = {"sample": len(rows), "y": size, "x": size, "channel": 3, "edge": 4, "point": 68, "xy": 2}
    for spec in (IMAGE, *(label_spec(kind) for kind in kinds)):
        _write(store.add_array(group, spec, lengths, recipe.chunking), images if spec is IMAGE else pictures[spec.name])
    for spec in ROWS:
        more = {"flag_meanings": meanings[spec.name]} if spec.name in meanings else {}
        store.add_array(group, spec, lengths, recipe.chunking, **more)
        store.write_column(group, spec.name, np.array(columns[spec.name] or [0] * len(rows)))
    table = {
        "video_id": [v[1] if v[2] == "real" else f"{v[1]}_{v[2]}" for v in videos],
        "video_path": [f"{v[2]}/{v[3]}/{v[1]}.mp4" for v in videos], "video_target": [v[1] for v in videos],
        "video_donor": [""] * len(videos), "video_identity": [v[1] for v in videos],
        "video_sha256": ["0" * 64] * len(videos), "video_mask": [""] * len(videos),
        "video_frames": [frames] * len(videos), "video_width": [size] * len(videos),
        "video_height": [size] * len(videos),
    }  # fmt: skip
    rest = {spec.name: ["" if spec.dtype == "string" else 0] * len(videos) for spec in VIDEOS}
    store.write_table(group, VIDEOS, rest | table, Chunking())
    if blends:
        _blend(group, columns, images, inner, ring, recipe, meanings)
    rejects = store.subgroup(group, store.REJECTS)
    lost = {"video": ["real/c23/test0.mp4", "gone.mp4"], "frame": [7, -1], "stage": ["faces", "index"],
            "reason": ["no face", "does not decode"], "rows": [1, frames], "method": ["real", (*methods, "real")[0]],
            "compression": [compressions[0]] * 2, "split": ["test", "test"]}  # fmt: skip
    store.write_table(rejects, REJECTS, lost, Chunking())
    group.attrs.update(
        {
            "format_version": FORMAT_VERSION, "complete": True, "dataset": dataset, "recipe": recipe.to_dict(),
            "digests": {"image": array_digest("image", "uint8", images.shape, [images.tobytes()])},
            "seed": 0, "counts": {}, "software": {}, "notes": [],
        }
    )  # fmt: skip
    return str(path)


def _blend(group, columns, images, inner, ring, recipe, meanings):
    real = np.flatnonzero(np.array(columns["label"]) == 0)
    kinds = np.arange(2 * len(real)) % 2
    outside = np.repeat(real, 2)
    mixed = images[outside].copy()
    mixed[:, inner == 1] = np.clip(mixed[:, inner == 1].astype(int) + 50, 0, 255)
    values = {
        "label": np.ones(len(kinds)), "kind": kinds, "split": np.array(columns["split"])[outside],
        "compression": np.array(columns["compression"])[outside], "inside": outside, "outside": outside,
        "seed": np.arange(len(kinds)), "image": mixed, "hull": inner * (kinds == 1)[:, None, None],
        "boundary": np.repeat(ring[None], len(kinds), 0),
    }  # fmt: skip
    blends = store.subgroup(group, store.BLENDS)
    side = images.shape[1]
    for spec in BLENDS:
        more = {"kind": ["rr", "fr"], **meanings}.get(spec.name)
        array = store.add_array(
            blends, spec, {"sample": len(kinds), "y": side, "x": side, "channel": 3}, recipe.chunking,
            **({"flag_meanings": more} if more else {}),
        )  # fmt: skip
        if spec.sharded:
            _write(array, values[spec.name])
        else:
            store.write_column(blends, spec.name, values[spec.name])


def _write(array, values):
    for number in range(store.shard_count(array)):
        store.write_shard(array, number, values[slice(*store.shard_rows(array, number))])
