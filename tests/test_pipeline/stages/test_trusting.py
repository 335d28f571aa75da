"""Trust columns of whole stores: true pairs, a fake that was encoded again, a mask of another person's clip."""

import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest
import stores

from pipeline import store
from pipeline.config import Blending, overlay
from pipeline.inspect import info, trust
from pipeline.inspect.repair import repair
from pipeline.inspect.verify import verify
from pipeline.manifest import load_manifest, scan
from pipeline.stages.renewal import relabel
from pipeline.stages.run import Job, run
from pipeline.video import frames
from pipeline.video.encode import write_video


def film(path):
    return [frame for _, frame in frames.read(path, range(frames.probe(path).frames))]


@pytest.fixture(scope="module")
def mixed(tiny, tmp_path_factory, scheduler):
    """Return a store of a true pair, of the same fake encoded at CRF 40, and of it with another clip's mask."""
    root = tmp_path_factory.mktemp("mixed")
    methods = tiny.root / "manipulated_sequences"
    real = tiny.root / "original_sequences/youtube/raw/videos/000.mp4"
    fake = methods / "Warp/raw/videos/000_001.mp4"
    mask, other = methods / "Warp/masks/videos/000_001.mp4", methods / "Patch/raw/videos/000_001.mp4"
    write_video(root / "again.mp4", film(fake), fps=25, crf=40)
    corner = [np.pad(np.full((40, 40, 3), 255, np.uint8), ((0, f.shape[0] - 40), (0, f.shape[1] - 40), (0, 0)))
              for f in film(fake)]  # fmt: skip
    write_video(root / "corner.mp4", corner, fps=25, crf=0)
    rows = [
        {"real": real, "fake": fake, "mask": mask, "method": "true"},
        {"real": real, "fake": root / "again.mp4", "mask": mask, "method": "again"},
        {"real": real, "fake": other, "mask": root / "corner.mp4", "method": "apart"},
    ]
    with (root / "pairs.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["real", "fake", "mask", "method"])
        writer.writeheader()
        writer.writerows(rows)
    recipe = overlay(tiny.recipe, {"labelling": {"kinds": ["ssim", "mask", "hull", "boundary"]}}, "test")
    recipe = dataclasses.replace(recipe, blending=Blending(kinds=()))
    run(Job(scan(load_manifest("pairs"), root / "pairs.csv"), recipe, str(root / "a.zarr")), scheduler=scheduler)
    return root / "a.zarr"


def of_method(location, name):
    """Return the rows of one method."""
    group = store.open_group(str(location))
    return np.flatnonzero(stores.columns(location)["method"] == store.stored_names(group).method.index(name))


def test_true_pairs_mark_little_of_the_surroundings(tiny_store):
    rows = stores.columns(tiny_store)
    paired = (rows["method"] != 0) & (rows["real"] >= 0)
    assert rows["background"][paired].max() < 0.2
    assert (rows["background"][rows["method"] == 0] == 0).all()
    assert not rows["withheld"].any()
    assert np.nanmedian(rows["agreement_ssim"]) > 0.8
    assert np.isnan(rows["agreement_ssim"][rows["method"] == 0]).all()


def test_labels_that_would_mark_the_surroundings_are_withheld(mixed, scheduler):
    columns, again, true = stores.columns(mixed), of_method(mixed, "again"), of_method(mixed, "true")
    assert (columns["background"][again] > 0.5).all()
    assert (columns["withheld"][again] == 3).all()
    for kind in ("ssim", "hull", "boundary"):
        assert (stores.pixels(mixed, kind)[again] == 255).all()
        assert (stores.pixels(mixed, kind)[true] != 255).all()
    assert (stores.pixels(mixed, "mask")[again] != 255).all()
    assert (columns["label"][again] == 1).all(), "the face is still a fake"
    assert np.isnan(columns["agreement_ssim"][again]).all()
    assert verify(str(mixed), scheduler=scheduler) == []


def test_what_is_doubtful_is_told(mixed, prep):
    about = info.summary(str(mixed))
    assert about.trust["withheld_ssim"] == about.trust["withheld_hull"] == about.counts["withheld"]["ssim"] == 3
    assert "withheld, since they would mark the surroundings: ssim 3 rows, hull 3 rows" in info.screen(about)
    assert "masks that do not show what changed: of 1 files" in info.screen(about)
    told = trust.remarks(str(mixed))
    assert sum("again.mp4: no ssim label" in text for text in told) == 1
    assert sum("its mask" in text and "corner.mp4 does not show what changed" in text for text in told) == 1
    assert not [text for text in told if "Warp" in text.split(":")[0]]
    said = prep("verify", "--store", mixed, "--json", "--workers", 1)
    assert (said.status, json.loads(said.out)["remarks"]) == (0, told)


def test_the_limit_is_a_setting(mixed, tmp_path, scheduler, tiny):
    location = stores.copy(mixed, tmp_path / "b.zarr")
    recipe = overlay(tiny.recipe, {"labelling": {"ssim_background": 1.0}}, "test")
    before = stores.columns(location)["background"]
    relabel(location, ["ssim"], tmp_path, recipe=recipe, scheduler=scheduler)
    again, columns = of_method(location, "again"), stores.columns(location)
    assert (stores.pixels(location, "ssim")[again] != 255).all()
    assert (columns["withheld"][again] == 2).all()
    np.testing.assert_array_equal(columns["background"], before)
    marked = [text for text in trust.remarks(location) if "the ssim label marks" in text]
    assert len(marked) == 1
    assert "again.mp4" in marked[0]


def test_damaged_columns_are_measured_again(mixed, tmp_path, scheduler):
    location = stores.copy(mixed, tmp_path / "b.zarr")
    for name in ("background", "withheld"):
        stores.shard(location, name, 0).write_bytes(b"")
    assert verify(location, scheduler=scheduler)
    done = repair(location, None, scheduler=scheduler)
    assert done.left == []
    stores.assert_same(mixed, location)


def test_a_store_made_before_there_were_such_columns_is_sound_and_gets_them(mixed, tmp_path, scheduler):
    location = stores.copy(mixed, tmp_path / "b.zarr")
    for name in ("background", "withheld", "agreement_ssim", "agreement_hull", "video_mask_first"):
        shutil.rmtree(tmp_path / "b.zarr" / name)
    assert trust.remarks(location) == []
    assert "surroundings" not in info.screen(info.summary(location))
    relabel(location, ["ssim"], tmp_path, scheduler=scheduler)
    np.testing.assert_array_equal(stores.columns(location)["background"], stores.columns(mixed)["background"])


def test_thresholds_are_measured_where_the_recipe_says_so(mixed, tmp_path, scheduler, tiny):
    location = stores.copy(mixed, tmp_path / "b.zarr")
    recipe = overlay(tiny.recipe, {"labelling": {"threshold": "measured"}}, "test")
    relabel(location, ["ssim"], tmp_path, recipe=recipe, scheduler=scheduler)
    columns, again = stores.columns(location), of_method(location, "again")
    by_method = {name: columns["video_threshold"][columns["video"][of_method(location, name)[0]]]
                 for name in ("real", "true", "again")}  # fmt: skip
    assert np.isnan(by_method["real"])
    assert by_method["true"] < 30 < by_method["again"]
    assert (stores.pixels(location, "ssim")[again] != 255).all(), "no longer withheld"
    assert (columns["background"][again] < 0.25).all()
    assert "ssim thresholds measured: " in info.screen(info.summary(location))
    assert verify(location, scheduler=scheduler) == []
    damaged = stores.copy(location, tmp_path / "c.zarr")
    for name in ("video_threshold", "ssim"):
        stores.shard(damaged, name, 0).write_bytes(b"")
    assert repair(damaged, None, scheduler=scheduler).left == []
    stores.assert_same(location, damaged)
    relabel(location, ["ssim"], tmp_path, recipe=tiny.recipe, scheduler=scheduler)
    stores.assert_same(location, mixed)
