"""Animated PNG, GIF and WebP: every frame as a player shows it, through the same door as videos."""

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DecodeError
from pipeline.video import animations, frames

LEVELS = (40, 80, 120, 160, 200)
SAVE = {".png": {}, ".gif": {}, ".webp": {"lossless": True}}


def pictures():
    return [Image.fromarray(np.full((40, 60, 3), level, np.uint8)) for level in LEVELS]


@pytest.fixture(params=sorted(SAVE))
def animation(request, tmp_path):
    first, *rest = pictures()
    path = tmp_path / f"moves{request.param}"
    first.save(path, save_all=True, append_images=rest, duration=100, **SAVE[request.param])
    return path


def test_an_animation_is_a_sequence(animation):
    assert animations.is_animated(animation)
    assert frames.probe(animation) == frames.probe(animation, deep=True) == frames.Probe(5, 60, 40)
    assert frames.rate(animation) == pytest.approx(10)
    for wanted in (range(5), [1, 4]):
        shown = dict(frames.read(animation, wanted))
        assert {index: int(picture.mean()) for index, picture in shown.items()} == {i: LEVELS[i] for i in wanted}
        assert {(picture.shape, picture.dtype) for picture in shown.values()} == {((40, 60, 3), np.dtype(np.uint8))}


def test_a_frame_that_does_not_exist(animation):
    reading = frames.read(animation, [4, 5])
    assert next(reading)[0] == 4
    with pytest.raises(DecodeError, match=r"has 5 frames; frame 5 does not exist"):
        next(reading)


def test_a_damaged_animation_is_told(animation):
    whole = animation.read_bytes()
    animation.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DecodeError, match=animation.name):
        list(frames.read(animation, range(5)))


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_picture_of_one_frame_is_a_still(suffix, tmp_path):
    pictures()[0].save(tmp_path / f"one{suffix}")
    assert not animations.is_animated(tmp_path / f"one{suffix}")
    assert frames.rate(tmp_path / f"one{suffix}") == 0
    assert not animations.is_animated(tmp_path / f"gone{suffix}")


def test_what_a_png_shows_to_programs_without_animation_is_no_frame(tmp_path):
    first, *rest = pictures()
    path = tmp_path / "moves.png"
    first.save(path, save_all=True, append_images=rest, duration=100, default_image=True)
    assert frames.probe(path).frames == 4
    assert [int(picture.mean()) for _, picture in frames.read(path, range(4))] == list(LEVELS[1:])
