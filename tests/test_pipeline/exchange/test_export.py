"""Exports hold what the store holds, in files that a loader written from the formats' documentation reads."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import stores
from tinystore import make_store

from pipeline import store
from pipeline.errors import ConfigError, StoreError, WriteError
from pipeline.exchange import Choice, export
from pipeline.exchange.selection import choose


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("export") / "tiny.zarr", size=32, blends=False)


def crop(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


class BenchLoader:
    """What DeepfakeBench's loader does to its files, from its documentation: JSON -> paths -> crop, mask, landmarks."""

    def __init__(self, root, name, mode, labels, compression="", level=False):
        self.root, self.items = root, []
        described = json.loads((root / "dataset_json" / f"{name}.json").read_text())[name]
        for group in described.values():
            videos = group[mode][compression] if level else group[mode]
            for video in videos.values():
                frames = sorted(video["frames"], key=lambda path: int(path.split("/")[-1].split(".")[0]))
                self.items += [(path, labels[video["label"]]) for path in frames]

    def _here(self, path):
        return self.root / "rgb" / path.removeprefix("./datasets/rgb/")

    def __getitem__(self, index):
        path, label = self.items[index]
        mask = self._here(path.replace("frames", "masks"))
        points = self._here(path.replace("frames", "landmarks").replace(".png", ".npy"))
        return (
            crop(self._here(path)),
            label,
            cv2.imread(str(mask), 0) / 255 if mask.exists() else None,
            np.load(points) if points.exists() else None,
        )


def labels_of(out):
    lines = (out / "config.yaml").read_text().split("label_dict:\n")[1].splitlines()
    return {json.loads(name): int(number) for name, number in (line.strip().rsplit(": ", 1) for line in lines)}


def found(location, **wanted):
    """Return the rows of a store whose columns have these names."""
    return choose(location, Choice(**{name: (value,) for name, value in wanted.items()})).picked


def test_deepfakebench_is_read_by_a_loader_of_its_documentation(made, tmp_path):
    out = tmp_path / "bench"
    export(made, "deepfakebench", out)
    images, masks = stores.pixels(made, "image"), stores.pixels(made, "mask")
    columns = stores.columns(made)
    for mode in ("train", "val", "test"):
        loaded = BenchLoader(out, "tiny_c40", mode, labels_of(out))
        rows = found(made, split=mode, compression="c40")
        assert len(loaded.items) == len(rows)
        by_pixels = {images[row].tobytes(): row for row in rows}
        for image, label, mask, points in loaded:
            row = by_pixels.pop(image.tobytes())
            assert label == columns["label"][row]
            assert np.array_equal(mask, masks[row])
            assert np.array_equal(points, columns["landmarks"][row])
        assert not by_pixels


def test_faceforensics_has_the_benchmarks_names(tmp_path):
    location = make_store(
        tmp_path / "a.zarr", size=32, frames=1, people=1, methods=("Deepfakes", "FaceShifter"), blends=False,
        dataset="ffpp", kinds=("ssim",),
    )  # fmt: skip
    export(location, "deepfakebench", tmp_path / "out", Choice(compression=("c23",)))
    files = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "out/dataset_json").iterdir()}
    assert {name: set(held[name]) for name, held in files.items()} == {
        "FaceForensics++": {"FF-real", "FF-DF"},
        "FF-DF": {"FF-real", "FF-DF"},
        "FaceShifter": {"FF-real", "FF-FH"},
    }
    assert set(files["FF-DF"]["FF-DF"]["FF-DF"]) == {"train", "val", "test"}
    loaded = BenchLoader(tmp_path / "out", "FF-DF", "test", {"FF-real": 0, "FF-DF": 1}, "c23", level=True)
    assert [label for _, label in loaded.items] == [0, 1]
    assert loaded[1][2].any(), "ssim stands in where the store has no mask"


def test_paths_are_those_of_the_dataset_with_frames_for_videos(tmp_path):
    location = make_store(tmp_path / "a.zarr", size=32, frames=1, blends=False, methods=("Swap",), people=1)
    group = store.open_group(location, "r+")
    paths = [
        f"{path.split('/')[0]}/c23/videos/{path.split('/')[-1]}" for path in store.read_columns(group)["video_path"]
    ]
    paths[0] = "/elsewhere/a.mp4"
    store.write_column(group, "video_path", paths)
    export(location, "deepfakebench", tmp_path / "out", Choice(split=("train",), kind=("ssim",)))
    rgb = tmp_path / "out/rgb/tiny"
    assert {path.relative_to(rgb).as_posix() for path in rgb.rglob("frames/*")} == {
        "real/c23/frames/train0",
        "real/c23/frames/train0_v1",
        "Swap/c23/frames/train0_Swap",
        "Swap/c23/frames/train0_Swap_v3",
    }
    assert len(list(rgb.rglob("masks/*/*.png"))) == 4


