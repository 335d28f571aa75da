"""Frames turned by right angles, and the turn found by the face that they show."""

import numpy as np
import pytest
from skimage import data

from pipeline.config import Detection
from pipeline.faces.tracks import Track
from pipeline.faces.turn import rare, seen, turn_of, turned

FACE = np.ascontiguousarray(data.astronaut()[:300, 60:400])


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_frame_is_turned_clockwise(degrees):
    frame = np.arange(6, dtype=np.uint8).reshape(2, 3)
    expected = {
        0: [[0, 1, 2], [3, 4, 5]],
        90: [[3, 0], [4, 1], [5, 2]],
        180: [[5, 4, 3], [2, 1, 0]],
        270: [[2, 5], [1, 4], [0, 3]],
    }
    assert turned(frame, degrees).tolist() == expected[degrees]
    assert turned(np.stack([frame] * 3, axis=2), degrees)[..., 0].tolist() == expected[degrees]


@pytest.mark.parametrize("lies", [90, 180, 270])
def test_the_turn_puts_the_face_upright(lies):
    assert turn_of([turned(FACE, lies)], Detection()) == 360 - lies


def test_without_a_face_there_is_none():
    assert turn_of([np.full((200, 200, 3), 90, np.uint8)], Detection()) == 0
    assert turn_of([], Detection()) == 0


def test_chance_detections_do_not_keep_a_video_on_its_side():
    lying, blank = turned(FACE, 90), np.full((340, 300, 3), 90, np.uint8)
    assert turn_of([lying] * 3 + [blank], Detection(), upright=1) == 270
    assert turn_of([lying] * 2 + [blank] * 2, Detection(), upright=1) == 0, "no more than chance"
    assert turn_of([lying] * 4, Detection(), upright=2) == 0


def test_a_face_in_few_frames_may_be_chance():
    def track(*frames):
        return Track(np.array(frames), np.zeros((len(frames), 4), np.float32), np.ones(len(frames), np.float32))

    assert rare((), 12)
    assert rare((track(3), track(3)), 12)
    assert not rare((track(3), track(4, 5)), 12)
    assert not rare((track(0),), 1), "a still"
    assert seen((), np.arange(4)) == 0
    assert seen((track(7),), np.array([0, 3, 6])) == 1, "found by chance, though in none of these"
    assert seen((track(0, 3), track(3, 7)), np.array([0, 3, 6])) == 2
