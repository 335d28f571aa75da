"""SHA-256 of files and folders."""

import hashlib

from pipeline.video.checksum import sha256


def test_a_file_has_the_digest_of_its_bytes(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"x" * 3_000_000)
    assert sha256(file) == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_a_folder_is_told_by_its_files_names_and_bytes_not_by_where_it_is(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "in").mkdir(parents=True)
        for file in ("b", "a/b") if name == "one" else ("a/b", "b"):
            (tmp_path / name / file.replace("a/", "in/")).write_text(file)
    one, two = (sha256(tmp_path / name) for name in ("one", "two"))
    assert one == two
    (tmp_path / "two" / "b").rename(tmp_path / "two" / "c")
    assert sha256(tmp_path / "two") != one
    (tmp_path / "two" / "c").rename(tmp_path / "two" / "b")
    assert sha256(tmp_path / "two") == one
    (tmp_path / "two" / "b").write_text("B")
    assert sha256(tmp_path / "two") != one
