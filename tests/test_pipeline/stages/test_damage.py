"""What a power cut, a disk or a person leaves behind is found when a run goes on, and never becomes a label."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import stores

from pipeline import store
from pipeline.crop import staging
from pipeline.errors import ConfigError, DamageError, SourceError, StoreError
from pipeline.stages import layout, shards
from pipeline.stages.renewal import relabel
from pipeline.stages.run import run


class Stopped(Exception):
    """Ends a run between two stages."""


def unfinished(tiny_store: Path, to: Path) -> str:
    """Return a copy of a store as a killed run leaves it: all crops checked, no label yet."""
    location = stores.copy(tiny_store, to)
    group = store.open_group(location, "r+")
    digests = store.attributes_of(group)["digests"]
    group.attrs.update({"complete": False, "digests": {"image": digests["image"]}})
    return location


def empty(path: Path) -> None:
    path.write_bytes(b"")


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def blank(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def test_label_and_blend_shards_that_cannot_be_whole_are_made_again(tiny, tiny_store, tmp_path, scheduler):
    location = unfinished(tiny_store, tmp_path / "a.zarr")
    empty(stores.shard(location, "ssim", 0))
    halve(stores.shard(location, "ssim", 3))
    stores.flip(stores.shard(location, "hull", 1))
    blank(stores.shard(location, "noise", 2))
    halve(stores.shard(location, "mask", 4))
    empty(stores.shard(location, "boundary", 0))
    halve(stores.shard(location, "blend/image", 0))
    stores.flip(stores.shard(location, "blend/hull", 1))
    run(tiny.job(location), scheduler=scheduler)
    stores.assert_same(location, tiny_store)


@pytest.mark.parametrize("damage", [empty, halve])
def test_crops_that_are_gone_are_made_from_the_videos_again(tiny, tiny_store, tmp_path, scheduler, damage):
    location = unfinished(tiny_store, tmp_path / "a.zarr")
    others = stores.times(location, "image")
    damage(stores.shard(location, "image", 1))
    run(tiny.job(location), scheduler=scheduler)
    stores.assert_same(location, tiny_store)
    changed = {name for name, when in stores.times(location, "image").items() if others[name] != when}
    assert changed == {"image/c/1/0/0/0"}


@pytest.fixture
def staged(tiny, tmp_path, scheduler, monkeypatch):
    """Return a job whose videos are all staged, of a copy of the dataset, as a killed run leaves it."""
    shutil.copytree(tiny.root, tmp_path / "sample")
    job = tiny.job(tmp_path / "a.zarr", root=tmp_path / "sample")

    def stop(*_: object) -> None:
        raise Stopped

    with monkeypatch.context() as change:
        change.setattr(layout, "lay_out", stop)
        with pytest.raises(Stopped):
            run(job, scheduler=scheduler)
    return job


def test_damaged_parts_are_staged_again(tiny_store, staged, scheduler):
    parts = sorted(staged.staging.glob("0*"))
    blank(parts[0] / staging.CROPS)
    halve(parts[1] / staging.ABOUT)
    stores.flip(parts[2] / staging.COLUMNS_FILE)
    run(staged, scheduler=scheduler)
    stores.assert_same(staged.location, tiny_store)


def test_parts_of_replaced_sources_are_staged_again(tiny, tiny_store, staged, scheduler, monkeypatch):
    root = staged.dataset.root
    touched, other = (root / staged.dataset.videos[number].path for number in (0, -1))
    os.utime(touched, ns=(1, 1))  # the same bytes: nothing to do
    content = bytearray(other.read_bytes())
    content[-1] ^= 1  # as long as before
    other.write_bytes(content)
    before = {part.name: part.stat().st_mtime_ns for part in staged.staging.glob("0*")}

    def stop(*_: object) -> None:
        raise Stopped

    with monkeypatch.context() as change:
        change.setattr(layout, "lay_out", stop)
        with pytest.raises(Stopped):
            run(staged, scheduler=scheduler)
    after = {part.name: part.stat().st_mtime_ns for part in staged.staging.glob("0*")}
    assert after.keys() == before.keys()
    assert len([name for name in after if after[name] != before[name]]) == 1


def test_a_source_that_vanishes_in_mid_run_stops_it_and_comes_back(tiny_store, staged, scheduler):
    video = staged.dataset.root / staged.dataset.videos[0].path
    stamps = json.loads((staged.staging / "files.json").read_text())
    gone = video.with_suffix(".away")

    from pipeline.stages import run as module

    real_index = module.shards.index_all

    def index_and_lose(*arguments: object) -> object:
        found = real_index(*arguments)
        video.rename(gone)
        return found

    module.shards.index_all = index_and_lose
    try:
        with pytest.raises(StoreError, match=rf"{video} is gone\. Nothing made from them is kept"):
            run(staged, scheduler=scheduler)
    finally:
        module.shards.index_all = real_index
    assert not store.exists(staged.location), "no row was decided without it"
    gone.rename(video)
    assert stamps[staged.dataset.videos[0].path][0] == video.stat().st_size
    run(staged, scheduler=scheduler)
    stores.assert_same(staged.location, tiny_store)


def test_a_folder_that_is_away_for_a_moment_costs_no_row(tiny, tiny_store, tmp_path, scheduler, monkeypatch):
    shutil.copytree(tiny.root, tmp_path / "sample")
    job = tiny.job(tmp_path / "a.zarr", root=tmp_path / "sample")
    index_all = shards.index_all

    def index_without(*arguments: object) -> object:
        (tmp_path / "sample").rename(tmp_path / "away")
        try:
            return index_all(*arguments)
        finally:  # back before anybody looks again
            (tmp_path / "away").rename(tmp_path / "sample")

    with monkeypatch.context() as change:
        change.setattr(shards, "index_all", index_without)
        with pytest.raises(SourceError, match=r"was there when the run began and cannot be reached now"):
            run(job, scheduler=scheduler)
    assert not store.exists(job.location)
    run(job, scheduler=scheduler)
    stores.assert_same(job.location, tiny_store)


def test_a_store_half_made_by_other_versions_is_refused_by_their_names(tiny, tiny_store, tmp_path):
    location = unfinished(tiny_store, tmp_path / "a.zarr")
    group = store.open_group(location, "r+")
    group.attrs["software"] = {**store.attributes_of(group)["software"], "numpy": "1"}
    with pytest.raises(StoreError, match=r"software\.numpy \(was 1, now 2"):
        run(tiny.job(location))
    group.attrs["complete"] = True
    run(tiny.job(location))


def test_masks_that_are_not_there_overwrite_nothing(tiny_store, tmp_path, scheduler):
    location = stores.copy(tiny_store, tmp_path / "a.zarr")
    (tmp_path / "none").mkdir()
    with pytest.raises(ConfigError, match=r"masks are not there, the first is .*; nothing was changed"):
        relabel(location, ["mask"], tmp_path / "none", scheduler=scheduler)
    stores.assert_same(location, tiny_store)


def test_masks_that_vanish_before_a_run_goes_on_stop_it(tiny, tiny_store, tmp_path, scheduler):
    location = unfinished(tiny_store, tmp_path / "a.zarr")
    shutil.copytree(tiny.root, tmp_path / "sample")
    job = tiny.job(location, root=tmp_path / "sample")
    stores.shard(location, "mask", 1).unlink()
    for video in job.dataset.videos:
        if video.mask:
            (tmp_path / "sample" / video.mask).unlink(missing_ok=True)
    with pytest.raises(ConfigError, match=r"The mask .* is gone"):
        run(job, scheduler=scheduler)
    run(tiny.job(location), scheduler=scheduler)
    np.testing.assert_array_equal(stores.pixels(location, "mask"), stores.pixels(tiny_store, "mask"))


@pytest.mark.parametrize("damage", [halve, stores.flip])
def test_labels_of_damaged_crops_are_refused_and_the_store_stays_as_it_was(
    tiny, tiny_store, tmp_path, scheduler, damage
):
    location = stores.copy(tiny_store, tmp_path / "a.zarr")
    damage(stores.shard(location, "image", 1))
    before = stores.times(location)
    with pytest.raises(DamageError, match=r"the first holds rows 16 to 31; nothing was changed"):
        relabel(location, ["ssim"], tiny.root, scheduler=scheduler)
    assert stores.times(location) == before
    assert store.attributes_of(store.open_group(location))["complete"]
