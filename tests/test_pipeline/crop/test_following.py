"""Fakes that are late, mirrored, cut or barred are followed: their rows are those of a true pair."""

import altered
import numpy as np
import pytest
import stores
from altered import ALTERED, COUNT, SIDE

from pipeline import store
from pipeline.config import Recipe, overlay
from pipeline.inspect.verify import verify
from pipeline.manifest import load_manifest, scan
from pipeline.stages.renewal import relabel
from pipeline.stages.run import Job, run

pytestmark = pytest.mark.slow

EXACT = tuple(name for name in ALTERED if name not in ("barred", "stranger"))
COURSES = {"late": (3, 1, 0), "half": (0, 2, 0), "dropped": (1, 1, 10), "both": (-2, 1, 0)}
MIRROR, WHOLE = (-1, 0, 1, 0, 1, 0), (1, 0, 0, 0, 1, 0)
TRANSFORMS = {
    "mirrored": MIRROR, "both": MIRROR, "turned": (0, 1, 0, -1, 0, 1),
    "cut": (328 / SIDE, 0, 8 / SIDE, 0, 320 / SIDE, 20 / SIDE),
    "barred": (1, 0, 0, 0, SIDE / (SIDE - 72), -36 / (SIDE - 72)),
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Return a folder with a real and its fake, altered in every way, masks along with it."""
    return altered.build(tmp_path_factory.mktemp("altered")).parent


@pytest.fixture(scope="module")
def store_of(root, scheduler):
    def make(registration: str) -> str:
        values = {
            "detection": {"registration": registration},
            "sampling": {"real": {"train": 12}, "fake": {"train": 12}},
            "labelling": {"kinds": ("ssim", "mask")},
            "blending": {"kinds": []},
            "cropping": {"size": 96},
        }
        location = str(root / f"{registration}.zarr")
        job = Job(scan(load_manifest("pairs"), root / "pairs.csv"), overlay(Recipe(), values, "test"), location)
        run(job, scheduler=scheduler)
        return location

    return make


@pytest.fixture(scope="module")
def followed(store_of):
    return store_of("follow")


@pytest.fixture(scope="module")
def rows(followed):
    """Return, by alteration, the rows by their frame."""
    columns = stores.columns(followed)
    names = store.attributes_of(store.array_of(store.open_group(followed), "method"))["flag_meanings"]
    return {
        name: {int(columns["frame"][row]): row for row in np.flatnonzero(columns["method"] == names.index(name))}
        for name in ALTERED
    }


@pytest.fixture(scope="module")
def videos(followed):
    """Return, by alteration, how it was read."""
    columns = stores.columns(followed)
    names = [str(path).removesuffix("_fake.mp4") for path in columns["video_path"]]
    course = np.stack([columns[f"video_{name}"] for name in ("offset", "rate", "since")], axis=1)
    return {name: (tuple(course[at]), columns["video_transform"][at].ravel()) for at, name in enumerate(names)}


def test_how_each_fake_is_read_is_in_the_store(videos):
    for name in ("real.mp4", *ALTERED):
        if name == "stranger":
            continue
        course, transform = videos[name]
        assert course == COURSES.get(name, (0, 1, 0)), name
        if name == "barred":
            np.testing.assert_allclose(transform, TRANSFORMS[name], atol=1e-3)
        else:
            np.testing.assert_allclose(transform, TRANSFORMS.get(name, WHOLE), atol=1e-9, err_msg=name)


def test_rows_of_what_was_moved_whole_are_those_of_a_true_pair(followed, rows):
    pixels, boxes = stores.pixels(followed, "image"), stores.columns(followed)["box"]
    masks, ssim = stores.pixels(followed, "mask"), stores.pixels(followed, "ssim")
    for name in EXACT:
        assert set(rows[name]) <= set(rows["plain"])
        for frame, row in rows[name].items():
            same = rows["plain"][frame]
            np.testing.assert_array_equal(boxes[row], boxes[same], err_msg=name)
            np.testing.assert_array_equal(masks[row], masks[same], err_msg=name)
            # half-size colour is not that of the frame it was made from, where that was moved by odd numbers
            assert np.abs(pixels[row].astype(int) - pixels[same]).mean() < 1, name
            assert _iou(ssim[row], ssim[same]) > 0.98, name


def test_every_frame_that_a_fake_shows_has_its_row(rows):
    plain = set(rows["plain"])
    assert len(plain) == 12
    shown = {"late": range(3, COUNT), "half": range(0, COUNT, 2), "both": range(COUNT - 2)}
    shown["dropped"] = sorted({*range(COUNT)} - {10})
    for name in (*EXACT, "barred"):
        assert set(rows[name]) == plain & set(shown.get(name, range(COUNT))), name


def test_a_picture_that_was_scaled_between_bars_has_labels_as_good(followed, rows):
    masks, ssim = stores.pixels(followed, "mask"), stores.pixels(followed, "ssim")
    truth = {frame: masks[row] for frame, row in rows["plain"].items()}
    for frame, row in rows["barred"].items():
        assert _iou(masks[row], truth[frame]) > 0.95
        assert _iou(ssim[row], truth[frame]) > _iou(ssim[rows["plain"][frame]], truth[frame]) - 0.05


def test_what_was_found_is_told_and_loses_no_rows(followed):
    lost = stores.columns(followed, "rejected")
    told = {str(video): str(reason) for video, frame, reason in _entries(lost) if frame == -1}
    assert told["late_fake.mp4"] == "followed: shows frame i + 3"
    assert told["mirrored_fake.mp4"] == "followed: mirrored"
    assert told["both_fake.mp4"] == "followed: shows frame i - 2; mirrored"
    assert "plain_fake.mp4" not in told
    none = [reason for video, frame, reason in _entries(lost) if video == "half_fake.mp4" and frame > 0]
    assert none
    assert all("none of its frames shows frame" in reason for reason in none)


def test_another_video_is_not_followed(followed, rows):
    assert rows["stranger"] == {}
    lost = stores.columns(followed, "rejected")
    (reason,) = {str(reason) for video, _, reason in _entries(lost) if video == "stranger_fake.mp4"}
    assert reason == "it does not show real frame by frame: its surroundings are those of another video"


def test_the_store_keeps_its_promises_and_masks_are_found_again(followed, root, scheduler):
    assert verify(followed, scheduler=scheduler) == []
    before = store.attributes_of(store.open_group(followed))["digests"]
    relabel(followed, ["mask"], root, scheduler=scheduler)
    assert store.attributes_of(store.open_group(followed))["digests"] == before


def test_by_default_all_of_them_are_refused(store_of, rows):
    location = store_of("refuse")
    columns = stores.columns(location)
    kept = {str(columns["video_path"][number]) for number in np.unique(columns["video"])}
    assert kept == {"real.mp4", "plain_fake.mp4"}
    assert not {"video_offset", "video_rate", "video_since", "video_transform"} & columns.keys()


def _entries(lost):
    return zip(lost["video"], lost["frame"], lost["reason"], strict=True)


def _iou(one, other):
    return ((one == 1) & (other == 1)).sum() / ((one == 1) | (other == 1)).sum()
