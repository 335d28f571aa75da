"""What asks for any amount of memory or time is refused by its header, in one sentence."""

import gzip
import io
import os
import struct
import tarfile
import tracemalloc
import zlib
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DecodeError
from pipeline.video import archives, frames, limits, stills
from pipeline.video.frames import probe, read

HUGE = 60_000


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


def small(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 6)).save(stream, kind)
    return stream.getvalue()


def bmp() -> bytes:
    return small("BMP").replace(struct.pack("<ii", 8, 6), struct.pack("<ii", HUGE, HUGE))


def gif() -> bytes:
    return small("GIF").replace(struct.pack("<HH", 8, 6), struct.pack("<HH", HUGE, HUGE))


HEADERS = {
    "a.png": png(13_000, 13_000),
    "b.png": png(2**31 - 1, 2**31 - 1),
    "c.bmp": bmp(),
    "d.gif": gif(),
    "e.ppm": b"P6 %d %d 255\n" % (HUGE, HUGE),
    "001": png(HUGE, HUGE),
}


@pytest.mark.parametrize("name", HEADERS)
def test_pictures_that_are_too_large_are_refused_by_their_headers(tmp_path, name):
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / name).write_bytes(HEADERS[name])
    path = folder if name == "001" else folder / name
    tracemalloc.start()
    try:
        for attempt in (lambda: probe(path), lambda: list(read(path, [0]))):
            with pytest.raises(DecodeError, match=r"is of .* pixels; more than 40 million are not read"):
                attempt()
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def video(path: Path, *sizes: tuple[int, int]) -> Path:
    """Write a stream that changes its size, as raw H.264."""
    content = b""
    for width, height in sizes:
        encoder = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "yuv420p", Fraction(1, 25)
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 90, np.uint8)).reformat(format="yuv420p")
            frame.pts = number
            content += b"".join(map(bytes, encoder.encode(frame)))
        content += b"".join(map(bytes, encoder.encode(None)))
    path.write_bytes(content)
    return path


def test_videos_that_are_too_large_are_refused_by_their_headers(tmp_path, monkeypatch):
    path = video(tmp_path / "a.h264", (64, 64))
    assert probe(path).frames == 3
    monkeypatch.setattr(limits, "PIXELS", 64 * 63)
    for attempt in (lambda: probe(path), lambda: list(read(path, [0]))):
        with pytest.raises(DecodeError, match=r"a\.h264 is of 64 x 64 pixels"):
            attempt()


def test_frames_that_grow_behind_a_harmless_header_are_damage(tmp_path, monkeypatch):
    path = video(tmp_path / "a.h264", (64, 64), (640, 640))
    monkeypatch.setattr(frames, "MAX_PIXELS", {"max_pixels": str(100 * 100)})
    found = probe(path)
    assert found.damage.endswith(f"is damaged after {found.frames} frames.")
    assert found.frames in range(1, 4)


@pytest.mark.parametrize("name", ["a.mp4", "a.png", "a.gif", "a.apng", "a.tar.gz#x"])
def test_a_pipe_is_not_waited_for(tmp_path, name):
    path = tmp_path / name
    os.mkfifo(archives.file_of(path))
    for attempt in (lambda: probe(path), lambda: list(read(path, [0]))):
        with pytest.raises(DecodeError, match="is no regular file but a pipe: it is not opened"):
            attempt()


def test_a_list_of_other_files_is_no_video(tmp_path):
    video(tmp_path / "a.h264", (64, 64))
    path = tmp_path / "b.mp4"
    path.write_text("ffconcat version 1.0\nfile a.h264\n")
    with pytest.raises(DecodeError, match=r"b\.mp4 is no video but a list of others \(concat\)"):
        probe(path)


def test_a_name_is_never_an_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    video(Path("a.h264"), (64, 64))
    video(Path("concat:a.h264|a.h264"), (64, 64))
    assert probe(Path("concat:a.h264|a.h264")).frames == 3
    with pytest.raises(DecodeError, match="does not exist"):
        probe(Path("subfile:a.h264"))


def test_sixteen_bits_become_eight_and_what_has_no_scale_is_refused(tmp_path):
    grey = (np.arange(4096, dtype=np.uint16) * 16).reshape(64, 64)
    for suffix in ("png", "tif", "pgm"):
        path = tmp_path / f"a.{suffix}"
        path.write_bytes(cv2.imencode(f".{suffix}", grey)[1].tobytes())
        np.testing.assert_array_equal(stills.load(path)[..., 0], grey >> 8)
    for mode in ("F", "I"):
        Image.new(mode, (4, 4), 1).save(tmp_path / "b.tif")
        with pytest.raises(DecodeError, match="32 bits a pixel"):
            stills.load(tmp_path / "b.tif")


def member(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return a header that claims so many bytes."""
    about = tarfile.TarInfo(name)
    about.size, about.type = size, kind
    return about.tobuf(tarfile.GNU_FORMAT)


BOMBS = {
    "an image of 3 GiB": (member("a/1.png", 3 << 30), r"a/1\.png is of 3072 MiB, which cannot be"),
    "an image of 200 MiB": (member("a/1.png", 200 << 20), r"a/1\.png is of 200 MiB, which no image is"),
    "a file of 1 TiB": (member("a/1.txt", 1 << 40), r"a/1\.txt is of 1048576 MiB, which cannot be"),
    "a header of 1 TiB": (member("a/1.png", 1 << 40, tarfile.XHDTYPE), "a header in it is of 1099511627776 bytes"),
    "a long name of 1 GiB": (member("x", 1 << 30, tarfile.GNUTYPE_LONGNAME), "a header in it is of 1073741824 bytes"),
    "an image of images": (member("a/1.png", 60) + bytes(512), "holds no folder 7"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_archives_that_claim_too_much_are_refused_by_their_headers(tmp_path, name):
    content, reason = BOMBS[name]
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(content + bytes(1024)))
    with pytest.raises(DecodeError, match=reason):
        probe(Path(f"{path}#7"))


def test_archives_that_unpack_to_too_much_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "unpacked", lambda packed: 20 * packed)
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(20 * (member("a/1.txt", 5120) + bytes(5120))))
    with pytest.raises(DecodeError, match=r"a\.tar\.gz cannot be unpacked: it unpacks to more than 0 MiB"):
        archives.folders(path)


def test_an_archive_that_is_not_held_in_memory_reads_the_same(tmp_path, monkeypatch):
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("a/2.png", "b/1.png", "a/1.png", "../b/3.png", "/b/4.png"):
            content = small("PNG") + name.encode()
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    inside = {folder: archives.images(Path(f"{path}#{folder}")) for folder in archives.folders(path)}
    assert {folder: len(images) for folder, images in inside.items()} == {"../b": 1, "/b": 1, "a": 2, "b": 1}
    archives._held.cache_clear()
    monkeypatch.setattr(limits, "HELD", 100)
    assert {folder: archives.images(Path(f"{path}#{folder}")) for folder in inside} == inside
    assert list(tmp_path.iterdir()) == [path], "nothing is unpacked to the disk"
    archives._folder_alone.cache_clear()
    monkeypatch.setattr(limits, "SEQUENCE", 100)
    with pytest.raises(DecodeError, match="its folder a holds more than"):
        archives.images(Path(f"{path}#a"))
