"""Trees of face crops become stores by the same pipeline, and what was exported comes back as it was."""

import json

import cv2
import numpy as np
import pytest
import stores

from pipeline.exchange import Choice, export
from pipeline.exchange.importing import formats, manifest_of
from pipeline.exchange.selection import choose
from pipeline.inspect.verify import verify
from pipeline.manifest import scan
from pipeline.manifest.readers.crops import real_of


def put(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / path), np.zeros((4, 4, 3), np.uint8))


def videos(form, root):
    found = scan(manifest_of(form), root)
    return {(v.id, v.method, v.compression, v.split, v.target, v.path, v.mask) for v in found.videos}


def rows_of(location):
    """Return the rows of a store by what they show."""
    rows = choose(str(location), Choice(split=("test",)))
    found = {}
    for row in rows.picked.tolist():
        face = rows.face(row)
        found[face.method, face.compression, rows.video(face.video, "id"), face.frame] = row
    return found


def test_a_store_comes_back_from_deepfakebench(tiny_store, scheduler, tmp_path, prep):
    export(str(tiny_store), "deepfakebench", tmp_path / "bench", Choice(split=("test",)))
    target = tmp_path / "back.zarr"
    said = prep("import", tmp_path / "bench", "--format", "deepfakebench", "--store", target, "--scheduler", scheduler)
    assert said.status == 0, said.err
    before, after = rows_of(tiny_store), rows_of(target)
    label = stores.columns(tiny_store)["label"]
    shared = [key for key, row in before.items() if label[row] == (key[0] != "real")]
    assert set(after) == set(shared)
    for name in ("image", "ssim", "mask", "noise"):
        old, new = stores.pixels(tiny_store, name), stores.pixels(target, name)
        for key in shared:
            assert np.array_equal(old[before[key]], new[after[key]]), (name, key)
    assert verify(str(target), scheduler=scheduler) == []


def test_deepfakebenchs_json_names_classes_splits_and_compressions(tmp_path):
    base = "FaceForensics++"
    real, fake = (
        f"{base}/original_sequences/youtube/c23/frames/000",
        f"{base}/manipulated_sequences/Deepfakes/c23/frames",
    )
    put(tmp_path / "rgb", f"{real}/007.png", f"{fake}/000_003/007.png", f"{fake}/005_006/001.png")
    put(tmp_path / "rgb", f"{fake.replace('frames', 'masks')}/000_003/007.png")
    here = "C:\\\\data\\\\".replace("\\\\", "\\")

    def entry(label, folder):
        return {"label": label, "frames": [f"{here}{folder}/007.png".replace("/", "\\")]}

    reals = {"train": {"c23": {}}, "val": {"c23": {}}, "test": {"c23": {"000": entry("FF-real", real)}}}
    fakes = {"train": {"c23": {"005_006": entry("FF-DF", f"{fake}/005_006")}}, "val": {"c23": {}},
             "test": {"c23": {"000_003": entry("FF-DF", f"{fake}/000_003")}}}  # fmt: skip
    (tmp_path / "dataset_json").mkdir()
    (tmp_path / "dataset_json/FF-DF.json").write_text(json.dumps({"FF-DF": {"FF-real": reals, "FF-DF": fakes}}))
    (tmp_path / "dataset_json/other.json").write_text("[1]")
    mask = f"rgb/{fake.replace('frames', 'masks')}/000_003"
    assert videos("deepfakebench", tmp_path) == {
        ("000", "real", "c23", "test", "000", f"rgb/{real}", None),
        ("000_003", "Deepfakes", "c23", "test", "000", f"rgb/{fake}/000_003", mask),
        ("005_006", "Deepfakes", "c23", "train", "", f"rgb/{fake}/005_006", None),
    }


