"""Videos that lie on their side or upside down without saying so: rows and labels are those of upright ones."""

import csv

import numpy as np
import pytest
import stores

from pipeline.config import overlay
from pipeline.faces.turn import turned
from pipeline.inspect.verify import verify
from pipeline.manifest import load_manifest, scan
from pipeline.stages.run import Job, run
from pipeline.video import frames
from pipeline.video.encode import write_video

KINDS = ("ssim", "mask", "hull")


@pytest.fixture(scope="module")
def store_of(tiny, tmp_path_factory, scheduler):
    def make(degrees):
        root = tmp_path_factory.mktemp(f"turned{degrees}")
        made = tiny.root / "manipulated_sequences/Warp"
        files = {
            "real": tiny.root / "original_sequences/youtube/raw/videos/000.mp4",
            "fake": made / "raw/videos/000_001.mp4",
            "mask": made / "masks/videos/000_001.mp4",
        }
        for role, path in files.items():
            film = [frame for _, frame in frames.read(path, range(frames.probe(path).frames))]
            write_video(root / f"{role}.mp4", [turned(frame, degrees) for frame in film], fps=25, crf=0)
        with (root / "pairs.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([["real", "fake", "mask"], ["real.mp4", "fake.mp4", "mask.mp4"]])
        recipe = overlay(tiny.recipe, {"labelling": {"kinds": KINDS}, "blending": {"kinds": []}}, "test")
        run(Job(scan(load_manifest("pairs"), root / "pairs.csv"), recipe, str(root / "a.zarr")), scheduler=scheduler)
        return root / "a.zarr"

    return make


@pytest.fixture(scope="module")
def upright(store_of):
    return store_of(0)


def test_an_upright_video_is_not_turned(upright):
    assert stores.columns(upright)["video_turn"].tolist() == [0, 0]


@pytest.mark.parametrize("lies", [90, 180, 270])
def test_a_turned_video_has_the_labels_of_the_upright_one(store_of, upright, scheduler, lies):
    location = store_of(lies)
    rows, expected = stores.columns(location), stores.columns(upright)
    assert rows["video_turn"].tolist() == [360 - lies] * 2
    np.testing.assert_array_equal(rows["frame"], expected["frame"])
    np.testing.assert_allclose(rows["box"], expected["box"], atol=3)
    np.testing.assert_array_equal(rows["video_width"], expected["video_width"])
    for kind in KINDS:
        one, other = stores.pixels(location, kind) == 1, stores.pixels(upright, kind) == 1
        assert (one & other).sum() / (one | other).sum() > 0.9, kind
    assert len(stores.columns(location, "rejected")["reason"]) == 0
    assert verify(str(location), scheduler=scheduler) == []
