"""Broken input of every kind beside good input: recorded with its reason, and all that is good is in the store."""

import csv
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import stores
from places import REAL_DATA, needs_real_data

from pipeline.config import Blending, Detection, Labelling
from pipeline.errors import StoreError
from pipeline.faces import near
from pipeline.inspect.verify import verify
from pipeline.manifest import load_manifest, scan
from pipeline.stages.run import Job, run
from pipeline.store.schema import NO_PAIR
from pipeline.video import frames
from pipeline.video.encode import write_video

FAKES = "manipulated_sequences"
LEVELS = ("raw", "c23", "c40")


def real_of(root: Path, name: str, level: str = "raw") -> Path:
    return root / "original_sequences" / "youtube" / level / "videos" / f"{name}.mp4"


def fake_of(root: Path, method: str, name: str, level: str = "raw") -> Path:
    return root / FAKES / method / level / "videos" / f"{name}.mp4"


def mask_of(root: Path, method: str, name: str) -> Path:
    return root / FAKES / method / "masks" / "videos" / f"{name}.mp4"


def film(path: Path) -> list[np.ndarray]:
    return [frame for _, frame in frames.read(path, range(frames.probe(path).frames))]


def write(path: Path, pictures: list[np.ndarray]) -> None:
    path.unlink(missing_ok=True)
    write_video(path, pictures, fps=25, crf=0)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def prose(path: Path) -> None:
    path.write_text("This is no video.\n" * 50)


def shorten(path: Path, count: int) -> None:
    write(path, film(path)[:count])


