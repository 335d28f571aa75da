"""Lists of bad faces: read, written, and applied to a store's rows."""

import numpy as np
import pytest
import tinystore

from pipeline import exclusions, store
from pipeline.errors import ConfigError, WriteError
from pipeline.exclusions import Exclusion


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    location = tinystore.make_store(tmp_path_factory.mktemp("x") / "tiny.zarr", size=32, blends=False)
    return store.read_columns(store.open_group(location))


def rows(columns, path, frame):
    video = columns["video_path"].tolist().index(path)
    return np.flatnonzero((columns["video"] == video) & (columns["frame"] == frame)).tolist()


def described(columns, gone):
    """Return path and frame of the rows that go."""
    return sorted((columns["video_path"][columns["video"][row]], int(columns["frame"][row])) for row in gone)


def test_what_is_written_is_read(tmp_path):
    lines = (
        Exclusion("a, b.mp4", 3, (1.0, 2.5, 30.0, 40.25), "tiny", 'two "faces"', {"row": "7", "method": "Swap"}),
        Exclusion("c.mp4", 0, about={"row": "", "method": ""}),
        Exclusion("d.mp4", note="blurred\u00e9", about={"row": "", "method": ""}),
    )
    exclusions.write(tmp_path / "new" / "bad.csv", lines)
    assert exclusions.read(tmp_path / "new" / "bad.csv") == lines


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,frame\na,1\n", "no column video"),
        ("video,frame\na,1\nb,first\n", "line 3"),
        ("video,frame\n,1\n", "video is empty"),
        ("video,frame,left,top,right,bottom\na,1,2,3,4,\n", "line 2"),
        ("video,left,top,right,bottom\na,1,2,3,4\n", "a box without a frame"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_by_its_line(tmp_path, text, words):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(ConfigError, match=words):
        exclusions.read(tmp_path / "bad.csv")


def test_a_list_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.csv cannot be read"):
        exclusions.read(tmp_path / "none.csv")
    (tmp_path / "file").touch()
    with pytest.raises(WriteError):
        exclusions.write(tmp_path / "file" / "bad.csv", [])


def test_a_fake_goes_in_every_compression_and_alone(columns):
    gone = np.flatnonzero(exclusions.without(columns, "tiny", [Exclusion("Swap/c40/test0.mp4", 1)]))
    assert described(columns, gone) == [("Swap/c23/test0.mp4", 1), ("Swap/c40/test0.mp4", 1)]


def test_a_real_takes_its_fakes_with_it(columns):
    gone = np.flatnonzero(exclusions.without(columns, "tiny", [Exclusion("real/c23/val1.mp4", 2)]))
    wanted = [(f"{method}/{level}/val1.mp4", 2) for method in ("real", "Swap", "Patch") for level in ("c23", "c40")]
    assert described(columns, gone) == sorted(wanted)


def test_a_whole_file_goes_alone_a_real_one_with_the_fakes_of_its_compression(columns):
    gone = np.flatnonzero(exclusions.without(columns, "tiny", [Exclusion("Patch/c40/test1.mp4")]))
    assert {path for path, _ in described(columns, gone)} == {"Patch/c40/test1.mp4"}
    gone = np.flatnonzero(exclusions.without(columns, "tiny", [Exclusion("real/c40/test1.mp4")]))
    assert {path for path, _ in described(columns, gone)} == {f"{m}/c40/test1.mp4" for m in ("real", "Swap", "Patch")}
    assert len(gone) == 9


def test_another_box_dataset_or_frame_is_another_face(columns):
    path = "real/c23/test0.mp4"
    (row,) = rows(columns, path, 1)
    box = tuple(map(float, columns["box"][row]))
    near, far = tuple(edge + 3 for edge in box), tuple(edge + 12 for edge in box)
    assert exclusions.rows_of(columns, "tiny", [Exclusion("x", 1), Exclusion(path, 1, near)]) == {row: 1}
    for line in (Exclusion(path, 1, far), Exclusion(path, 9), Exclusion(path, 1, box, dataset="other")):
        assert not exclusions.without(columns, "tiny", [line]).any()
    assert exclusions.without(columns, "tiny", [Exclusion(path, 1, dataset="tiny")]).sum() == 6
