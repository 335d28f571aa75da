"""The background's SSIM: 1 for the same scene, whatever happened in the box."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from pipeline.crop.alignment import LEAST, SIDE, alignment, thumbnail

SCENE = data.astronaut()
OTHER = np.ascontiguousarray(SCENE[::-1, ::-1])
BOX = np.array([160, 60, 300, 200], dtype=np.float32)


@pytest.mark.parametrize(
    ("shape", "expected"), [((1080, 1920), (270, 480)), ((800, 100), (480, 60)), ((40, 30), (40, 30))]
)
def test_the_longer_side_is_at_most_480(shape, expected):
    assert thumbnail(np.zeros((*shape, 3), np.uint8)).shape == expected
    assert max(expected) <= SIDE


def test_the_same_scene_is_one_and_a_change_inside_the_box_does_not_count():
    fake = SCENE.copy()
    fake[64:196, 164:296] = 255 - fake[64:196, 164:296]
    real = thumbnail(SCENE)
    assert alignment(real, real, BOX, 512) == 1
    changed = alignment(thumbnail(fake), real, BOX, 512)
    assert changed > 0.999
    assert alignment(thumbnail(fake), real, BOX + 200, 512) < 0.97


def test_another_scene_is_far_from_it():
    assert alignment(thumbnail(OTHER), thumbnail(SCENE), BOX, 512) < 0.3


def test_a_fake_of_another_size_is_compared_at_the_reals():
    half = SCENE[::2, ::2]
    assert alignment(thumbnail(half), thumbnail(SCENE), BOX, 512) > 0.9


@given(st.floats(-50, 500), st.floats(-50, 500), st.floats(20, 600), st.booleans())
@settings(max_examples=40, deadline=None)
def test_any_box_leaves_something_to_compare(left, top, side, whole):
    box = np.array([0, 0, 512, 512] if whole else [left, top, left + side, top + side], dtype=np.float32)
    real = thumbnail(SCENE)
    assert LEAST > 0
    assert alignment(real, real, box, 512) == 1
    assert -1 <= alignment(thumbnail(OTHER), real, box, 512) < 0.7