def halve(path: Path) -> None:
    write(
        path,
        [cv2.resize(f, (f.shape[1] // 4 * 2, f.shape[0] // 4 * 2), interpolation=cv2.INTER_AREA) for f in film(path)],
    )


def noise(path: Path) -> None:
    rng = np.random.default_rng(0)
    write(path, list(rng.integers(0, 256, (6, 128, 128, 3), dtype=np.uint8)))


@pytest.fixture(scope="module")
def broken(tiny, tmp_path_factory):
    """Return a copy of the tiny dataset in which much is wrong."""
    root = tmp_path_factory.mktemp("broken") / "sample"
    shutil.copytree(tiny.root, root)
    empty(fake_of(root, "Warp", "000_001", "c23"))
    cut(fake_of(root, "Patch", "000_001", "raw"))
    prose(fake_of(root, "Expression", "000_001", "c40"))
    shorten(mask_of(root, "Rerender", "000_001"), 3)
    mask_of(root, "Warp", "001_000").unlink()
    prose(mask_of(root, "Patch", "001_000"))
    for level in LEVELS:
        shorten(fake_of(root, "Expression", "001_000", level), 1)
        shutil.copy(real_of(root, "003", level), fake_of(root, "Rerender", "001_000", level))
        noise(real_of(root, "003", level))
    halve(fake_of(root, "Warp", "002_003", "raw"))
    real_of(root, "002", "c40").unlink()
    return root


@pytest.fixture(scope="module")
def mended(tiny, broken, tmp_path_factory, scheduler):
    """Return the store of what is good in it."""
    location = tmp_path_factory.mktemp("mended") / "a.zarr"
    run(tiny.job(location, root=broken), scheduler=scheduler)
    return location


@pytest.fixture(scope="module")
def story(mended):
    """Return, by file, the rows that are there, and the rejects."""
    rows, rejects = stores.columns(mended), stores.columns(mended, "rejected")
    names = rows["video_path"][rows["video"]]
    kept = {name: rows["frame"][names == name].tolist() for name in rows["video_path"]}
    lost: dict[str, list[tuple[int, str, str, int]]] = {}
    for name, *entry in zip(*(rejects[key] for key in ("video", "frame", "stage", "reason", "rows")), strict=True):
        lost.setdefault(name, []).append(tuple(entry))
    return kept, lost


def named(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def test_the_store_of_what_is_good_has_nothing_wrong(mended, scheduler):
    assert verify(str(mended), scheduler=scheduler) == []


def test_reasons_do_not_say_where_the_dataset_lies(mended, broken):
    rejects = stores.columns(mended, "rejected")
    assert not [reason for reason in rejects["reason"] if str(broken) in reason]
    assert not [name for name in rejects["video"] if name.startswith("/")]
    assert all(0 < len(reason) < 250 and "\n" not in reason for reason in rejects["reason"])


@pytest.mark.parametrize(
    ("method", "level", "words"),
    [("Warp", "c23", "no video"), ("Patch", "raw", ""), ("Expression", "c40", "no video")],
    ids=["zero bytes", "cut off", "text"],
)
def test_a_file_that_is_no_video_is_lost_alone(story, broken, method, level, words):
    kept, lost = story
    for other in LEVELS:
        name = named(broken, fake_of(broken, method, "000_001", other))
        if other == level and words:
            assert name not in kept
            ((frame, stage, reason, rows),) = lost[name]
            assert (frame, stage, rows) == (-1, "probe", 3)
            assert words in reason
        elif other == level:
            assert sum(rows for *_, rows in lost[name]) + len(kept.get(name, [])) == 3
            assert sum(rows for *_, rows in lost[name]) > 0
        elif words:
            assert len(kept[name]) == 3
    good = named(broken, fake_of(broken, "Rerender", "000_001"))
    assert len(kept[good]) == 3


@pytest.mark.parametrize(
    ("method", "name", "first", "words"),
    [("Rerender", "000_001", 3, "has only 3 frames"), ("Patch", "001_000", 0, "no video")],
    ids=["too short", "text"],
)
def test_rows_beyond_their_mask_stay_without_that_label(story, mended, broken, method, name, first, words):
    kept, lost = story
    pixels, rows = stores.pixels(mended, "mask"), stores.columns(mended)
    for level in LEVELS:
        path = named(broken, fake_of(broken, method, name, level))
        here = rows["video_path"][rows["video"]] == path
        assert len(kept[path]) == 3
        without = (pixels[here] == 255).all(axis=(1, 2))
        np.testing.assert_array_equal(without, rows["frame"][here] >= first)
        assert (stores.pixels(mended, "ssim")[here] != 255).all()
    told = [entry for path, entries in lost.items() if f"{method}/raw/videos/{name}" in path for entry in entries]
    ((frame, stage, reason, count),) = told
    assert frame >= first
    assert (stage, count) == ("mask", 0)
    assert words in reason
    assert "no mask label from here on" in reason


def test_a_missing_mask_is_told_and_the_rows_stay(story, mended):
    lost = story[1]
    rows, pixels = stores.columns(mended), stores.pixels(mended, "mask")
    here = np.char.find(rows["video_path"].astype(str), "Warp")[rows["video"]] >= 0
    here &= rows["video_id"][rows["video"]] == "001_000"
    assert here.sum() == 9
    assert (pixels[here] == 255).all()
    assert any("mask" in reason for name, entries in lost.items() for _, stage, reason, _ in entries
               if "Warp" in name and "001_000" in name and stage == "scan")  # fmt: skip


def test_a_fake_of_one_frame_keeps_it(story, broken):
    kept, lost = story
    for level in LEVELS:
        name = named(broken, fake_of(broken, "Expression", "001_000", level))
        assert kept[name] == [0]
        assert [(frame > 0, stage, rows) for frame, stage, _, rows in lost[name]] == [(True, "pair", 1)] * 2
        assert all("has only 1 frame" in reason for _, _, reason, _ in lost[name])
    assert len(kept[named(broken, fake_of(broken, "Patch", "001_000"))]) == 3


def test_a_fake_with_another_background_is_no_pair(story, broken):
    kept, lost = story
    for level in LEVELS:
        name = named(broken, fake_of(broken, "Rerender", "001_000", level))
        assert kept[name] == []
        ((frame, stage, reason, rows),) = lost[name]
        assert (frame, stage, rows) == (-1, "pair", 3)
        score = float(reason.split("SSIM ")[1].split(",")[0])
        assert score < 0.5
        assert reason == f"its background does not match 001's: SSIM {score:.3f}, at least 0.5 is needed"


def test_a_fake_of_another_size_has_its_boxes_scaled(mended, broken):
    rows = stores.columns(mended)
    here = rows["video_path"][rows["video"]] == named(broken, fake_of(broken, "Warp", "002_003", "raw"))
    assert here.sum() == 3
    about = rows["video"][here][0], rows["video"][rows["real"][here][0]]
    ratio = rows["video_width"][about[0]] / rows["video_width"][about[1]]
    assert ratio == 0.5
    np.testing.assert_allclose(rows["box"][here], rows["box"][rows["real"][here]] * 0.5, atol=0.01)
    assert (rows["alignment"][here] > 0.6).all()
    distance = np.abs(rows["landmarks"][here] - rows["landmarks"][rows["real"][here]])
    assert np.nanmedian(distance) < 4, "the crops show the same face at the same place"


def test_without_its_real_of_a_compression_a_fake_is_no_pair(story, mended, broken):
    kept, lost = story
    rows = stores.columns(mended)
    for method in ("Warp", "Patch", "Expression", "Rerender"):
        name = named(broken, fake_of(broken, method, "002_003", "c40"))
        assert len(kept[name]) == 3, "its class is known all the same"
        here = rows["video_path"][rows["video"]] == name
        assert (rows["real"][here] == NO_PAIR).all()
        assert any("real" in reason for _, _, reason, _ in lost[name])
        assert len(kept[named(broken, fake_of(broken, method, "002_003", "c23"))]) == 3


def test_a_video_without_faces_loses_its_fakes_too(story, broken):
    kept, lost = story
    for level in LEVELS:
        name = named(broken, real_of(broken, "003", level))
        assert kept[name] == []
        assert {(stage, near.untold(reason)) for _, stage, reason, _ in lost[name]} == {("faces", "no face was found")}
        assert len(lost[name]) == 3
        fakes = lost[named(broken, fake_of(broken, "Warp", "003_002", level))]
        assert {near.untold(reason) for _, _, reason, _ in fakes} == {"no face was found"}


def listing(folder: Path, rows: list[dict[str, object]]) -> Path:
    file = folder / "pairs.csv"
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["real", "fake", "mask", "method", "split", "compression", "identity", "name"])
        writer.writeheader()
        writer.writerows(rows)
    return file


def job_of(file: Path, location: Path, recipe) -> Job:
    return Job(scan(load_manifest("pairs"), file), recipe, str(location))


def test_of_two_people_the_swapped_one_is_kept(tiny, tmp_path, scheduler):
    whole = {name: film(real_of(tiny.root, name)) for name in ("000", "001")}
    swapped = {
        name: film(fake_of(tiny.root, "Warp", f"{name}_{other}")) for name, other in (("000", "001"), ("001", "000"))
    }
    scenes = {
        "real": (whole["000"], whole["001"]),
        "second": (whole["000"], swapped["001"]),
        "both": (swapped["000"], swapped["001"]),
    }
    height = min(f[0].shape[0] for f in whole.values())
    for name, (left, right) in scenes.items():
        write(tmp_path / f"{name}.mp4", [np.hstack([a[:height], b[:height]]) for a, b in zip(left, right, strict=True)])
    (tmp_path / "only").mkdir()
    only = listing(
        tmp_path / "only", [{"real": tmp_path / "real.mp4", "fake": tmp_path / "second.mp4", "method": "second"}]
    )
    recipe = tiny.recipe
    run(job_of(only, tmp_path / "only.zarr", recipe), scheduler=scheduler)
    rows = stores.columns(tmp_path / "only.zarr")
    middle = whole["000"][0].shape[1]
    centre = rows["box"][:, ::2].mean(axis=1)
    assert (centre > middle).all(), "the face on the right is the manipulated one, in the fake and in the real"
    assert len(set(rows["face"])) == (rows["method"] == 0).sum()
    assert (stores.pixels(tmp_path / "only.zarr", "ssim")[rows["method"] == 1] == 1).sum(axis=(1, 2)).min() > 100


def test_a_face_just_under_the_threshold_is_told_with_its_score(tiny, tmp_path, scheduler):
    rows = [{"real": real_of(tiny.root, "000"), "fake": fake_of(tiny.root, "Warp", "000_001"), "method": "warp"}]
    strict = tiny.job("x", detection=Detection(threshold=1.0)).recipe
    told = r"No face of pairs .*000.mp4: no face was found \(best scores 0\.9\d; the threshold is 1\)"
    with pytest.raises(StoreError, match=told):
        run(job_of(listing(tmp_path, rows), tmp_path / "a.zarr", strict), scheduler=scheduler)


@needs_real_data
def test_a_real_clip_without_faces_is_rejected_beside_a_good_one(tiny, tmp_path, scheduler):
    nobody = REAL_DATA / "clips" / "no_face.mp4"
    rows = [
        {"real": real_of(tiny.root, "000"), "fake": fake_of(tiny.root, "Warp", "000_001"), "method": "warp"},
        {"real": nobody, "fake": nobody, "method": "nothing"},
    ]
    labels = {"labelling": Labelling(kinds=("ssim",)), "blending": Blending(kinds=())}
    recipe = tiny.job("x", **labels).recipe
    run(job_of(listing(tmp_path, rows), tmp_path / "a.zarr", recipe), scheduler=scheduler)
    kept, lost = stores.columns(tmp_path / "a.zarr"), stores.columns(tmp_path / "a.zarr", "rejected")
    assert {Path(name).name for name in kept["video_path"][kept["video"]]} == {"000.mp4", "000_001.mp4"}
    about = [os.path.basename(name) for name in lost["video"]]
    assert set(about) == {"no_face.mp4"}
    assert {near.untold(reason) for reason in lost["reason"]} == {"no face was found"}
