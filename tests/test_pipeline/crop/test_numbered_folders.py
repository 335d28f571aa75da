"""Tests of folders of frames from which some are missing: pairs and labels are those of whole folders."""

import csv

import cv2
import footage
import numpy as np
import pytest
import stores

from pipeline.config import overlay
from pipeline.inspect.verify import verify
from pipeline.manifest import load_manifest, scan
from pipeline.stages.run import Job, run

COUNT = 6
CHANGES = {"labelling": {"kinds": ["ssim", "mask", "hull"]}, "blending": {"kinds": []}}


def write(root, first=0, lacking=()):
    """Write a pair of folders and its mask; `lacking` names images as (role, frame)."""
    for role in ("real", "fake", "mask"):
        (root / role).mkdir(parents=True)
        for number in range(COUNT):
            if (role, number) not in lacking:
                # several steps of the footage, so that a pair of neighbours would show in every label
                picture = footage.frame(role, 0, 4 * number)[..., ::-1]
                cv2.imwrite(str(root / role / f"{role}7_{number + first:03}.png"), picture)
    with (root / "pairs.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["real", "fake", "mask"], ["real", "fake", "mask"]])
    return root / "pairs.csv"


@pytest.fixture(scope="module")
def store_of(tiny, tmp_path_factory, scheduler):
    def make(name, **how):
        root = tmp_path_factory.mktemp(name)
        recipe = overlay(tiny.recipe, {**CHANGES, "sampling": {"method": "all"}}, "test")
        run(Job(scan(load_manifest("pairs"), write(root, **how)), recipe, str(root / "a.zarr")), scheduler=scheduler)
        return root / "a.zarr"

    return make


@pytest.fixture(scope="module")
def whole(store_of):
    return labels(store_of("whole"))


def labels(location):
    """Return, for each frame of the fake, its labels."""
    rows = stores.columns(location)
    fakes = np.flatnonzero(rows["method"] == 1)
    kinds = {kind: stores.pixels(location, kind) for kind in ("ssim", "mask", "hull")}
    return {int(rows["frame"][row]): {kind: values[row] for kind, values in kinds.items()} for row in fakes}


def same(one, other, kinds=("ssim", "mask", "hull")):
    return all(np.array_equal(one[kind], other[kind]) for kind in kinds)


def rejected(location):
    found = stores.columns(location, "rejected")
    return list(zip(found["frame"].tolist(), found["stage"], found["reason"], found["rows"].tolist(), strict=True))


@pytest.mark.parametrize("first", [0, 1, 40])
def test_a_fake_without_one_frame_keeps_the_pairs_of_all_others(store_of, whole, scheduler, first):
    location = store_of(f"fake{first}", first=first, lacking=[("fake", 2)])
    found = labels(location)
    assert sorted(found) == [0, 1, 3, 4, 5]
    assert all(same(found[frame], whole[frame]) for frame in found)
    assert not same(whole[3], whole[4]), "labels of neighbours differ: a shift would show"
    assert rejected(location) == [(2, "pair", "the folder has no image of frame 2", 1)]
    assert verify(str(location), scheduler=scheduler) == []


def test_a_fake_without_its_first_frame(store_of, whole):
    found = labels(store_of("first", lacking=[("fake", 0)]))
    assert sorted(found) == [1, 2, 3, 4, 5]
    assert all(same(found[frame], whole[frame]) for frame in found)


def test_a_real_without_one_frame_loses_that_frame_alone(store_of, whole):
    location = store_of("real", lacking=[("real", 3)])
    found = labels(location)
    assert sorted(found) == [0, 1, 2, 4, 5]
    assert all(same(found[frame], whole[frame]) for frame in found)
    assert stores.columns(location)["video_frames"].tolist() == [6, 6]


def test_a_mask_without_one_frame_lacks_that_label_alone(store_of, whole):
    location = store_of("mask", lacking=[("mask", 1)])
    found = labels(location)
    assert (found.pop(1)["mask"] == 255).all()
    assert all(same(found[frame], whole[frame]) for frame in found)
    ((frame, stage, reason, rows),) = rejected(location)
    assert (frame, stage, rows) == (1, "mask", 0)
    assert reason.startswith("its mask mask has no image of 1 of the kept frames")
