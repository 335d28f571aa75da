"""The promises about rows: kept by a real store, and every breach told."""

import numpy as np
import pytest
import stores

from pipeline import store
from pipeline.inspect.invariants import check
from pipeline.store import stored_recipe


@pytest.fixture(scope="module")
def opened(tiny_store):
    return store.open_group(str(tiny_store))


@pytest.fixture
def columns(tiny_store):
    return {group: stores.columns(tiny_store, group) for group in ("", "blend", "rejected")}


def first(rows, **values):
    """Return the first row whose columns have these values."""
    return int(np.flatnonzero(np.all([rows[name] == value for name, value in values.items()], axis=0))[0])


def test_a_real_store_keeps_every_promise(opened, columns):
    assert check(opened, columns, stored_recipe(opened)) == []


def test_a_fake_shows_its_reals_frame_and_box_in_its_own_compression(columns, tiny_store):
    rows = columns[""]
    real, fake = rows["real"], rows["method"] != 0
    np.testing.assert_array_equal(real[~fake], np.flatnonzero(~fake))
    for name in ("frame", "face", "compression", "split"):
        np.testing.assert_array_equal(rows[name], rows[name][real])
    np.testing.assert_array_equal(rows["box"], rows["box"][real])  # all videos of the sample have one size
    assert (rows["method"][real] == 0).all()
    ids, targets = rows["video_id"][rows["video"]], rows["video_target"][rows["video"]]
    np.testing.assert_array_equal(targets, ids[real])
    assert (rows["alignment"][fake] > 0.8).all()
    assert (rows["alignment"][~fake] == 1).all()


def test_a_fakes_frames_are_a_subset_of_its_reals_whatever_the_counts(columns):
    rows = columns[""]
    for video in np.unique(rows["video"]):
        mine = rows["frame"][rows["video"] == video]
        theirs = rows["frame"][rows["video"] == rows["video"][rows["real"][rows["video"] == video]][0]]
        assert set(mine) <= set(theirs)
        train, fake = (rows[name][rows["video"] == video][0] for name in ("split", "method"))
        assert len(theirs) == (4 if train == 0 else 3)
        assert len(mine) == (3 if fake else len(theirs))


def test_compressions_of_a_face_share_frame_box_and_score(columns):
    rows = columns[""]
    ids = rows["video_id"][rows["video"]].astype(str)
    groups: dict[tuple[str, int, int], list[int]] = {}
    for row, key in enumerate(zip(ids, rows["face"].tolist(), rows["method"].tolist(), strict=True)):
        groups.setdefault(key, []).append(row)
    for twins in groups.values():
        assert sorted(rows["compression"][twins].tolist()) == [0, 1, 2]
        for name in ("frame", "score", "split"):
            assert len(set(rows[name][twins].tolist())) == 1
        assert len(np.unique(rows["box"][twins], axis=0)) == 1


def test_boxes_are_squares_inside_their_frame(columns):
    rows = columns[""]
    left, top, right, bottom = rows["box"].T
    np.testing.assert_allclose(right - left, bottom - top, atol=1e-3)
    assert (np.minimum(left, top) >= 0).all()
    assert (right <= rows["video_width"][rows["video"]]).all()
    assert (bottom <= rows["video_height"][rows["video"]]).all()


def test_rows_of_a_video_are_one_range_in_the_order_of_the_contract(columns):
    rows = columns[""]
    target = rows["video_target"][rows["video"]].astype(str)
    keys = [rows[name].tolist() for name in ("split", "method", "compression", "video", "frame")]
    keys.insert(1, target.tolist())
    told = list(zip(*keys, strict=True))
    assert told == sorted(told)
    assert np.count_nonzero(np.diff(rows["video"])) == len(np.unique(rows["video"])) - 1


def test_splits_are_those_of_the_lists_and_nobody_is_on_two_sides(columns):
    rows = columns[""]
    sides = {
        split: set(rows["video_identity"][rows["video"]][rows["split"] == split]) for split in np.unique(rows["split"])
    }
    assert sides == {0: {"000", "001"}, 2: {"002", "003"}}
    blends = columns["blend"]
    np.testing.assert_array_equal(rows["split"][blends["inside"]], blends["split"])
    np.testing.assert_array_equal(rows["split"][blends["outside"]], blends["split"])


