"""Tables of pairs as spreadsheets and people write them."""

from pathlib import Path

import pytest

from pipeline.errors import ManifestError
from pipeline.manifest import load_manifest, scan

COLUMNS = ("real", "fake", "method", "name")


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table of one pair, and gives the methods, ids and paths it is read as."""
    (tmp_path / "in").mkdir()
    for name in ("r.mp4", "in/f.mp4"):
        (tmp_path / name).touch()

    def call(*cells: str, separator: str = ",", columns: tuple[str, ...] = COLUMNS, coding: str = "utf-8"):
        lines = [separator.join(line) for line in (columns, cells)]
        (tmp_path / "pairs.csv").write_text("\r\n".join(lines) + "\r\n", encoding=coding)
        found = scan(load_manifest("pairs"), tmp_path / "pairs.csv").videos
        return [(video.method, video.id, video.path) for video in found]

    return call


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig"])
def test_every_separator_with_a_mark_and_without(table, separator, coding):
    cells = ("r.mp4", '"in/f.mp4"', "A", "")
    assert table(*cells, separator=separator, coding=coding) == [("real", "r", "r.mp4"), ("A", "f", "in/f.mp4")]


def test_paths_by_any_way_are_one_file(table, tmp_path):
    expected = [("real", "r", "r.mp4"), ("A", "f", "in/f.mp4")]
    assert table("in/../r.mp4", str(tmp_path / "in" / "f.mp4"), "A", "") == expected
    assert table(f"../{tmp_path.name}/./r.mp4", "in//f.mp4", "A", "") == expected


@pytest.mark.parametrize("name", ["..", "a/b", "../../x", ".", "a\\b", "a\tb"])
def test_names_that_would_lead_out_of_a_folder_are_refused(table, name):
    with pytest.raises(ManifestError, match=r"in/f\.mp4: its method .* cannot be the name of a file"):
        table("r.mp4", "in/f.mp4", f'"{name}"', "")


def test_columns_that_are_there_twice_are_refused(table):
    with pytest.raises(ManifestError, match=r"pairs\.csv has 2 columns real"):
        table("r.mp4", "in/f.mp4", "in/f.mp4", columns=("real", "fake", "Real "))


@pytest.mark.parametrize("path", ["x" * 5000, "a\x00b", "~nobody-of-this-name/a.mp4", str(Path("/") / ("y" * 300))])
def test_paths_that_no_system_has_are_missing_files(table, path):
    with pytest.raises(ManifestError, match=r"there is no such file"):
        table("", path, "A", "")