def test_folders_hold_every_row_and_say_all_of_it(made, tmp_path):
    out = tmp_path / "out"
    count, remarks = export(made, "folders", out, Choice(kind=("mask", "noise")))
    with (out / "rows.csv").open() as stream:
        table = list(csv.DictReader(stream))
    columns, images = stores.columns(made), stores.pixels(made, "image")
    masks, noise = stores.pixels(made, "mask"), stores.pixels(made, "noise")
    assert count == len(table) == len(images)
    assert not remarks
    for row, line in enumerate(table):
        assert np.array_equal(crop(out / line["file"]), images[row])
        assert f"images/{line['split']}/{('real', 'fake')[int(line['label'])]}/" in line["file"]
        assert table[columns["real"][row]]["file"] == line["real"]
        inside = Path(line["file"]).relative_to("images")
        assert np.array_equal(cv2.imread(str(out / "mask" / inside), 0), masks[row] * 255)
        assert np.array_equal(np.load(out / "noise" / inside.with_suffix(".npy")), noise[row])


def test_what_is_no_label_has_no_file_and_what_was_turned_real_is_left_out(tmp_path):
    location = make_store(tmp_path / "a.zarr", size=32, blends=False, splits=("train",), kinds=("mask",), frames=1)
    group = store.open_group(location, "r+")
    label, marks = store.read(store.array_of(group, "label")), store.read(store.array_of(group, "landmarks"))
    first = int(np.flatnonzero(label)[0])
    label[first], marks[first + 1] = 0, np.nan
    store.write_column(group, "label", label)
    store.write_column(group, "landmarks", marks)
    masks = store.array_of(group, "mask")
    values = store.read(masks)
    values[first + 1] = 255
    for number in range(store.shard_count(masks)):
        store.write_shard(masks, number, values[slice(*store.shard_rows(masks, number))])
    _, remarks = export(location, "folders", tmp_path / "out")
    assert [remark.split()[0] for remark in remarks] == ["1", "1"]
    written = {name: len(list((tmp_path / "out" / name).rglob("*.*"))) for name in ("images", "mask", "landmarks")}
    assert written == {"images": len(label) - 1, "mask": len(label) - 2, "landmarks": len(label) - 2}


def test_two_people_of_one_video_have_folders_of_their_own(tmp_path):
    location = make_store(tmp_path / "a.zarr", size=32, blends=False, splits=("test",), kinds=("mask",), frames=2)
    group = store.open_group(location, "r+")
    columns = store.read_columns(group)
    frames = columns["frame"] * 0  # two faces of one frame, where there were two frames
    store.write_column(group, "frame", frames)
    export(location, "folders", tmp_path / "out")
    images = {path.parent.name for path in (tmp_path / "out/images").rglob("*.png")}
    assert {"test0", "test0_face2", "test0_Swap", "test0_Swap_face2"} <= images


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        (Choice(method=("Nobody",)), "has no method Nobody; it has real, Swap, Patch"),
        (Choice(kind=("colour",)), "There is no label kind colour"),
        (Choice(kind=("mask", "ssim")), "give one --kind of"),
        (Choice(kind=("noise",)), "give one --kind of"),
    ],
)
def test_wrong_names_are_one_sentence(made, tmp_path, choice, text):
    with pytest.raises(ConfigError, match=text):
        export(made, "deepfakebench", tmp_path / "out", choice)
    assert not list(tmp_path.iterdir())


def test_nothing_of_others_is_overwritten(made, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ConfigError, match="is not an export"):
            export(made, "folders", out, overwrite=overwrite)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "thesis.txt"]


def test_an_earlier_export_is_replaced_when_asked(made, tmp_path):
    out = tmp_path / "out"
    export(made, "folders", out, Choice(split=("test",)))
    with pytest.raises(ConfigError, match="--overwrite replaces it"):
        export(made, "folders", out)
    export(made, "folders", out, Choice(split=("val",)), overwrite=True)
    assert {path.name for path in (out / "images").iterdir()} == {"val"}
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def test_a_failure_leaves_nothing_and_a_killed_one_is_cleared_away(made, tmp_path, monkeypatch):
    left = tmp_path / ".out.part"
    left.mkdir()
    (left / "export.json").write_text('{"program": "forgery-prep export"}')
    (left / "half.png").touch()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.exchange.pictures.write", full)
    with pytest.raises(WriteError, match="No space left"):
        export(made, "folders", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_an_unfinished_store_is_refused(made, tmp_path):
    copy = tmp_path / "a.zarr"
    shutil.copytree(made, copy)
    store.open_group(str(copy), "r+").attrs["complete"] = False
    with pytest.raises(StoreError, match="is unfinished"):
        export(str(copy), "folders", tmp_path / "out")
