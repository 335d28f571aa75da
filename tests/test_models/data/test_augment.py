"""Image, twin and maps move together; maps know where they know nothing; any part of a batch is drawn as the whole."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data.augment import CORNERS, augment, draw, geometry, homography
from models.detectors.spec import GEOMETRIC, OPERATIONS, Augmentation
from models.nn.jpeg import jpeg

RANGES = {
    "flip": (0, 0),
    "rotate": (-10, 10),
    "perspective": (0.5, 0.5),
    "crop": (0.8, 0.9),
    "noise": (0.02, 0.04),
    "blur": (3, 7),
    "brightness": (0.8, 1.2),
    "contrast": (0.8, 1.2),
    "saturation": (0.8, 1.2),
    "tint": (0.1, 0.2),
    "jpeg": (60, 90),
}
ALL = [Augmentation(name, 0.7, *RANGES[name]) for name in OPERATIONS]


def smooth(rows, side=32, channels=3):
    small = torch.rand(rows, channels, 4, 4, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(small, (side, side), mode="bilinear", align_corners=False)


@pytest.mark.parametrize("name", GEOMETRIC)
def test_everything_moves_together(name):
    image = smooth(6)
    batch = {"image": image, "twin": image.clone(), "mask": image[:, :1], "noise": image[:, 1:2]}
    steps = [Augmentation(name, 1.0, *RANGES[name])]
    moved = augment(batch, steps, draw(steps, 6, [1]))
    assert not torch.allclose(moved["image"], image, atol=0.01)
    assert torch.equal(moved["image"], moved["twin"])
    for channel, key in enumerate(("mask", "noise")):
        known = ~moved[key][:, 0].isnan()
        edged = torch.nn.functional.pad(known.float()[:, None], [1] * 4)
        inner = -torch.nn.functional.max_pool2d(-edged, 3, 1)[:, 0] == 1
        assert inner.float().mean() > 0.3
        assert torch.allclose(moved[key][:, 0][inner], moved["image"][:, channel][inner], atol=1e-5)


def test_outside_the_crop_nothing_is_known():
    steps = [Augmentation("rotate", 1.0, 10, 10)]
    batch = {"image": torch.ones(1, 3, 32, 32), "mask": torch.ones(1, 1, 32, 32)}
    moved = augment(batch, steps, draw(steps, 1, [0]))
    corner = moved["mask"][0, 0, 0, 0]
    assert corner.isnan()
    assert moved["image"][0, 0, 0, 0] < 0.5
    assert set(moved["mask"][~moved["mask"].isnan()].round(decimals=5).tolist()) == {1.0}


def test_unknown_pixels_move_along():
    steps = [Augmentation("flip", 1.0)]
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :3] = torch.nan
    moved = augment({"image": torch.zeros(1, 3, 8, 8), "mask": mask}, steps, draw(steps, 1, [0]))
    assert torch.equal(moved["mask"].isnan(), mask.flip(-1).isnan())


def test_a_mirrored_row_keeps_its_pixels():
    image = torch.rand(4, 3, 16, 16)
    steps = [Augmentation("flip", 0.5)]
    draws = draw(steps, 4, [5])
    moved = augment({"image": image}, steps, draws)["image"]
    assert 0 < draws.applied.sum() < 4
    for row, applied in enumerate(draws.applied[:, 0]):
        assert torch.equal(moved[row], image[row].flip(-1) if applied else image[row])


def test_rotation_and_crop_equal_opencv():
    image = smooth(1, 64)
    for steps in ([Augmentation("rotate", 1.0, 8, 8)], [Augmentation("crop", 1.0, 0.8, 0.8)]):
        draws = draw(steps, 1, [2])
        moved = augment({"image": image}, steps, draws)["image"][0].permute(1, 2, 0).numpy()
        to_pixels = np.array([[32, 0, 31.5], [0, 32, 31.5], [0, 0, 1]])
        matrix = to_pixels @ geometry(list(enumerate(steps)), draws)[0] @ np.linalg.inv(to_pixels)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        wanted = cv2.warpPerspective(image[0].permute(1, 2, 0).numpy(), matrix, (64, 64), flags=flags)
        assert np.abs(moved - wanted)[4:-4, 4:-4].max() < 0.02


@given(st.lists(st.floats(-0.3, 0.3), min_size=8, max_size=8))
def test_homographies_carry_their_corners(shifts):
    target = CORNERS + np.array(shifts).reshape(4, 2)
    moved = homography(CORNERS, target) @ np.concatenate([CORNERS, np.ones((4, 1))], 1).T
    assert np.allclose((moved[:2] / moved[2]).T, target, atol=1e-8)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_any_part_is_augmented_as_in_the_whole(seed):
    batch = {"image": smooth(5), "twin": smooth(5).flip(1), "mask": (smooth(5)[:, :1] > 0.5).float()}
    draws = draw(ALL, 5, [seed])
    whole = augment(batch, ALL, draws)
    part = slice(1, 4)
    some = augment({name: values[part] for name, values in batch.items()}, ALL, draws.take(part))
    for name, values in some.items():
        assert torch.allclose(values, whole[name][part], atol=1e-6, equal_nan=True)
    assert whole["image"].min() >= 0
    assert whole["image"].max() <= 1
    assert torch.equal(augment(batch, ALL, draws)["image"], whole["image"])


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - set(GEOMETRIC)))
def test_photometric_ones_spare_the_maps(name):
    steps = [Augmentation(name, 1.0, *RANGES[name])]
    mask = torch.rand(3, 1, 32, 32)
    changed = augment({"image": smooth(3), "mask": mask}, steps, draw(steps, 3, [1]))
    assert torch.equal(changed["mask"], mask)
    assert not torch.equal(changed["image"], smooth(3))


@pytest.mark.parametrize(
    ("name", "strength"), [("brightness", 1), ("contrast", 1), ("saturation", 1), ("noise", 0), ("tint", 0)]
)
def test_neutral_strengths(name, strength):
    steps = [Augmentation(name, 1.0, strength, strength)]
    assert torch.allclose(augment({"image": smooth(2)}, steps, draw(steps, 2, [0]))["image"], smooth(2), atol=1e-6)


def test_tint_is_one_factor_a_channel():
    steps = [Augmentation("tint", 1.0, 0.2, 0.2)]
    image = smooth(3) * 0.8  # nothing is cut off at 1
    factors = augment({"image": image}, steps, draw(steps, 3, [0]))["image"] / image
    assert torch.allclose(factors, factors[..., :1, :1].expand_as(factors), atol=1e-5)
    assert (factors[..., 0, 0] - 1).abs().max() <= 0.2
    assert len(set(factors[..., 0, 0].flatten().tolist())) == 9


def test_blur_equals_opencv():
    steps = [Augmentation("blur", 1.0, 5, 5)]
    image = torch.rand(1, 3, 32, 32)
    blurred = augment({"image": image}, steps, draw(steps, 1, [0]))["image"][0].permute(1, 2, 0).numpy()
    assert np.abs(blurred - cv2.GaussianBlur(image[0].permute(1, 2, 0).numpy(), (5, 5), 1.1)).max() < 1e-5


@pytest.mark.parametrize("quality", [60, 75, 90, 100])
def test_jpeg_is_near_the_library(quality):
    grain = torch.rand(2, 3, 48, 56, generator=torch.Generator().manual_seed(1)) - 0.5
    image = (torch.nn.functional.interpolate(smooth(2), (48, 56), mode="bilinear") + 0.15 * grain).clamp(0, 1)
    image = (image * 255).round() / 255
    ours = jpeg(image, torch.full((2,), float(quality))) * 255
    for row in range(2):
        pixels = (image[row].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        theirs = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].astype(float)
        own = ours[row].permute(1, 2, 0).numpy()
        change = np.abs(theirs - pixels).mean()
        assert np.abs(own - theirs).mean() < 0.15 * change + 0.3  # grey levels
        assert np.abs(own - pixels).mean() == pytest.approx(change, rel=0.1, abs=0.2)
