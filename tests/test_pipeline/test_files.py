"""Files and folders that are there whole or not at all."""

import json
import os

import pytest

from pipeline.errors import WriteError
from pipeline.files import replacing, write_json


def write(path, text, fail=False):
    with replacing(path) as part:
        part.write_text(text)
        if fail:
            raise LookupError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_moved_to_its_place_and_replaces_what_was_there(tmp_path):
    write(tmp_path / "new" / "a.txt", "first")
    write(tmp_path / "new" / "a.txt", "second")
    assert (tmp_path / "new" / "a.txt").read_text() == "second"
    assert names(tmp_path / "new") == ["a.txt"]


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    write(tmp_path / "a.txt", "first")
    with pytest.raises(LookupError):
        write(tmp_path / "a.txt", "second", fail=True)
    assert (tmp_path / "a.txt").read_text() == "first"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("fail", [False, True])
def test_a_folder_is_moved_whole(tmp_path, fail):
    def make():
        with replacing(tmp_path / "a", tmp_path / "draft") as part:
            (part / "b").mkdir(parents=True)
            (part / "b" / "c").write_text("c")
            if fail:
                raise LookupError

    if fail:
        with pytest.raises(LookupError):
            make()
        assert names(tmp_path) == []
    else:
        make()
        assert names(tmp_path) == ["a"]
        assert (tmp_path / "a" / "b" / "c").read_text() == "c"


def test_of_two_processes_that_make_one_folder_the_first_wins(tmp_path):
    with replacing(tmp_path / "a", tmp_path / "slow") as slow:
        slow.mkdir()
        (slow / "file").write_text("slow")
        with replacing(tmp_path / "a", tmp_path / "fast") as fast:
            fast.mkdir()
            (fast / "file").write_text("fast")
    assert (tmp_path / "a" / "file").read_text() == "fast"
    assert names(tmp_path) == ["a"]


def test_a_file_does_not_take_a_folder_s_place(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="directory"):
        write(tmp_path / "a", "x")
    assert names(tmp_path) == ["a"]


def test_the_bytes_are_on_the_disk_before_the_name_and_the_name_after_it(tmp_path, monkeypatch):
    seen = []
    fsync = os.fsync

    def watch(number):
        seen.append((os.path.basename(os.readlink(f"/proc/self/fd/{number}")), (tmp_path / "a").exists()))
        fsync(number)

    monkeypatch.setattr(os, "fsync", watch)
    write(tmp_path / "a", "x")
    assert seen == [(".a.part", False), (tmp_path.name, True)]


def test_a_refusal_of_the_disk_is_no_success(tmp_path, monkeypatch):
    write(tmp_path / "a", "first")

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "a", "second")
    assert (tmp_path / "a").read_text() == "first"
    assert names(tmp_path) == ["a"]


def test_json_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "new" / "a.json"
    write_json(file, {"a": [1, None, "é"]})
    assert json.loads(file.read_text(encoding="utf-8")) == {"a": [1, None, "é"]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(file, {"a": float("nan")})
    with pytest.raises(WriteError, match=r"b\.json cannot be written .*; make room or choose another place"):
        write_json(file / "b.json", {})
    assert names(file.parent) == ["a.json"]
    assert json.loads(file.read_text(encoding="utf-8"))["a"][0] == 1
