"""The empty store: every array in its final shape before the first pixel, made once."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import stores

from pipeline import store
from pipeline.config import Chunking, Cropping, Recipe, digest
from pipeline.crop.staging import COLUMNS, Part, Reject, Source
from pipeline.errors import StoreError
from pipeline.labels import LABELS
from pipeline.manifest import REAL, Dataset, Video
from pipeline.stages.layout import lay_out
from pipeline.store.schema import IMAGE, REJECTS, ROWS, VIDEOS
from pipeline.video import likeness

VIDEO = Video("a", "real/a.mp4", REAL, "raw", "train", "a", "a")
DATASET = Dataset("d", Path("d"), (VIDEO,), {"name": "d"}, ("a note",), (("fake/b.mp4", "its real is missing"),))
RECIPE = Recipe(cropping=Cropping(size=32))
SETTINGS = json.loads(
    json.dumps({"dataset": "d", "manifest": DATASET.manifest, "recipe": RECIPE.to_dict(), "limit": None})
)


def part(rows):
    columns = {name: np.zeros((rows, *shape), kind) for name, (kind, shape) in COLUMNS.items()}
    columns["frame"], columns["offset"] = np.arange(rows, dtype=np.int32), np.arange(rows)
    return Part((Source(VIDEO, 9, 64, 48, "ab"),), (Reject(VIDEO, 8, "faces", "no face was found"),), columns)


def test_every_array_but_the_labels_has_its_shape_and_its_columns_their_values(tmp_path):
    location = str(tmp_path / "a.zarr")
    table = lay_out(location, DATASET, SETTINGS, Chunking(shard=2), [part(3)])
    group = store.open_group(location)
    assert len(table) == 3
    assert {name for name, _ in store.every_array(group)} == {IMAGE.name} | {spec.name for spec in (*ROWS, *VIDEOS)} | {
        f"{store.REJECTS}/{spec.name}" for spec in REJECTS
    }
    assert not set(LABELS) & set(dict(group.arrays()))
    image = store.array_of(group, "image")
    assert (image.shape, image.chunks, image.shards) == ((3, 32, 32, 3), (1, 32, 32, 3), (2, 32, 32, 3))
    assert store.missing_shards(image) == [0, 1]
    rows = stores.columns(location)
    assert rows["frame"].tolist() == [0, 1, 2]
    assert rows["label"].tolist() == [254] * 3, "not decided yet, and not real"
    assert rows["video_sha256"].tolist() == ["ab"]
    lost = stores.columns(location, store.REJECTS)
    assert lost["reason"].tolist() == ["its real is missing", "no face was found"]
    assert lost["rows"].tolist() == [0, 1]
    about = store.attributes_of(group)
    assert about["recipe_digest"] == digest(SETTINGS["recipe"])
    assert about["notes"] == ["a note"]
    assert about["software"]["numpy"] == np.__version__
    assert store.attributes_of(image)["parameters"]["cropping"] == SETTINGS["recipe"]["cropping"]


def test_a_store_that_is_laid_out_is_left_and_half_of_one_is_made_anew(tmp_path):
    location = str(tmp_path / "a.zarr")
    lay_out(location, DATASET, SETTINGS, Chunking(shard=2), [part(3)])
    before = {name: path.stat().st_mtime_ns for name, path in stores.files(location).items()}
    lay_out(location, DATASET, SETTINGS, Chunking(shard=2), [part(3)])
    assert before == {name: path.stat().st_mtime_ns for name, path in stores.files(location).items()}
    group = store.open_group(location, "r+")
    group.attrs["laid_out"] = False
    del group["score"]
    table = lay_out(location, DATASET, SETTINGS, Chunking(shard=2), [part(3)])
    np.testing.assert_array_equal(stores.columns(location)["score"], table.columns["score"])


def test_one_video_in_two_splits_is_noted(tmp_path):
    prints = likeness.fingerprint(np.random.default_rng(0).integers(0, 255, (16, 16, 3)).astype(np.uint8))
    other = Video("b", "real/b.mp4", REAL, "raw", "test", "b", "b")
    sources = [Source(video, 9, 64, 48, sha256, prints=prints) for video, sha256 in ((VIDEO, "ab"), (other, "cd"))]
    parts = [dataclasses.replace(part(1), sources=(source,)) for source in sources]
    lay_out(str(tmp_path / "a.zarr"), DATASET, SETTINGS, Chunking(), parts)
    told = "Training and test are not apart: the same frames in test and train: 1 (real/b.mp4 = real/a.mp4)."
    assert store.attributes_of(store.open_group(str(tmp_path / "a.zarr")))["notes"] == ["a note", told]


def test_without_a_row_there_is_no_store(tmp_path):
    with pytest.raises(StoreError, match=r"No face of d can be used \(real/a.mp4: no face was found\)"):
        lay_out(str(tmp_path / "a.zarr"), DATASET, SETTINGS, Chunking(), [part(0)])
    assert not (tmp_path / "a.zarr").exists()
