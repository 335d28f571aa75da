"""Trust in a label: the face region, what a label marks outside it, agreement of two labels."""

import numpy as np
import pytest
from skimage import data, transform

from pipeline.faces import dlib
from pipeline.labels import NO_LABEL, trust

SIDE = 200
FACE = np.ascontiguousarray(data.astronaut()[0:200, 120:320])


@pytest.fixture(scope="module")
def landmarks():
    (face, *_) = dlib.detect(FACE)
    return dlib.landmarks(FACE, face.box)


def test_the_region_holds_every_landmark_and_the_forehead_and_leaves_the_corners(landmarks):
    region = trust.face_region(landmarks, SIDE)
    x, y = landmarks.astype(int).T
    assert region[y, x].all()
    assert region[int(landmarks[17:27, 1].min()) - 10, int(landmarks[27, 0])] == 1
    assert not region[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert 0.2 < region.mean() < 0.8


def test_the_region_turns_with_the_face(landmarks):
    turned = np.stack([SIDE - 1 - landmarks[:, 1], landmarks[:, 0]], axis=1)
    expected = np.rot90(trust.face_region(landmarks, SIDE), -1)
    assert (trust.face_region(turned, SIDE) != expected).mean() < 0.01


def test_without_landmarks_an_ellipse_stands_for_the_face(landmarks):
    lost = landmarks.copy()
    lost[3] = np.nan
    region = trust.face_region(lost, SIDE)
    assert region[SIDE // 2, SIDE // 2] == 1
    assert not region[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    np.testing.assert_array_equal(region, trust.face_region(np.full((68, 2), np.nan), SIDE))


def test_background_is_the_share_of_the_surroundings():
    region = np.zeros((10, 10), np.uint8)
    region[:, :5] = 1
    label = region.copy()
    assert trust.background(label, region) == 0
    label[:, 5:7] = 1
    assert trust.background(label, region) == 0.4
    assert trust.background(np.ones_like(label), region) == 1
    assert np.isnan(trust.background(np.full_like(label, NO_LABEL), region))
    assert np.isnan(trust.background(label, np.ones_like(region)))


@pytest.mark.parametrize(("limit", "withheld"), [(0.39, True), (0.4, False), (1.0, False)])
def test_a_label_is_withheld_above_the_limit(limit, withheld):
    region, label = np.zeros((2, 10, 10), np.uint8)
    region[:, :5], label[:, 5:7] = 1, 1
    assert trust.withheld(label, region, limit) is withheld


def test_agreement_is_intersection_over_union():
    one, other = np.zeros((2, 10, 10), np.uint8)
    assert np.isnan(trust.agreement(one, other))
    one[:4], other[2:6] = 1, 1
    assert trust.agreement(one, other) == pytest.approx(2 / 6)
    assert trust.agreement(one, one) == 1
    assert np.isnan(trust.agreement(one, np.full_like(one, NO_LABEL)))


def test_a_fake_that_was_encoded_all_over_is_told_from_a_swap(landmarks):
    from pipeline.config import Labelling
    from pipeline.labels import LABELS

    region = trust.face_region(landmarks, SIDE)
    mouth = landmarks[48:68].mean(axis=0).astype(int)
    swap = FACE.copy()
    swap[mouth[1] - 9 : mouth[1] + 9, mouth[0] - 12 : mouth[0] + 12] //= 2
    shifted = transform.rotate(FACE, 4, preserve_range=True).astype(np.uint8)
    shares = [
        trust.background(LABELS["ssim"].compute(fake, FACE, Labelling(), "raw"), region) for fake in (swap, shifted)
    ]
    assert shares[0] == 0
    assert shares[1] > 0.8
