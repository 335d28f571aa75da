"""Labels over rows: which kinds cannot be, and from how few pixels on a face counts as real."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from pipeline.config import Cropping, Labelling
from pipeline.labels import LABELS
from pipeline.stages.labelling import LabelTask, label_rows, rows_of
from pipeline.store import Names
from pipeline.store.schema import NO_PAIR

FACE = np.ascontiguousarray(data.astronaut()[20:148, 160:288])
NAMES = Names(("real", "Alpha"), ("raw", "c23"))


def columns(**changes):
    """Return a real and a fake, each in two compressions; the fake has a mask."""
    base = {
        "method": np.array([0, 0, 1, 1], np.uint8),
        "compression": np.array([0, 1, 0, 1], np.uint8),
        "video": np.arange(4, dtype=np.int32),
        "face": np.zeros(4, np.int64),
        "real": np.array([0, 1, 0, 1]),
        "frame": np.full(4, 7, np.int32),
        "box": np.zeros((4, 4), np.float32),
        "landmarks": np.full((4, 68, 2), np.nan, np.float32),
        "video_id": np.array(["a", "a", "a_b", "a_b"], dtype=object),
        "video_path": np.array([f"{n}.mp4" for n in range(4)], dtype=object),
        "video_mask": np.array(["", "", "m.mp4", "m.mp4"], dtype=object),
        "video_width": np.full(4, 64, np.int32),
        "video_height": np.full(4, 48, np.int32),
    }
    return base | changes


def test_labels_come_from_the_least_compressed_pair_at_its_level():
    rows = rows_of(columns(), NAMES)
    assert rows.fake.tolist()[2:] == [2, 2]
    assert rows.pair.tolist()[2:] == [0, 0]
    assert rows.own_level == ("raw", "c23", "raw", "c23")
    assert rows.pair_level[2:] == ("raw", "raw")
    assert rows.mask == ("", "", "m.mp4", "m.mp4")
    assert rows.take(2, 3).fake.tolist() == [2]
    assert rows.take(2, 3).own_level == ("raw",)


def test_where_the_least_compressed_has_no_pair_the_next_serves():
    rows = rows_of(columns(real=np.array([0, 1, NO_PAIR, 1])), NAMES)
    assert rows.fake.tolist()[2:] == [3, 3]
    assert rows.pair.tolist()[2:] == [1, 1]
    assert rows.pair_level[2:] == ("c23", "c23")


def test_without_any_pair_there_is_none():
    rows = rows_of(columns(real=np.array([0, 1, NO_PAIR, NO_PAIR])), NAMES)
    assert rows.pair.tolist()[2:] == [NO_PAIR, NO_PAIR]


def label_of(pixels, minimum=8):
    """Return the SSIM label of a face in which so many pixels are noticed."""
    settings = Labelling(ssim_minimum=minimum, ssim_close=1, ssim_hole=0)
    rng = np.random.default_rng(0)
    for _ in range(4000):
        fake = FACE.copy()
        y, x = rng.integers(8, 120, 2)
        fake[y, x] = np.clip(fake[y, x].astype(int) + rng.integers(1, 60), 0, 255)
        noticed = LABELS["ssim"].compute(fake, FACE, Labelling(ssim_minimum=0, ssim_close=1, ssim_hole=0), "raw")
        if noticed.sum() == pixels:
            return noticed, LABELS["ssim"].compute(fake, FACE, settings, "raw")
    return pytest.fail(f"no change was noticed in {pixels} pixels")


@pytest.mark.parametrize(("pixels", "stays"), [(1, False), (7, False), (8, True), (9, True)])
def test_fewer_than_eight_pixels_are_none(pixels, stays):
    noticed, label = label_of(pixels)
    np.testing.assert_array_equal(label, noticed if stays else np.zeros_like(noticed))


def test_the_number_is_a_setting():
    assert label_of(8, minimum=9)[1].sum() == 0
    assert label_of(7, minimum=7)[1].sum() == 7
    assert LABELS["ssim"].parameters(Labelling(ssim_minimum=9))["real_below"] == 9


@pytest.mark.parametrize(("name", "white"), [("m.png", 1), ("m.png", 255)])
def test_a_mask_of_zeros_and_ones_is_one_of_black_and_white(tmp_path, name, white):
    mask = np.zeros((48, 64), np.uint8)
    mask[10:30, 20:40] = white
    Image.fromarray(mask).save(tmp_path / name)
    changes = {"box": np.tile(np.array([0, 0, 48, 48], np.float32), (4, 1)), "frame": np.zeros(4, np.int32)}
    rows = rows_of(columns(video_mask=np.array(["", "", name, ""], dtype=object), **changes), NAMES)
    task = LabelTask(("mask",), (2, 3), rows.take(2, 3), Labelling(), Cropping(size=48), tmp_path)
    (label,) = label_rows(None, task)["mask"]
    np.testing.assert_array_equal(label, mask[:, :48] > 0)
