import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DecodeError
from pipeline.video import archives, frames
from pipeline.video.checksum import sha256


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return path


def picture(value: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((4, 6, 3), value, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    members = {f"7/{number}.png": picture(number) for number in (10, 2, 33)}
    return pack(tmp_path / "0.tar.gz", {**members, "11/a/1.png": picture(1), "7/readme.txt": b"x", "7/._2.png": b"x"})


def test_folders_in_natural_order(packed: Path) -> None:
    assert archives.folders(packed) == ["7", "11/a"]


def test_frames_of_a_folder_in_an_archive(packed: Path) -> None:
    path = Path(f"{packed}#7")
    assert frames.probe(path) == frames.Probe(3, 6, 4)
    assert [(index, int(frame[0, 0, 0])) for index, frame in frames.read(path, [0, 2])] == [(0, 2), (2, 33)]
    assert sha256(path) == sha256(packed)


def test_a_frame_too_far_comes_after_the_good_ones(packed: Path) -> None:
    given = frames.read(Path(f"{packed}#7"), [2, 3])
    assert next(given)[0] == 2
    with pytest.raises(DecodeError, match="frame 3 does not exist"):
        next(given)


def test_damaged_archives_are_one_sentence(packed: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(packed.read_bytes()[:-30])
    text = tmp_path / "text.tar.gz"
    text.write_text("not an archive")
    for path in (cut, text, tmp_path / "none.tar.gz"):
        with pytest.raises(DecodeError, match="cannot be unpacked"):
            archives.folders(path)
        with pytest.raises(DecodeError, match="cannot be unpacked"):
            frames.probe(Path(f"{path}#7"))
    with pytest.raises(DecodeError, match="holds no folder 9"):
        frames.probe(Path(f"{packed}#9"))


def test_paths() -> None:
    assert archives.split_path(Path("a/b.tar.gz#c/d")) == (Path("a/b.tar.gz"), "c/d")
    assert archives.split_path(Path("a/b.tar.gz")) is None
    assert archives.file_of(Path("a/b.mp4")) == Path("a/b.mp4")
