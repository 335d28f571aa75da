import hashlib

from pipeline.checksum import sha256


def test_file_is_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_folder_is_names_and_contents(tmp_path):
    folders = {}
    for name, files in {
        "one": {"0": b"x", "1": b"y"},
        "two": {"0": b"y", "1": b"x"},
        "same": {"1": b"y", "0": b"x"},
    }.items():
        folders[name] = tmp_path / name
        folders[name].mkdir()
        for file, content in files.items():
            (folders[name] / file).write_bytes(content)
    assert sha256(folders["one"]) == sha256(folders["same"]) != sha256(folders["two"])
