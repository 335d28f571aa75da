import numpy as np
import pytest
from describe import describe

from pipeline.faces import dlib as faces
from pipeline.faces import mtcnn
from pipeline.sample.actor import SIDE, perform, track
from pipeline.sample.traits import PEOPLE, person, shaped

FRAMES = 40


@pytest.fixture(scope="module")
def pictures():
    """Three moments of every person."""
    return {number: perform(number, FRAMES, 0, [0, 15, 31]) for number in range(PEOPLE)}


def test_every_face_is_found_where_its_landmarks_are(pictures):
    missed = 0
    for clip in pictures.values():
        for frame, points in zip(clip.frames, clip.landmarks, strict=True):
            found = faces.detect(frame, min_face=80)
            if len(found) != 1:
                missed += 1
                continue
            placed = faces.landmarks(frame, found[0].box)
            between_eyes = np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0))
            assert np.linalg.norm(placed - points, axis=1).mean() < 0.15 * between_eyes
    assert missed <= 0.02 * 3 * PEOPLE


def test_mtcnn_finds_one_face(pictures):
    counts = [len(mtcnn.detect(frame, 0.99)) for clip in pictures.values() for frame in clip.frames[1:]]
    assert np.mean(np.array(counts) == 1) >= 0.97


@pytest.mark.slow
def test_people_are_different_people(pictures):
    described = []
    for clip in pictures.values():
        found = [(frame, faces.detect(frame, min_face=80)) for frame in clip.frames]
        described.append([describe(frame, boxes[0].box) for frame, boxes in found if boxes])
    firsts = np.array([each[0] for each in described])
    distances = np.linalg.norm(firsts[:, None] - firsts, axis=2)[np.triu_indices(PEOPLE, 1)]
    own = [np.linalg.norm(other - each[0]) for each in described for other in each[1:]]
    assert np.median(distances) >= 0.4
    assert np.median(own) < 0.3 < distances.min()


def test_motion_is_smooth_and_nobodys_else():
    tracks = np.stack([track(number, FRAMES, 0) for number in range(4)])
    steps = np.linalg.norm(np.diff(tracks, axis=1), axis=-1)
    assert steps.mean(axis=(1, 2)).min() > 0.1  # nobody stands still
    assert np.median(steps) < 2  # pixels from frame to frame
    assert steps.max() < 14  # the lower lip of a loud syllable
    paths = tracks.mean(axis=2)
    paths = paths - paths.mean(axis=1, keepdims=True)
    for one in range(4):
        for other in range(one):
            assert np.abs(paths[one] - paths[other]).mean() > 0.5


def test_mouth_and_eyes_move():
    points = track(5, 100, 0)
    mouth = (points[:, 66] - points[:, 62])[:, 1]
    lids = (points[:, 41] - points[:, 37])[:, 1]
    assert mouth.max() > 3 * max(mouth.min(), 1)
    assert lids.min() < 0.35 * lids.max()
    assert mouth.min() > 0
    assert lids.min() > 0


def test_nothing_but_people_and_rooms(pictures):
    for clip in pictures.values():
        assert clip.frames.shape == (3, SIDE, SIDE, 3)
        for frame in clip.frames:
            border = np.concatenate([frame[0], frame[:, 0], frame[:, -1]])
            assert np.mean(border.max(axis=1) < 4) < 0.1  # no black borders


def test_frames_do_not_depend_on_which_are_drawn():
    some = perform(3, FRAMES, 7, [2, 5])
    np.testing.assert_array_equal(some.frames[1], perform(3, FRAMES, 7, [5]).frames[0])
    np.testing.assert_array_equal(some.landmarks, track(3, FRAMES, 7)[[2, 5]])
    assert (some.frames[1] != perform(3, FRAMES, 8, [5]).frames[0]).mean() > 0.5


def test_lids_and_lips_never_cross():
    for number in range(PEOPLE):
        face, _ = shaped(person(number))
        for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46), (62, 66), (51, 57)):
            assert face[upper, 1] < face[lower, 1]
