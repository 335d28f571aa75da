"""Crops: the box contract, and one geometry for pixels, masks and points."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Cropping
from pipeline.crop import crops

SQUARE, LETTERBOX = Cropping(), Cropping(fit="letterbox")
edges = st.floats(-50, 700, width=32)
sides = st.floats(4, 600, width=32)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def box_of(*values):
    return np.array(values, np.float32)


@given(edges, edges, sides, sides, st.integers(32, 800), st.integers(32, 800), st.floats(1, 4))
def test_square_box_is_square_inside_and_of_the_stated_side(left, top, width, height, frame_width, frame_height, scale):
    detected = box_of(left, top, left + width, top + height)
    width, height = (float(side) for side in detected[2:].astype(np.float64) - detected[:2])
    box = crops.enlarge(detected, frame_width, frame_height, Cropping(scale=scale)).astype(np.float64)
    side = min(scale * max(width, height), frame_width, frame_height)
    np.testing.assert_allclose(box[2:] - box[:2], side, atol=1e-3)
    assert (box[:2] >= 0).all()
    assert (box[2:] <= (frame_width, frame_height)).all()


@given(st.floats(200, 400, width=32), st.floats(200, 400, width=32), st.floats(10, 120, width=32))
def test_square_box_keeps_its_centre_where_it_fits(x, y, side):
    detected = box_of(x - side / 2, y - side / 3, x + side / 2, y + side / 3)
    box = crops.enlarge(detected, 640, 640, SQUARE)
    np.testing.assert_allclose(box[:2] + box[2:], detected[:2] + detected[2:], atol=2e-3)


def test_square_box_is_shifted_no_further_than_needed():
    np.testing.assert_allclose(crops.enlarge(box_of(-10, 300, 90, 380), 640, 480, SQUARE), [0, 275, 130, 405])
    np.testing.assert_allclose(crops.enlarge(box_of(600, 430, 660, 490), 640, 480, SQUARE), [562, 402, 640, 480])


def test_square_box_of_a_face_larger_than_the_frame():
    np.testing.assert_allclose(crops.enlarge(box_of(100, 0, 500, 480), 640, 480, SQUARE), [60, 0, 540, 480])


def test_letterbox_scales_each_side_and_may_leave_the_frame():
    box = crops.enlarge(box_of(0, 10, 100, 60), 640, 480, Cropping(fit="letterbox", scale=1.5))
    np.testing.assert_allclose(box, [-25, -2.5, 125, 72.5])


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5, 5, 9, 4)])
def test_boxes_without_area_are_refused(box):
    with pytest.raises(ValueError, match="cannot be enlarged"):
        crops.enlarge(box_of(*box), 100, 100, SQUARE)
    with pytest.raises(ValueError, match="cannot be cropped"):
        crops.crop(noise(50, 50), box_of(*box), SQUARE)


@pytest.mark.parametrize("fit", ["square", "letterbox"])
def test_box_of_the_crops_size_gives_the_pixels_themselves(fit):
    frame = noise(300, 400)
    cut = crops.crop(frame, box_of(17, 9, 17 + 256, 9 + 256), Cropping(fit=fit))
    np.testing.assert_array_equal(cut, frame[9 : 9 + 256, 17 : 17 + 256])


@pytest.mark.parametrize("side", [512, 333, 1024])
def test_shrinking_is_area_averaging(side):
    frame = noise(1100, 1100)
    cut = crops.crop(frame, box_of(31, 7, 31 + side, 7 + side), SQUARE)
    reference = cv2.resize(frame[7 : 7 + side, 31 : 31 + side], (256, 256), interpolation=cv2.INTER_AREA)
    assert np.abs(cut.astype(int) - reference).max() <= 1


def test_growing_is_linear_interpolation():
    frame = noise(120, 120)
    cut = crops.crop(frame, box_of(0, 0, 120, 120), SQUARE)
    reference = cv2.resize(frame, (256, 256), interpolation=cv2.INTER_LINEAR)
    assert np.abs(cut.astype(int) - reference).max() <= 1


@given(st.floats(0, 200, width=32), st.floats(0, 100, width=32), st.floats(20, 200, width=32))
def test_crop_samples_where_the_box_says_to_a_fraction_of_a_pixel(left, top, side):
    # On a plane both averaging and interpolation return the plane's value at the sample's centre.
    y, x = np.mgrid[:300, :400]
    plane = np.repeat((0.3 * x + 0.4 * y)[..., None], 3, axis=2).astype(np.uint8)
    box = box_of(left, top, left + side, top + side)
    cut = crops.crop(plane, box, Cropping(size=64))[..., 0]
    at = (np.arange(64) + 0.5) * side / 64 - 0.5
    expected = 0.3 * (left + at)[None, :] + 0.4 * (top + at)[:, None] - 0.45  # the plane was rounded down
    inner = slice(8, -8)  # the frame's own edge is repeated
    assert np.abs(cut[inner, inner] - expected[inner, inner]).max() <= 1.2


@pytest.mark.parametrize("fit", ["square", "letterbox"])
@pytest.mark.parametrize("value", [0, 77, 255])
def test_constant_frames_stay_constant(fit, value):
    frame = np.full((200, 300, 3), value, np.uint8)
    assert (crops.crop(frame, box_of(20.3, 10.7, 120.3, 110.7), Cropping(fit=fit)) == value).all()


def test_same_box_is_same_geometry_in_any_frame():
    one, other, box = noise(200, 300, 1), noise(200, 300, 2), box_of(20.3, 10.7, 170.9, 161.3)
    both = np.hstack([one[:, :300], other])
    np.testing.assert_array_equal(crops.crop(one, box, SQUARE), crops.crop(both[:, :300], box, SQUARE))
    difference = crops.crop(one, box, SQUARE).astype(int) - crops.crop(other, box, SQUARE)
    changed = one.copy()
    changed[60:90, 80:120] = other[60:90, 80:120]
    inside = (crops.crop(changed, box, SQUARE) != crops.crop(one, box, SQUARE)).any(axis=2)
    corners = crops.to_crop(box_of(80, 60, 120, 90), box, SQUARE)
    rows, columns = np.nonzero(inside)
    np.testing.assert_allclose([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], corners, atol=2.5)
    assert np.abs(difference).max() > 0


def test_mask_has_the_frames_geometry():
    grey = noise(200, 300)[..., 0]
    for settings in (SQUARE, LETTERBOX):
        box = box_of(20.3, 10.7, 170.9, 131.3)
        in_colour = crops.crop(np.repeat(grey[..., None], 3, axis=2), box, settings)
        np.testing.assert_array_equal(crops.crop_mask(grey, box, settings), in_colour[..., 1])


def test_mask_of_zeros_and_ones_keeps_its_units():
    mask = np.zeros((100, 100), np.uint8)
    mask[20:60, 30:70] = 1
    cut = crops.crop_mask(mask, box_of(0, 0, 100, 100), Cropping(size=50))
    np.testing.assert_array_equal(np.unique(cut), [0, 1])
    assert cut.sum() == 20 * 20


def test_letterbox_pads_with_zeros_around_the_middle():
    frame = np.full((200, 300, 3), 200, np.uint8)
    cut = crops.crop(frame, box_of(50, 20, 150, 70), Cropping(fit="letterbox", size=64))
    assert (cut[16:48] == 200).all()
    assert (cut[:16] == 0).all()
    assert (cut[48:] == 0).all()
    outside = crops.crop(frame, box_of(-50, -50, 50, 50), Cropping(fit="letterbox", size=64))
    assert (outside[33:, 33:] == 200).all()
    assert (outside[:31] == 0).all()


@given(st.floats(0.5, 3), st.floats(0.5, 3))
def test_rescaled_there_and_back(across, down):
    box, small, large = box_of(10.5, 20.25, 200, 180.75), (640, 480), (round(640 * across), round(480 * down))
    np.testing.assert_allclose(crops.rescale(crops.rescale(box, small, large), large, small), box, rtol=1e-5)
    np.testing.assert_array_equal(crops.rescale(box, small, small), box)


def test_fake_of_another_size_shows_the_same():
    y, x = np.mgrid[:240, :320]
    frame = np.stack([128 + 100 * np.sin(x / 20), 128 + 100 * np.cos(y / 15), 0.5 * x], -1).astype(np.uint8)
    larger = cv2.resize(frame, (640, 480), interpolation=cv2.INTER_LINEAR)
    box = box_of(40.5, 30.25, 200.5, 190.25)
    one = crops.crop(frame, box, SQUARE)
    other = crops.crop(larger, crops.rescale(box, (320, 240), (640, 480)), SQUARE)
    assert np.abs(one.astype(int) - other).max() <= 4


@pytest.mark.parametrize("fit", ["square", "letterbox"])
def test_points_land_where_their_pixels_land(fit):
    frame = np.zeros((240, 320, 3), np.uint8)
    cv2.circle(frame, (150, 100), 6, (255, 255, 255), -1)
    settings, box = Cropping(fit=fit), box_of(101.3, 42.6, 240.3, 161.6)
    cut = crops.crop(frame, box, settings)[..., 0].astype(float)
    y, x = np.mgrid[:256, :256]
    middle = np.array([(cut * (x + 0.5)).sum(), (cut * (y + 0.5)).sum()]) / cut.sum()
    np.testing.assert_allclose(crops.to_crop(np.array([[150.5, 100.5]]), box, settings)[0], middle, atol=0.05)


def test_the_box_itself_fills_the_crop():
    box = box_of(10.5, 20.25, 110.5, 120.25)
    np.testing.assert_allclose(crops.to_crop(box, box, SQUARE), [0, 0, 256, 256], atol=1e-4)
    wide = box_of(10, 20, 110, 70)
    np.testing.assert_allclose(crops.to_crop(wide, wide, LETTERBOX), [0, 64, 256, 192], atol=1e-4)
