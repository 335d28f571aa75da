"""Tests of frame numbers in the names of a folder's images."""

import numpy as np
import pytest

from pipeline.errors import DecodeError
from pipeline.video import stills
from pipeline.video.numbering import Numbering, beside, numbering, numbers


def folder(tmp_path, names):
    tmp_path.mkdir(exist_ok=True)
    for name in names:
        (tmp_path / name).touch()
    return tmp_path


def named(*found, first=0):
    return Numbering(np.array(found), True, first)


def video(count):
    return Numbering(np.arange(count), False)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["000.png", "001.png", "003.png"], [0, 1, 3]),
        (["12_7_frame2.jpg", "12_7_frame10.jpg"], [2, 10]),
        (["id3_0001.png"], [1]),
        (["001", "002"], [1, 2]),
        (["5_0.png", "5_1.png", "6_0.png"], None),
        (["a.png", "b.png"], None),
        (["a2.png", "b1.png"], None),
        ([f"{2**31}.png", f"{2**31 + 1}.png"], None),
    ],
)
def test_the_number_is_the_one_that_tells_the_names_apart(names, wanted):
    found = numbers(names)
    assert (found is None) == (wanted is None)
    assert wanted is None or found.tolist() == wanted


def test_numbers_stand_in_the_order_in_which_images_are_read(tmp_path):
    place = folder(tmp_path, ["10.png", "9.png", "2.png"])
    assert numbering(place, 3).numbers.tolist() == [2, 9, 10]
    assert [int(file.stem) for file in stills.members(place)] == [2, 9, 10]


@pytest.mark.parametrize(
    ("names", "indexes"),
    [
        (["005.png", "006.png"], [0, 1]),  # no gap: from its first image
        (["001.png", "003.png"], [0, 2]),  # counted from 1
        (["000.png", "003.png"], [0, 3]),
        (["004.png", "007.png"], [4, 7]),
        (["a.png", "b.png"], [0, 1]),
    ],
)
def test_a_folder_by_itself(tmp_path, names, indexes):
    found = numbering(folder(tmp_path, names), len(names))
    assert found.indexes.tolist() == indexes
    assert found.end == indexes[-1] + 1


@pytest.mark.parametrize(
    ("own", "reference", "indexes"),
    [
        (named(1, 2, 3), named(0, 1, 2, 3), [1, 2, 3]),  # frame 0 dropped
        (named(0, 1, 3), named(0, 1, 2, 3), [0, 1, 3]),
        (named(2, 3), named(1, 2, 3, first=1), [1, 2]),
        (named(1, 2, 3), named(0, 1, 2), [0, 1, 2]),  # counted from 1, nothing dropped
        (named(0, 2), video(3), [0, 2]),
        (named(1, 3), video(3), [0, 2]),  # the last number is the number of frames
        (named(1, 3), video(4), [1, 3]),
        (named(7, 8, 9), video(3), [0, 1, 2]),
        (named(1, 2), video(9), [0, 1]),
        (video(3), named(1, 2, 3, first=1), [0, 1, 2]),
        (video(4), named(0, 3), [0, 1, 2, 3]),
        (video(10), named(5, 6, 7, 8, 9, first=5), [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4]),
        (video(3), video(5), [0, 1, 2]),
    ],
)
def test_equal_indexes_are_the_same_frame(own, reference, indexes):
    assert beside(own, reference, "x").indexes.tolist() == indexes


def test_a_folder_whose_first_frame_cannot_be_told_is_refused():
    with pytest.raises(DecodeError, match="2 to 5 with gaps, the video beside it has 30 frames"):
        beside(named(2, 5), video(30), "fake/7")


def test_places_are_where_the_images_are_read():
    assert named(3, 4, 6, first=3).places([0, 1, 2, 3, 9]) == {0: 0, 1: 1, 3: 2}
