"""One blend: its image and its labels."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from pipeline.blend import Blend, parameters, render
from pipeline.blend.composite import composite, distort, feather, landmark_hull
from pipeline.config import Blending, Labelling
from pipeline.errors import RejectError
from pipeline.labels.boundary import ring

SIDE = 256
A = np.ascontiguousarray(data.astronaut()[0:SIDE, 96 : 96 + SIDE])
B = cv2.resize(data.chelsea()[20:280, 80:340], (SIDE, SIDE))
PLAIN = Blending(colour_transfer=False, feather=0.0)
STILL = Blending(colour_transfer=False, feather=0.0, sigma_low=0.0, sigma_high=0.0, erode=1, dilate=1)
LABELLING = Labelling()


def landmarks() -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    return np.stack([128 + 55 * np.cos(angle), 125 + 75 * np.sin(angle)], axis=1).astype(np.float32)


def changed() -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(mask, (128, 130), (50, 68), 0, 0, 360, 1, -1)
    return mask


def blend(kind: str, seed: int, settings: Blending) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return render(Blend(kind, 1, 2, seed), A, B, landmarks(), changed() if kind == "fr" else None, settings, LABELLING)


@pytest.mark.parametrize("settings", [PLAIN, Blending(), Blending(feather=1.0)])
def test_an_empty_mask_gives_b(settings: Blending) -> None:
    np.testing.assert_array_equal(composite(A, B, np.zeros((SIDE, SIDE), np.uint8), settings), B)


@pytest.mark.parametrize("feather", [0.0, 0.2])
def test_a_full_mask_gives_a(feather: float) -> None:
    settings = Blending(colour_transfer=False, feather=feather)
    np.testing.assert_array_equal(composite(A, B, np.ones((SIDE, SIDE), np.uint8), settings), A)


def test_without_extras_the_image_is_a_inside_and_b_outside() -> None:
    expected = np.where(changed()[..., None] == 1, A, B)
    np.testing.assert_array_equal(composite(A, B, changed(), PLAIN), expected)


@pytest.mark.parametrize("kind", ["rr", "fr"])
@pytest.mark.parametrize("seed", range(5))
def test_outside_the_mask_every_pixel_is_that_of_b(kind: str, seed: int) -> None:
    image, _, boundary = blend(kind, seed, Blending())
    plain, _, same = blend(kind, seed, PLAIN)
    np.testing.assert_array_equal(boundary, same)
    touched = (image != B).any(axis=2)
    assert touched.any()
    # |A - B| can be 0 by chance, so the region pasted without extras lies within the mask but need not be all of it
    limit = cv2.morphologyEx((plain != B).any(axis=2).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    assert not touched[(limit | boundary) == 0].any()


@pytest.mark.parametrize("seed", range(5))
def test_real_into_real_has_nothing_synthesised(seed: int) -> None:
    _, hull, boundary = blend("rr", seed, Blending())
    assert not hull.any()
    assert set(np.unique(boundary)) == {0, 1}


@pytest.mark.parametrize("seed", range(5))
def test_fake_into_real_is_labelled_by_its_mask_and_ring(seed: int) -> None:
    image, hull, boundary = blend("fr", seed, PLAIN)
    np.testing.assert_array_equal(boundary, ring(hull, LABELLING.boundary_kernel))
    np.testing.assert_array_equal(image, np.where(hull[..., None] == 1, A, B))
    expanded = cv2.dilate(changed(), np.ones((15, 15), np.uint8))
    assert (hull <= expanded).all()
    assert set(np.unique(hull)) == {0, 1}


def test_without_distortion_the_masks_are_those_of_the_paper() -> None:
    face = landmark_hull(landmarks(), (SIDE, SIDE))
    image, _, boundary = blend("rr", 0, STILL)
    np.testing.assert_array_equal(image, np.where(face[..., None] == 1, A, B))
    np.testing.assert_array_equal(boundary, ring(face, 7))
    _, hull, _ = blend("fr", 0, STILL)
    np.testing.assert_array_equal(hull, face & cv2.dilate(changed(), np.ones((15, 15), np.uint8)))


def test_the_landmark_hull_bounds_the_expanded_difference() -> None:
    far = np.zeros((SIDE, SIDE), np.uint8)
    far[:, 100:] = 1
    _, hull, _ = render(Blend("fr", 1, 2, 0), A, B, landmarks(), far, STILL, LABELLING)
    face = landmark_hull(landmarks(), (SIDE, SIDE))
    assert (hull <= face).all()
    np.testing.assert_array_equal(hull[:, 100:], face[:, 100:])


@pytest.mark.parametrize("kind", ["rr", "fr"])
def test_a_blend_is_a_function_of_its_seed(kind: str) -> None:
    first, again, other = (blend(kind, seed, Blending()) for seed in (11, 11, 12))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first[2] != other[2]).any()


def test_inputs_are_left_alone() -> None:
    before = A.copy(), B.copy(), changed()
    difference = changed()
    render(Blend("fr", 1, 2, 0), A, B, landmarks(), difference, Blending(), LABELLING)
    for array, copy in zip((A, B, difference), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_distortion_by_nothing_is_the_identity() -> None:
    for mask in (changed(), np.ones((40, 70), np.uint8), landmark_hull(landmarks(), (SIDE, SIDE))):
        np.testing.assert_array_equal(distort(mask, np.zeros((2, 4, 4))), mask)


def test_equal_shifts_move_the_mask_as_a_whole() -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 30:50] = 1
    shifts = np.stack([np.full((4, 4), 5.0), np.full((4, 4), -8.0)])  # a pixel looks right and up
    np.testing.assert_array_equal(distort(mask, shifts), np.roll(mask, (8, -5), axis=(0, 1)))


def test_shifts_are_those_of_the_nodes_and_linear_between_them() -> None:
    mask = np.zeros((91, 91), np.uint8)
    mask[:, 40:] = 1
    shifts = np.zeros((2, 4, 4))
    shifts[0, 1] = 12.0  # the second row of nodes, at image row 30, looks 12 pixels to the right
    edges = distort(mask, shifts).argmax(axis=1)
    assert edges[0] == 40
    assert edges[30] == 28
    assert edges[60] == 40
    np.testing.assert_allclose(edges[:31], 40 - 12 * np.arange(31) / 30, atol=1)


def test_spread_of_the_distortion_follows_sigma() -> None:
    def moved(sigma: float) -> float:
        settings = Blending(sigma_low=sigma, sigma_high=sigma, erode=1, dilate=1, colour_transfer=False, feather=0.0)
        still = landmark_hull(landmarks(), (SIDE, SIDE))
        return float(np.mean([(ring_of(seed, settings) ^ ring(still, 7)).mean() for seed in range(12)]))

    def ring_of(seed: int, settings: Blending) -> np.ndarray:
        return blend("rr", seed, settings)[2]

    assert moved(0.005) < moved(0.02) < moved(0.06)


def test_real_into_real_is_eroded_or_dilated_within_the_largest_kernels() -> None:
    settings = Blending(sigma_low=0.0, sigma_high=0.0, colour_transfer=False, feather=0.0)
    face = landmark_hull(landmarks(), (SIDE, SIDE))
    areas = []
    for seed in range(30):
        image, _, _ = blend("rr", seed, settings)
        touched = cv2.morphologyEx(
            (image != B).any(axis=2).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)
        )
        areas.append(int(touched.sum()))
        assert (touched <= cv2.dilate(face, np.ones((5, 5), np.uint8))).all()
    assert min(areas) < face.sum() < max(areas)
    assert min(areas) >= 0.98 * cv2.erode(face, np.ones((21, 21), np.uint8)).sum()


def test_colour_transfer_gives_a_the_mean_of_b_inside_the_mask() -> None:
    inside = np.clip(A.astype(int) // 4 + 150, 0, 255).astype(np.uint8)  # far from clipping
    outside = np.clip(B.astype(int) // 4 + 20, 0, 255).astype(np.uint8)
    image = composite(inside, outside, changed(), Blending(feather=0.0))
    within = changed() == 1
    np.testing.assert_allclose(image[within].mean(axis=0), outside[within].mean(axis=0), atol=0.5)
    np.testing.assert_allclose(np.std(image[within], axis=0), np.std(inside[within], axis=0), atol=0.5)
    without = composite(inside, outside, changed(), PLAIN)
    np.testing.assert_array_equal(without[within], inside[within])


def test_feathering_rises_from_the_edge_to_a_over_a_fifth_of_the_mask() -> None:
    black, white = np.zeros((SIDE, SIDE, 3), np.uint8), np.full((SIDE, SIDE, 3), 255, np.uint8)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[60:161, 50:201] = 1  # 101 by 151
    image = composite(white, black, mask, Blending(colour_transfer=False, feather=0.2))
    profile = image[60:161, 125, 0].astype(int)
    assert (np.diff(profile[:51]) >= 0).all()
    np.testing.assert_array_equal(profile, profile[::-1])
    np.testing.assert_allclose(profile[:30], 255 * np.arange(1, 31) / 30.2, atol=0.51)
    assert (profile[31:70] == 255).all()
    assert not image[mask == 0].any()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let OpenCV work as in a worker process, where its distances are not the same from call to call."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("one_thread")
def test_feathering_is_the_exact_distance_to_the_last_bit_wherever_a_mask_lies_in_memory() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(mask, (130, 120), (73, 97), 20, 0, 360, 1, -1)
    distance = np.sqrt(np.rint(ndimage.distance_transform_edt(mask) ** 2).astype(np.float32))
    for offset in range(40):
        moved = np.empty(mask.size + offset, np.uint8)[offset:].reshape(mask.shape)
        moved[:] = mask
        np.testing.assert_array_equal(feather(moved, SIDE), distance / distance.max())


def test_a_thin_mask_still_reaches_a_somewhere() -> None:
    black, white = np.zeros((SIDE, SIDE, 3), np.uint8), np.full((SIDE, SIDE, 3), 255, np.uint8)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[100:107, 20:220] = 1
    assert composite(white, black, mask, Blending(colour_transfer=False)).max() == 255


def test_masks_at_the_edge_of_the_image_feather_only_inside_it() -> None:
    black, white = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)
    mask = np.zeros((64, 64), np.uint8)
    mask[:, :32] = 1
    image = composite(white, black, mask, Blending(colour_transfer=False))
    assert (image[:, 0] == 255).all()
    assert 0 < image[0, 31, 0] < 60
    assert not image[:, 32:].any()


def test_a_blend_without_pixels_is_a_reject_that_names_its_rows() -> None:
    with pytest.raises(RejectError, match="Row 1 could not be blended into row 2"):
        render(Blend("fr", 1, 2, 0), A, B, landmarks(), np.zeros((SIDE, SIDE), np.uint8), Blending(), LABELLING)
    dot = np.zeros((SIDE, SIDE), np.uint8)
    dot[128, 128] = 1
    with pytest.raises(RejectError, match="8 pixels"):
        render(Blend("fr", 1, 2, 0), A, B, landmarks(), dot, Blending(expand=1), LABELLING)


def test_a_distortion_that_loses_the_mask_is_tried_again() -> None:
    small = (landmarks() - 128) * 0.12 + 128
    wild = Blending(sigma_low=0.3, sigma_high=0.3)
    image, _, boundary = render(Blend("rr", 1, 2, 4), A, B, small, None, wild, LABELLING)
    assert boundary.any()
    assert (image != B).any()


@pytest.mark.parametrize("seed", range(3))
def test_landmarks_beyond_the_image_are_cut_off(seed: int) -> None:
    image, _, boundary = render(Blend("rr", 1, 2, seed), A, B, landmarks() + 110, None, Blending(), LABELLING)
    assert image.shape == B.shape
    assert boundary.any()


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="one size"):
        render(Blend("rr", 1, 2, 0), A[1:], B, landmarks(), None, Blending(), LABELLING)
    with pytest.raises(ValueError, match="finite"):
        render(Blend("rr", 1, 2, 0), A, B, landmarks() * np.nan, None, Blending(), LABELLING)
    with pytest.raises(ValueError, match="difference"):
        render(Blend("fr", 1, 2, 0), A, B, landmarks(), None, Blending(), LABELLING)


def test_parameters_tell_settings_apart() -> None:
    assert parameters(Blending(), LABELLING) != parameters(Blending(feather=0.1), LABELLING)
    assert parameters(Blending(), LABELLING) != parameters(Blending(), Labelling(boundary_kernel=9))
