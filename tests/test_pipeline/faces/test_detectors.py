"""MTCNN and dlib: faces where they are, the same in a region as in the whole frame, landmarks."""

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from places import REAL_DATA, needs_real_data

from pipeline.config import Detection
from pipeline.faces import DETECTORS, Detected, detect, dlib, mtcnn
from pipeline.faces.pyramid import Picture
from pipeline.video import frames

FACE = np.array([175, 68, 268, 172], np.float32)  # of the astronaut, forehead to chin


def astronaut():
    return skimage.data.astronaut()


def overlap(one, other):
    common = np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None).prod()
    return common / ((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - common)


@pytest.mark.parametrize("name", DETECTORS)
def test_finds_the_face(name):
    best = detect(astronaut(), Detection(detector=name))[0]
    assert isinstance(best, Detected)
    assert best.box.dtype == np.float32
    assert overlap(best.box, FACE) > 0.7


@pytest.mark.parametrize("name", DETECTORS)
def test_finds_none_where_there_is_none(name):
    settings = Detection(detector=name)
    texture = skimage.data.brick()[:200, :300]
    assert detect(np.dstack([texture] * 3), settings) == []
    assert detect(np.zeros((240, 320, 3), np.uint8), settings) == []


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("shape", [(1, 1), (8, 300), (300, 8), (19, 19)])
def test_frames_smaller_than_a_face(name, shape):
    assert detect(np.full((*shape, 3), 128, np.uint8), Detection(detector=name)) == []


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("crop", [slice(110, None), slice(None, 130)])
def test_faces_cut_off_by_the_frames_edge_do_not_stop_it(name, crop):
    for part in (astronaut()[crop], astronaut()[:, crop], astronaut()[:, 215:]):
        for face in detect(part, Detection(detector=name, threshold=0.5)):
            assert np.isfinite(face.box).all()


@pytest.mark.parametrize("name", DETECTORS)
def test_region_gives_the_boxes_of_the_whole_frame(name):
    settings = Detection(detector=name)
    frame = cv2.resize(astronaut(), (700, 610), interpolation=cv2.INTER_AREA)
    whole = detect(frame, settings)[0].box
    face = float((whole[2:] - whole[:2]).max())
    for shift in (-0.3, 0.0, 0.17):
        middle = (whole[:2] + whole[2:]) / 2 + shift * face
        region = np.concatenate([middle - 1.25 * face, middle + 1.25 * face]).clip(0, [700, 610, 700, 610])
        found = detect(frame, settings, "cpu", region.tolist(), face)
        assert overlap(found[0].box, whole) > (0.9999 if name == "mtcnn" else 0.6)


@pytest.mark.parametrize("name", DETECTORS)
def test_region_without_the_face_finds_nothing(name):
    assert detect(astronaut(), Detection(detector=name), "cpu", (300.0, 300.0, 500.0, 500.0), 100.0) == []


def test_mtcnn_agrees_with_the_reference_implementation():
    from facenet_pytorch import MTCNN

    reference = MTCNN(keep_all=True)
    pictures = [astronaut(), cv2.resize(astronaut(), (333, 251)), np.hstack([astronaut()[:250, 100:350]] * 2)]
    for picture in pictures:
        boxes, scores = reference.detect(picture)
        found = mtcnn.detect(picture, threshold=0.0)
        order = np.argsort(-scores.astype(float), kind="stable")
        assert len(found) == len(boxes) > 0
        for one, number in zip(found, order, strict=True):
            np.testing.assert_allclose(one.score, float(scores[number]), atol=1e-5)
            expected = min(boxes.astype(float), key=lambda box, one=one: np.abs(box - one.box).max())
            np.testing.assert_allclose(one.box, expected, atol=0.01)


@needs_real_data
def test_mtcnn_agrees_with_the_reference_implementation_on_real_clips():
    from facenet_pytorch import MTCNN

    reference = MTCNN(keep_all=True)
    for clip in ("talking_1", "WolfgangLanger_Pexels", "no_face"):
        [(_, frame)] = frames.read(REAL_DATA / "clips" / f"{clip}.mp4", [40])
        boxes, _ = reference.detect(frame)
        found = mtcnn.detect(frame, threshold=0.0)
        assert len(found) == (0 if boxes is None else len(boxes))
        for one in found:
            assert min(np.abs(box.astype(float) - one.box).max() for box in boxes) < 0.01


def test_frames_of_all_sizes_at_once_give_the_boxes_of_each_alone():
    small = cv2.resize(astronaut(), (333, 251), interpolation=cv2.INTER_AREA)
    searches = [
        mtcnn.Search(astronaut()),
        mtcnn.Search(np.zeros((240, 320, 3), np.uint8)),
        mtcnn.Search(small),
        mtcnn.Search(astronaut(), (120.0, 20.0, 331.0, 251.0), 90.0),
        mtcnn.Search(np.full((9, 40, 3), 128, np.uint8)),
        mtcnn.Search(np.hstack([astronaut()[:250, 100:350]] * 2)),
    ]
    together = mtcnn.detect_many(searches, threshold=0.5)
    for search, found in zip(searches, together, strict=True):
        alone = mtcnn.detect(search.frame, 0.5, region=search.region, face=search.face)
        assert len(found) == len(alone)
        for one, other in zip(found, alone, strict=True):
            np.testing.assert_allclose(one.box, other.box, atol=1e-2)
            np.testing.assert_allclose(one.score, other.score, atol=1e-5)
    assert [len(found) > 0 for found in together] == [True, False, True, True, False, True]
    assert mtcnn.detect_many([]) == []


def test_sums_of_the_whole_frame_give_the_levels_and_patches_of_its_parts():
    whole, parts = (Picture(astronaut(), torch.device("cpu"), at_once) for at_once in (True, False))
    region = (100.0, 31.0, 333.0, 260.0)
    for (_, one), (_, other) in zip(*(each.levels(region, [0.6, 0.3, 0.1]) for each in (whole, parts)), strict=True):
        assert (one.left, one.top) == (other.left, other.top)
        assert torch.equal(one.pixels, other.pixels)
    boxes = torch.tensor([[-5.0, -9.0, 40.0, 30.0], [100.2, 50.7, 260.1, 211.9], [500.0, 500.0, 530.0, 530.0]])
    outside = torch.tensor([[600.0, 0.0, 700.0, 90.0]])
    for side in (24, 48):
        inside, patches = whole.patches(torch.cat([boxes, outside]), side)
        assert inside.tolist() == [True, True, True, False]
        assert torch.equal(patches, parts.patches(torch.cat([boxes, outside]), side)[1])
        for box, patch in zip(boxes.int().tolist(), patches, strict=True):
            left, top, right, bottom = max(box[0] - 1, 0), max(box[1] - 1, 0), min(box[2], 512), min(box[3], 512)
            pixels = torch.from_numpy(astronaut()[None, top:bottom, left:right]).permute(0, 3, 1, 2).float()
            area = torch.nn.functional.interpolate(pixels, (side, side), mode="area")[0]
            torch.testing.assert_close(patch, (area - 127.5) / 128)


def test_suppression_in_one_call_is_that_of_each_group():
    rng = np.random.default_rng(0)
    corners = rng.uniform(-50, 2000, (600, 2))
    boxes = torch.from_numpy(np.concatenate([corners, corners + rng.uniform(5, 900, (600, 2))], 1)).float()
    scores, group = torch.from_numpy(rng.permutation(600) / 600).float(), torch.from_numpy(rng.integers(0, 20, 600))
    expected = mtcnn._group_by_group(boxes, scores, group, 0.5)
    assert 20 < len(expected) < 600
    assert torch.equal(mtcnn._in_one_call(boxes, scores, group, 0.5), expected)
    for number in range(20):
        own = expected[group[expected] == number]
        assert torch.equal(scores[own], scores[own].sort(descending=True).values)
    nothing = (torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64), 0.5)
    assert len(mtcnn._in_one_call(*nothing)) == len(mtcnn._group_by_group(*nothing)) == 0


