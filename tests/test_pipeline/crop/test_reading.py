"""Reading the frames of a group: what is not given has its reason."""

import numpy as np
import pytest
from PIL import Image

from pipeline.config import Recipe
from pipeline.crop.reading import Context, Reader
from pipeline.crop.staging import Source
from pipeline.errors import SourceError
from pipeline.manifest import Video


def reader(root, *sizes):
    """Return a reader of three frames of a folder of stills, so large each."""
    (root / "a").mkdir()
    for number, (width, height) in enumerate(sizes):
        Image.fromarray(np.full((height, width, 3), number, np.uint8)).save(root / "a" / f"{number:03d}.png")
    video = Video("a", "a", "real", "raw", "train", "a", "a")
    return Reader(Context(root, Recipe()), Source(video, len(sizes), *sizes[0], ""), range(3))


def test_frames_of_one_size_are_given(tmp_path):
    frames = reader(tmp_path, (40, 30), (40, 30), (40, 30))
    assert [(frame, int(picture[0, 0, 0])) for frame, picture in frames] == [(0, 0), (1, 1), (2, 2)]


def test_a_frame_of_another_size_ends_them_and_the_reason_names_it(tmp_path):
    frames = reader(tmp_path, (40, 30), (40, 30), (30, 40))
    assert [frame for frame, _ in frames] == [0, 1]
    assert frames.got == {0, 1}
    assert frames.reason.startswith("frame 2 is of 30x40 pixels, the first one of 40x30: a folder has one size")


def test_frames_that_do_not_exist_have_their_reason(tmp_path):
    frames = reader(tmp_path, (40, 30), (40, 30))
    assert [frame for frame, _ in frames] == [0, 1]
    assert frames.reason == "the video has only 2 frames"


def test_a_file_that_is_away_is_no_reject_but_stops_the_run(tmp_path):
    frames = reader(tmp_path, (40, 30), (40, 30), (40, 30))
    (tmp_path / "a").rename(tmp_path / "b")
    with pytest.raises(SourceError, match=r"a was there when the run began and cannot be reached now"):
        list(frames)


def test_a_link_that_leads_nowhere_is_a_reject(tmp_path):
    frames = reader(tmp_path, (40, 30), (40, 30), (40, 30))
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "a").symlink_to(tmp_path / "none")
    assert list(frames) == []
    assert "does not exist" in frames.reason or "no video" in frames.reason
