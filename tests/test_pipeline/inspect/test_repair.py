"""A damaged store is what it was after its repair; what cannot be put back is said, and nothing else is written."""

import json
import shutil
from pathlib import Path

import damage
import numpy as np
import pytest
import stores

from pipeline import store
from pipeline.inspect.repair import repair
from pipeline.inspect.verify import verify
from pipeline.store import seal
from pipeline.store.lock import staging_of


@pytest.fixture
def damaged(tiny_store, tmp_path):
    return stores.copy(tiny_store, tmp_path / "a.zarr")


def overwrite(location, name, row, value):
    """Write another value into one row as the pipeline would have: with matching checksums."""
    array = store.array_of(store.open_group(location, "r+"), name)
    values = store.read(array)
    values[row] = value
    array[...] = values


def swap(location, name, one, other):
    first, second = stores.shard(location, name, one), stores.shard(location, name, other)
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def test_a_sound_store_is_not_written(tiny_store, scheduler):
    before = {name: path.stat().st_mtime_ns for name, path in stores.files(tiny_store).items()}
    done = repair(str(tiny_store), scheduler=scheduler)
    assert (done.done, done.left) == ([], [])
    assert before == {name: path.stat().st_mtime_ns for name, path in stores.files(tiny_store).items()}


def test_labels_blends_and_what_follows_from_them_need_no_dataset(damaged, tiny_store, scheduler):
    stores.shard(damaged, "ssim", 2).write_bytes(b"")
    stores.flip(stores.shard(damaged, "noise", 1))
    swap(damaged, "hull", 3, 8)
    stores.shard(damaged, "boundary", 4).unlink()
    overwrite(damaged, "label", 40, 1)
    overwrite(damaged, "real", 9, 3)
    stores.flip(stores.shard(damaged, "blend/image", 0))
    overwrite(damaged, "blend/seed", 0, 5)
    overwrite(damaged, "checks/noise", 4, 1)
    stores.shard(damaged, "checks/image", 0).unlink()
    seed = json.loads(Path(damaged, "zarr.json").read_text())
    seed["attributes"]["seed"] = 3
    Path(damaged, "zarr.json").write_text(json.dumps(seed))
    done = repair(damaged, scheduler=scheduler)
    assert done.left == []
    assert len(done.done) >= 10
    stores.assert_same(damaged, tiny_store)
    assert verify(damaged, scheduler=scheduler) == []


@pytest.mark.slow
def test_crops_masks_and_columns_come_from_the_dataset(damaged, tiny, tiny_store, scheduler):
    stores.shard(damaged, "image", 1).write_bytes(b"")
    swap(damaged, "image", 4, 5)
    overwrite(damaged, "image", (100, 5, 5), 7)
    stores.shard(damaged, "mask", 3).unlink()
    stores.flip(stores.shard(damaged, "box", 0))
    stores.shard(damaged, "video_mask", 0).write_bytes(b"")
    overwrite(damaged, "video_identity", 3, "somebody else")
    overwrite(damaged, seal.RECORD_PATH, 2, "{}")
    sound = {name: when for name, when in stores.times(damaged, "image", "mask").items() if "/7/" in name}
    done = repair(damaged, tiny.root, scheduler=scheduler)
    assert done.left == []
    stores.assert_same(damaged, tiny_store)
    assert {name: stores.times(damaged, "image", "mask")[name] for name in sound} == sound
    assert not staging_of(damaged).with_suffix(".repair").exists()


def test_what_cannot_be_put_back_is_said_with_its_rows(damaged, tmp_path, scheduler):
    stores.shard(damaged, "image", 1).unlink()
    stores.flip(stores.shard(damaged, "ssim", 0))
    before = stores.times(damaged, "image")
    without = repair(damaged, None, scheduler=scheduler)
    assert any(
        "image: rows 16 to 31: made from the dataset's files; name their folder" in text for text in without.left
    )
    assert any(text.startswith("ssim: what it is made from is damaged") for text in without.left)
    assert stores.times(damaged, "image") == before
    (tmp_path / "none").mkdir()
    nothing = repair(damaged, tmp_path / "none", scheduler=scheduler)
    assert any(text.startswith("image: rows 16 to 31") for text in nothing.left)


def test_a_changed_video_gives_no_crop(damaged, tiny, tmp_path, scheduler):
    shutil.copytree(tiny.root, tmp_path / "sample")
    columns = stores.columns(damaged)
    path = str(columns["video_path"][columns["video"][16]])
    other = next(
        name
        for name in map(str, columns["video_path"])
        if name.split("/")[:-1] == path.split("/")[:-1] and name != path
    )
    shutil.copy(tiny.root / other, tmp_path / "sample" / path)
    stores.shard(damaged, "image", 1).unlink()
    done = repair(damaged, tmp_path / "sample", scheduler=scheduler)
    assert f"{path} is not the file it was" in done.left
    assert any(text.startswith("image: rows 16") and text.endswith("cannot be put back") for text in done.left)
    assert "image: rows 16 to 31 are missing or cut short" in done.left
    assert not list(Path(damaged, "image", "c", "1").glob("**/0.*")), "nothing half-made is left"


def test_a_store_of_an_earlier_version_gets_its_checks(damaged, tiny_store, tmp_path, scheduler):
    shutil.rmtree(f"{damaged}/checks")
    file = Path(damaged, "zarr.json")
    text = json.loads(file.read_text())
    for name in [name for name in text["consolidated_metadata"]["metadata"] if name.partition("/")[0] == "checks"]:
        del text["consolidated_metadata"]["metadata"][name]
    file.write_text(json.dumps(text))
    stores.flip(stores.shard(damaged, "noise", 0))
    done = repair(damaged, scheduler=scheduler)
    assert done.left == []
    assert done.done[-1].startswith("checks/zarr.json: written")
    wanted = stores.copy(tiny_store, tmp_path / "b.zarr")  # what is recorded of the files cannot be known any more
    store.delete_group(store.group_of(store.open_group(wanted, "r+"), store.CHECKS), seal.RECORD)
    seal.close(wanted)
    stores.assert_same(damaged, wanted)


def test_an_unfinished_store_is_left_alone(damaged):
    store.open_group(damaged, "r+").attrs["complete"] = False
    assert repair(damaged).left == ["the store is unfinished: run the command that began it again"]


def test_a_whole_array_that_is_deleted_comes_back(damaged, tiny_store, scheduler):
    record = Path(damaged, seal.RECORD_PATH).rename(Path(damaged).with_name("kept"))  # made from the files alone
    for name in ("hull", "blend", "checks"):
        shutil.rmtree(Path(damaged, name))
    shutil.move(record, Path(damaged, seal.RECORD_PATH))
    assert repair(damaged, scheduler=scheduler).left == []
    stores.assert_same(damaged, tiny_store)
    assert np.array_equal(stores.pixels(damaged, "hull"), stores.pixels(tiny_store, "hull"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_random_damage_is_found_and_repaired(seed, damaged, tiny, tiny_store, scheduler):
    told = damage.hit(damaged, np.random.default_rng(seed))
    assert verify(damaged, scheduler=scheduler), told
    assert repair(damaged, tiny.root, scheduler=scheduler).left == [], told
    stores.assert_same(damaged, tiny_store)