def test_threshold_keeps_the_better_ones():
    every = mtcnn.detect(astronaut(), threshold=0.0)
    assert [face.score for face in every] == sorted((face.score for face in every), reverse=True)
    assert [face.score for face in mtcnn.detect(astronaut(), threshold=1.1)] == []


def test_landmarks_lie_on_the_features():
    points = dlib.landmarks(astronaut(), dlib.detect(astronaut())[0].box)
    assert points.shape == (68, 2)
    assert points.dtype == np.float32
    found = np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[48], points[54]])
    # the eyes and the corners of the mouth by another network: MTCNN's five points
    np.testing.assert_allclose(found, [[205, 102], [247, 104], [202, 139], [245, 142]], atol=5)


def test_landmarks_from_either_detectors_box():
    one = dlib.landmarks(astronaut(), dlib.detect(astronaut())[0].box)
    other = dlib.landmarks(astronaut(), mtcnn.detect(astronaut())[0].box, "mtcnn")
    between_eyes = np.linalg.norm(one[36:42].mean(axis=0) - one[42:48].mean(axis=0))
    assert np.linalg.norm(one - other, axis=1).mean() < 0.05 * between_eyes


@pytest.mark.parametrize("box", [(50, 50, 51, 90), (np.nan, 0, 10, 10), (900, 900, 990, 990), (-300, -300, -200, -200)])
def test_landmarks_of_no_face_are_nan(box):
    assert np.isnan(dlib.landmarks(astronaut(), np.array(box, np.float32))).all()


@needs_real_data
def test_both_detectors_find_each_portrait():
    for path in sorted((REAL_DATA / "portraits").glob("*.jpg"))[:6]:
        picture = frames.stills.load(path)
        one, other = mtcnn.detect(picture)[0], dlib.detect(picture)[0]
        assert overlap(one.box, other.box) > 0.4