def test_labels_of_twins_are_shared_and_reals_are_untouched(columns, tiny_store):
    rows = columns[""]
    real = rows["method"] == 0
    ids = rows["video_id"][rows["video"]].astype(str)
    for kind in ("ssim", "hull", "boundary", "mask"):
        pixels = stores.pixels(tiny_store, kind)
        assert not pixels[real].any()
        if kind != "mask":
            for row in np.flatnonzero(~real & (rows["compression"] > 0)):
                twin = (ids == ids[row]) & (rows["face"] == rows["face"][row]) & (rows["method"] == rows["method"][row])
                (least,) = np.flatnonzero(twin & (rows["compression"] == 0))
                np.testing.assert_array_equal(pixels[row], pixels[least])
    noise = stores.pixels(tiny_store, "noise")
    assert noise[real].any(axis=(1, 2)).all(), "every picture has a residual"


BREACHES = [
    ("", "frame", lambda v, at: v.__setitem__(at, v[at] + 1), "frame: differs between a row and its real"),
    ("", "frame", lambda v, at: v.__setitem__(at, 99), "frame: outside its video"),
    ("", "face", lambda v, at: v.__setitem__(at, v[at] + 1), "face: differs between a row and its real"),
    ("", "compression", lambda v, at: v.__setitem__(at, 9), "compression: a number that flag_meanings"),
    ("", "method", lambda v, at: v.__setitem__(at, 9), "method: a number that flag_meanings"),
    ("", "real", lambda v, at: v.__setitem__(at, -1), "real: a fake with a known real has no pair"),
    ("", "real", lambda v, at: v.__setitem__(at, at), "real: the paired row is not real"),
    ("", "real", lambda v, at: v.__setitem__(at, 10**6), "real: numbers outside -1 to 185"),
    ("", "real", lambda v, at: v.__setitem__(0, 1), "real: a real row does not point at itself"),
    ("", "box", lambda v, at: v.__setitem__(at, v[at] + 1), "box: a fake's is not its real's"),
    ("", "box", lambda v, at: v.__setitem__(0, np.nan), "box: empty or not finite"),
    ("", "score", lambda v, at: v.__setitem__(at, 0.1), "score: differs between compressions"),
    ("", "label", lambda v, at: v.__setitem__(0, 1), "label: a real is labelled fake"),
    ("", "label", lambda v, at: v.__setitem__(at, 0), "ssim: a fake that is labelled real has manipulated pixels"),
    ("", "label", lambda v, at: v.__setitem__(at, 254), "label: neither 0 nor 1"),
    ("", "alignment", lambda v, at: v.__setitem__(at, 1.5), "alignment: outside"),
    ("", "alignment", lambda v, at: v.__setitem__(at, np.nan), "alignment: missing for a pair"),
    ("", "video", lambda v, at: v.__setitem__(at, 10**4), "video: numbers outside 0 to 59"),
    (
        "",
        "video_target",
        lambda v, at: v.__setitem__(slice(None), "x"),
        "real: not of the video the fake was made from",
    ),
    ("blend", "inside", lambda v, at: v.__setitem__(0, -5), "blend/inside: numbers outside"),
    ("blend", "split", lambda v, at: v.__setitem__(0, 2), "blend"),
    ("blend", "label", lambda v, at: v.__setitem__(0, 0), "blend/label: not 1"),
    ("rejected", "reason", lambda v, at: None, "counts"),
]


@pytest.mark.parametrize(("group", "name", "change", "text"), BREACHES, ids=[f"{b[1]}-{b[3][:28]}" for b in BREACHES])
def test_a_breach_is_told(opened, columns, group, name, change, text):
    at = first(columns[""], method=1, compression=0)
    values = columns[group][name]
    if group == "rejected":
        columns[group] = {
            key: np.array([0 if key in ("rows", "frame") else ""], dtype=object) for key in columns[group]
        }
        columns[group]["rows"] = np.array([3])
    else:
        change(values, at)
    found = check(opened, columns, stored_recipe(opened))
    assert any(text in finding for finding in found), found


def test_rows_in_another_order_are_told(opened, columns):
    rows = columns[""]
    rows["frame"][:4] = rows["frame"][:4][::-1]
    assert any("not in the order" in finding for finding in check(opened, columns, stored_recipe(opened)))


def test_columns_of_another_length_are_told(opened, columns):
    columns[""]["score"] = columns[""]["score"][:-1]
    assert check(opened, columns, stored_recipe(opened)) == ["score: 185 entries beside 186 of frame"]
