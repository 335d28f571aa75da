"""Real forgeries through the whole pipeline, listed in a CSV file; skipped where the data are not there."""

import csv
import dataclasses

import cv2
import numpy as np
import pytest
import stores
from places import REAL_DATA, needs_real_data

from pipeline.config import Blending, Cropping, Labelling, load_recipe
from pipeline.inspect.verify import verify
from pipeline.manifest import load_manifest, scan
from pipeline.stages.run import Job, run

PAIRS = REAL_DATA / "pairs"
pytestmark = needs_real_data


def processed(folder, rows, location, scheduler, **changes):
    file = folder / "pairs.csv"
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["real", "fake", "mask", "method", "split"])
        writer.writeheader()
        writer.writerows(rows)
    manifest = load_manifest("pairs")
    recipe = dataclasses.replace(load_recipe("default", manifest["sampling"]), **changes)
    run(Job(scan(manifest, file), recipe, str(location)), scheduler=scheduler)
    return stores.columns(location)


@pytest.mark.slow
def test_ghost_is_in_the_store_whole_and_aligned(tmp_path, scheduler):
    names = ("elon", "khabenskii", "mark")
    pairs = [
        {"real": PAIRS / "ghost/orig.mp4", "fake": PAIRS / f"ghost/{n}.mp4", "method": n, "split": "train"}
        for n in names
    ]
    location = tmp_path / "ghost.zarr"
    labelling, blending = Labelling(kinds=("ssim", "hull")), Blending(kinds=())
    rows = processed(tmp_path, pairs, location, scheduler, labelling=labelling, blending=blending)
    assert np.bincount(rows["method"]).tolist() == [66] * 4
    for method in range(4):
        assert rows["frame"][rows["method"] == method].tolist() == list(range(66))
    fake = rows["method"] > 0
    np.testing.assert_array_equal(rows["box"], rows["box"][rows["real"]])
    assert (rows["alignment"][fake] > 0.9).all()
    label = stores.pixels(location, "ssim")[fake] == 1
    central = np.zeros(label.shape[1:], bool)
    central[64:192, 64:192] = True
    assert label[:, central].mean() >= 1.5 * label[:, ~central].mean()
    assert verify(str(location), scheduler=scheduler) == []


def test_official_frames_agree_with_their_official_masks(tmp_path, scheduler):
    folder = PAIRS / "ffpp_readme"
    about = {"deepfakes": "original", "neuraltextures": "original", "deepfakedetection": "original_actors"}
    pairs = [
        {"real": folder / f"ex_{real}.png", "fake": folder / f"ex_{fake}.png", "mask": folder / f"ex_{fake}_mask.png",
         "method": fake, "split": "train"}
        for fake, real in about.items()
    ]  # fmt: skip
    location = tmp_path / "stills.zarr"
    rows = processed(tmp_path, pairs, location, scheduler, cropping=Cropping(size=256), blending=Blending(kinds=()))
    fakes = np.flatnonzero(rows["method"] > 0)
    assert len(fakes) == 3
    assert len(rows["method"]) == 5
    assert not (stores.pixels(location, "mask") == 255).any()
    ssim, mask = (stores.pixels(location, kind) for kind in ("ssim", "mask"))
    (deepfake,) = [row for row in fakes if rows["video_path"][rows["video"][row]].endswith("ex_deepfakes.png")]
    official = cv2.dilate(mask[deepfake], np.ones((7, 7), np.uint8))
    assert ssim[deepfake].sum() > 1000
    assert official[ssim[deepfake] == 1].mean() >= 0.9
    assert verify(str(location), scheduler=scheduler) == []