def test_a_video_in_several_splits_is_tested_on(tmp_path):
    put(tmp_path, "UADFV/real/frames/0000/000.png", "UADFV/fake/frames/0000_fake/000.png")
    group = {
        label: {
            split: {name: {"label": label, "frames": [f"./datasets/rgb/UADFV/{folder}/frames/{name}/000.png"]}}
            for split in ("train", "val", "test")
        }
        for label, folder, name in (("UADFV_Real", "real", "0000"), ("UADFV_Fake", "fake", "0000_fake"))
    }
    (tmp_path / "UADFV.json").write_text(json.dumps({"UADFV": group}))
    found = scan(manifest_of("deepfakebench"), tmp_path)
    assert {(v.id, v.split, v.target) for v in found.videos} == {
        ("0000", "test", "0000"),
        ("0000_fake", "test", "0000"),
    }
    assert any("2 videos are in several splits" in note for note in found.notes)


def test_without_json_the_paths_say_it(tmp_path):
    put(tmp_path, "Celeb-real/frames/id0_0001/3.png", "Celeb-synthesis/frames/id0_id1_0001/3.png")
    assert {row[:3] + row[4:5] for row in videos("deepfakebench", tmp_path)} == {
        ("id0_0001", "real", "native", "id0_0001"),
        ("id0_id1_0001", "fake", "native", "id0_0001"),
    }


def test_folders_of_videos(tmp_path):
    put(tmp_path, "train/real/a/1.png", "train/fake/Swap/c40/a_b/1.png", "train/masks/Swap/c40/a_b/1.png")
    put(tmp_path, "test/0_real/c/1.png", "test/1_fake/d/1.png")
    assert videos("folders", tmp_path) == {
        ("a", "real", "native", "train", "a", "train/real/a", None),
        ("a_b", "Swap", "c40", "train", "", "train/fake/Swap/c40/a_b", "train/masks/Swap/c40/a_b"),
        ("c", "real", "native", "test", "c", "test/0_real/c", None),
        ("d", "fake", "native", "test", "", "test/1_fake/d", None),
    }


def test_loose_crops_are_videos_of_their_own_and_folders_of_fakes_methods(tmp_path):
    put(tmp_path, "val/real/1.png", "val/real/2.png", "val/fake/Swap/1.png", "val/fake/Blend/9.png")
    assert {row[:2] + row[4:6] for row in videos("folders", tmp_path)} == {
        ("1", "real", "1", "val/real/1.png"),
        ("2", "real", "2", "val/real/2.png"),
        ("1", "Swap", "1", "val/fake/Swap/1.png"),
        ("9", "Blend", "", "val/fake/Blend/9.png"),
    }


def test_a_fake_without_a_pair_has_no_label_that_needs_one(tmp_path, scheduler, prep):
    rng = np.random.default_rng(0)
    for path in ("test/real/1.png", "test/fake/7.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / path), rng.integers(0, 255, (48, 48, 3), dtype=np.uint8))
    said = prep("import", tmp_path, "--format", "folders", "--store", tmp_path / "a.zarr", "--scheduler", scheduler)
    assert said.status == 0, said.err
    columns, ssim = stores.columns(tmp_path / "a.zarr"), stores.pixels(tmp_path / "a.zarr", "ssim")
    assert columns["label"].tolist() == [0, 1]
    assert columns["real"].tolist() == [0, -1]
    assert [set(np.unique(values)) for values in ssim] == [{0}, {255}]
    assert ssim.shape[1] == 48, "crops keep their size"


@pytest.mark.parametrize("form", formats())
def test_a_folder_without_crops_is_one_sentence(form, tmp_path, prep):
    (tmp_path / "notes.txt").touch()
    said = prep("import", tmp_path, "--format", form, "--store", tmp_path / "a.zarr")
    assert said.status == 2
    assert "holds nothing of" in said.err


def test_a_name_is_a_pair_only_where_it_is_the_only_one():
    assert real_of("000_001", {"000", "001"}) == ("000",)
    assert real_of("x_y_z", {"x_y", "x_z"}) == ()
