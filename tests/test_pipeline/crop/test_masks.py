"""How a mask's values are meant: found from the pair, or the mask is refused."""

import cv2
import numpy as np
import pytest
from skimage import data

from pipeline.config import Recipe
from pipeline.crop import masks
from pipeline.crop.reading import Context
from pipeline.crop.staging import Source
from pipeline.manifest import REAL, Video

SIDE = 512
FACE = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (220, 130), 60, 255, cv2.FILLED)


@pytest.fixture
def understood(tmp_path):
    """Return a function that writes a still pair and a mask, and gives how the mask is understood."""
    real = data.astronaut()
    cv2.imwrite(str(tmp_path / "real.png"), real)
    cv2.imwrite(str(tmp_path / "fake.png"), np.where(FACE[..., None] > 0, 255 - real, real))

    def call(mask):
        cv2.imwrite(str(tmp_path / "mask.png"), mask)
        about = ("native", "train", "a", "a")
        fake = Video("f", "fake.png", "Swap", *about, mask="mask.png")
        sources = [Source(video, 1, SIDE, SIDE, "") for video in (fake, Video("a", "real.png", REAL, *about))]
        (found,), rejects = masks.understood(sources[:1], sources[1:], Context(tmp_path, Recipe()))
        grey = dict(masks.read(tmp_path / "mask.png", [0], masks.how_of(found))) if found.video.mask else {}
        return found, rejects, grey

    return call


@pytest.mark.parametrize("mask", [FACE, 255 - FACE, FACE // 255, 1 - FACE // 255, cv2.merge([FACE, FACE // 2, FACE])])
def test_masks_in_every_manner_say_the_same(mask, understood):
    found, rejects, grey = understood(mask)
    assert rejects == []
    assert found.mask_inverted == (mask[0, 0].max() > 0)
    np.testing.assert_array_equal(grey[0] > 25, FACE > 0)


def test_a_face_that_fills_the_frame_is_not_inverted(understood):
    found, rejects, _ = understood(cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (230, 200), 240, 255, cv2.FILLED))
    assert (found.mask_inverted, rejects) == (False, [])


def test_a_photograph_is_refused_with_the_reason(understood):
    found, (reject,), _ = understood(data.astronaut())
    assert found.video.mask is None
    assert reject.reason == "its mask mask.png is a picture of many colours: no mask label"
    assert (reject.stage, reject.rows) == ("mask", 0)


@pytest.mark.parametrize("side", [64, 171, 700])
def test_masks_of_other_sizes_are_read(side, understood):
    found, rejects, _ = understood(cv2.resize(FACE, (side, side), interpolation=cv2.INTER_NEAREST))
    assert (found.video.mask, rejects) == ("mask.png", [])


@pytest.mark.parametrize(("width", "height"), [(SIDE, SIDE // 2), (SIDE, 480), (300, SIDE), (1, 90)])
def test_masks_of_another_shape_are_refused(width, height, understood):
    found, (reject,), _ = understood(cv2.resize(FACE, (width, height)))
    assert found.video.mask is None
    assert reject.reason == (
        f"its mask mask.png is of {width}x{height} pixels, which is not the shape of {SIDE}x{SIDE}: no mask label"
    )
