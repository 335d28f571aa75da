"""Tracks: one per person, gaps allowed, the same boxes as from whole frames, few whole frames."""

import functools
import weakref

import cv2
import numpy as np
import pytest
import skimage.data
from places import REAL_DATA, needs_real_data

from pipeline.config import Detection
from pipeline.faces import detect, tracks
from pipeline.faces.detected import Detected
from pipeline.faces.tracks import follow, overlaps
from pipeline.video import frames

CLIPS = REAL_DATA / "clips"
HEIGHT, WIDTH = 240, 400
SETTINGS = Detection(full_every=4)


@functools.cache
def head(side):
    return cv2.resize(skimage.data.astronaut()[30:230, 120:320], (side, side), interpolation=cv2.INTER_AREA)


@functools.cache
def background():
    smooth = np.random.default_rng(0).integers(60, 200, (6, 10, 3), np.uint8)
    return cv2.resize(smooth, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def scene(*people):
    """Paint heads, each (left, top, side), on a quiet background."""
    frame = background().copy()
    for left, top, side in people:
        frame[top : top + side, left : left + side] = head(side)
    return frame


def centres(track):
    return (track.boxes[:, :2] + track.boxes[:, 2:]) / 2


@pytest.fixture
def searched(monkeypatch):
    """Record whether each look was at the whole frame (None) or at a region."""
    looks = []

    def watched(frame, settings, device="cpu", region=None, face=0.0):
        looks.append(region)
        return detect(frame, settings, device, region, face)

    monkeypatch.setattr(tracks, "detect", watched)
    return looks


def test_one_person(searched):
    moving = [(3 * number, scene((20 + 8 * number, 40, 150))) for number in range(8)]
    [track] = follow(iter(moving), SETTINGS)
    np.testing.assert_array_equal(track.frames, [index for index, _ in moving])
    assert (track.frames.dtype, track.boxes.dtype, track.scores.dtype) == (np.int64, np.float32, np.float32)
    np.testing.assert_allclose(np.diff(centres(track)[:, 0]), 8, atol=3)
    assert sum(region is None for region in searched) == 2  # frames 0 and 4
    for box, (_, frame) in zip(track.boxes, moving, strict=True):
        assert overlaps(box[None], detect(frame, SETTINGS)[0].box[None])[0, 0] > 0.9999


def test_a_still_is_a_track_of_one_frame():
    [track] = follow([(0, scene((20, 40, 150)))], SETTINGS)
    assert track.frames.tolist() == [0]


def test_no_face_no_track():
    assert follow([(number, background()) for number in range(3)], SETTINGS) == ()
    assert follow([], SETTINGS) == ()


def test_two_people_the_larger_first():
    pairs = [(number, scene((10 + 4 * number, 60, 110), (210 - 4 * number, 40, 170))) for number in range(6)]
    large, small = follow(iter(pairs), SETTINGS)
    assert large.frames.tolist() == small.frames.tolist() == list(range(6))
    assert (np.diff(centres(large)[:, 0]) < 0).all()
    assert (np.diff(centres(small)[:, 0]) > 0).all()


def test_somebody_who_comes_in_late_is_seen_at_the_next_look_at_the_whole_frame():
    late = [(number, scene((10, 60, 120), *([(240, 60, 120)] if number >= 2 else []))) for number in range(7)]
    first, second = follow(iter(late), SETTINGS)
    assert first.frames.tolist() == list(range(7))
    assert second.frames.tolist() == [4, 5, 6]


def test_a_gap_does_not_split_a_track():
    blinking = [(number, background() if number in (2, 3) else scene((100, 50, 150))) for number in range(6)]
    [track] = follow(iter(blinking), SETTINGS)
    assert track.frames.tolist() == [0, 1, 4, 5]


def test_a_lost_face_is_looked_for_in_the_whole_frame(searched):
    cut = [(number, scene((10, 50, 120) if number < 3 else (260, 80, 120))) for number in range(4)]
    before, after = follow(iter(cut), Detection(full_every=100))
    assert before.frames.tolist() == [0, 1, 2]
    assert after.frames.tolist() == [3]
    assert [region is None for region in searched] == [True, False, False, False, True]


def test_somebody_gone_does_not_cost_whole_frames_for_ever(searched):
    leaving = [(n, scene((10, 60, 120), *([(240, 60, 120)] if n == 0 else []))) for n in range(8)]
    stays, left = follow(iter(leaving), Detection(full_every=100))
    assert (len(stays.frames), len(left.frames)) == (8, 1)
    assert sum(region is None for region in searched) == 1 + tracks.PATIENCE


def test_frames_are_taken_one_at_a_time():
    alive = []

    def stream():
        for number in range(4):
            assert sum(reference() is not None for reference in alive) <= 1
            frame = scene((100, 50, 150))
            alive.append(weakref.ref(frame))
            yield number, frame
            del frame

    assert len(follow(stream(), SETTINGS)) == 1


def test_neighbours_regions_show_one_face_once(monkeypatch):
    box = np.array([100, 50, 160, 120], np.float32)
    found = [Detected(box, 0.995), Detected(box + 3, 0.999)]
    monkeypatch.setattr(tracks, "detect", lambda *_: list(found))
    [track] = follow([(0, background()), (1, background())], SETTINGS)
    np.testing.assert_array_equal(track.boxes, [box + 3, box + 3])


def test_overlaps_of_known_boxes():
    one = np.array([[0, 0, 10, 10]], np.float32)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [2, 2, 4, 4]], np.float32)
    np.testing.assert_allclose(overlaps(one, others), [[1, 1 / 3, 0, 0.04]], rtol=1e-6)


def test_dlib_tracks_too():
    moving = [(number, scene((20 + 8 * number, 40, 150))) for number in range(3)]
    assert follow(iter(moving), Detection(detector="dlib"))[0].frames.tolist() == [0, 1, 2]


@needs_real_data
@pytest.mark.parametrize(("clip", "people"), [("no_face", 0), ("talking_1", 1), ("liveportrait_d13", 1)])
def test_real_clips(clip, people):
    path = CLIPS / f"{clip}.mp4"
    wanted = range(0, 50, 10)
    found = follow(frames.read(path, wanted), Detection())
    assert len(found) == people
    assert all(track.frames.tolist() == list(wanted) for track in found)


@needs_real_data
def test_frames_without_the_face_are_gaps():
    path = CLIPS / "WolfgangLanger_Pexels.mp4"
    wanted = list(range(0, 470, 10))
    found = follow(frames.read(path, wanted), Detection())
    seen = {int(frame) for track in found for frame in track.frames}
    assert 0.7 * len(wanted) < len(seen) < len(wanted)
    for index, frame in frames.read(path, [index for index in wanted if index not in seen][:4]):
        assert detect(frame, Detection()) == [], index
