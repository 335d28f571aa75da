"""Damaged files of every kind: frames or one sentence, and nothing else."""

import io
import tarfile
from fractions import Fraction
from pathlib import Path

import av
import hostile
import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DecodeError
from pipeline.video import archives, frames
from pipeline.video.numbering import numbering

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # of metadata; runs do not show them either

COUNT, WIDTH, HEIGHT = 12, 96, 64
EACH = 60 * hostile.TIMES  # damages of each kind of file

VIDEOS = {
    "h264.mp4": ("libx264", "yuv420p"),
    "h264.mkv": ("libx264", "yuv420p"),
    "h264.ts": ("libx264", "yuv420p"),
    "mpeg4.avi": ("mpeg4", "yuv420p"),
    "vp8.webm": ("libvpx", "yuv420p"),
    "mjpeg.mov": ("mjpeg", "yuvj420p"),
    "ffv1.mkv": ("ffv1", "yuv420p"),
}
STILLS = {
    "PNG": "RGB", "JPEG": "RGB", "BMP": "RGB", "TIFF": "RGB", "WEBP": "RGB", "PPM": "RGB",
    "GIF": "P", "JPEG CMYK": "CMYK", "PNG 16": "I;16", "PNG transparent": "RGBA",
}  # fmt: skip


def picture(number: int) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([128 + 90 * np.sin(x / 9 + number), 128 + 90 * np.cos(y / 7), (x + y) % 256], -1).astype(np.uint8)


def video(path: Path, codec: str, pixels: str) -> bytes:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        for number in range(COUNT):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def still(kind: str, mode: str, **settings: object) -> bytes:
    stream = io.BytesIO()
    if mode == "I;16":
        image = Image.fromarray(picture(0)[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(picture(0)).convert(mode)
    exif = Image.Exif()
    exif[274] = 6  # turned
    more = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}
    image.save(stream, kind, **more, **settings)
    return stream.getvalue()


def animation(kind: str) -> bytes:
    stream = io.BytesIO()
    first, *rest = (Image.fromarray(picture(number)) for number in range(4))
    first.save(stream, kind, save_all=True, append_images=rest, duration=40)
    return stream.getvalue()


def packed(folder: str = "7") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for number in range(4):
            content = still("PNG", "RGB")
            about = tarfile.TarInfo(f"{folder}/{number}.png")
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return stream.getvalue()


def look(path: Path) -> str:
    """Do all that a run does with a file; return what was said of it."""
    try:
        found = frames.probe(path)
        numbering(path, found.frames)
        frames.rate(path)
        wanted = sorted({0, found.frames // 2, found.frames - 1})
        for index, pixels in frames.read(path, wanted):
            assert index in wanted
            assert pixels.dtype == np.uint8
            assert pixels.ndim == 3
            assert pixels.shape[2] == 3
        deep = frames.probe(path, deep=True)
        assert deep.frames <= found.frames or found.damage, "no frame is behind damage"
    except DecodeError as error:
        return str(error)
    return ""


def check(path: Path, whole: bytes, times: int = EACH) -> None:
    """Damage a file in many ways; each gives frames or a sentence."""
    path.write_bytes(whole)
    assert look(path) == "", "the undamaged file is sound"
    said = set()
    for seed in range(times):
        path.write_bytes(hostile.damaged(whole, seed))
        try:
            text = look(path)
        except Exception as error:
            raise AssertionError(f"seed {seed} of {path.name}") from error
        said.add(text != "")
        assert "\n" not in text
        assert not text or (text.endswith(".") and path.name.partition("#")[0] in text), text
    assert True in said, "some damage is seen"


@pytest.mark.parametrize("name", VIDEOS)
def test_videos(tmp_path, name):
    check(tmp_path / name, video(tmp_path / name, *VIDEOS[name]))


def test_a_video_cut_at_every_kilobyte(tmp_path):
    path = tmp_path / "a.mp4"
    whole = video(path, "libx264", "yuv420p")
    for length in range(0, len(whole), 1000):
        path.write_bytes(whole[:length])
        look(path)


@pytest.mark.parametrize("name", STILLS)
def test_stills(tmp_path, name):
    kind = name.split()[0]
    check(tmp_path / f"1.{kind.lower()}", still(kind, STILLS[name]))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_animations(tmp_path, kind):
    check(tmp_path / f"a.{kind.lower()}", animation(kind))


def test_archives(tmp_path):
    file = tmp_path / "a.tar.gz"
    path = Path(f"{file}#7")
    whole = packed()
    for seed in range(EACH):
        file.write_bytes(hostile.damaged(whole, seed) if seed % 2 else _inside(whole, seed))
        archives._held.cache_clear()
        assert "\n" not in look(path)
    assert list(tmp_path.iterdir()) == [file], "nothing is unpacked to the disk"


def _inside(whole: bytes, seed: int) -> bytes:
    """Damage what is packed, whose checksum then holds."""
    import gzip

    return gzip.compress(hostile.damaged(gzip.decompress(whole), seed))
