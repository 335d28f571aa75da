import json
from collections import Counter
from pathlib import Path
from typing import Any

import lookalikes
import numpy as np
import pytest
from places import SPLIT_LISTS

from pipeline.config import Recipe
from pipeline.doctor import Diagnosis, diagnose, known, report
from pipeline.manifest import REAL, SPLITS, known_datasets, load_manifest, scan
from pipeline.video.encode import write_video

# dataset -> (reals, fakes, fakes paired); one of each compression counts
TOTALS = {
    "ffpp": (24, 120, 120),
    "dfd": (36, 36, 36),
    "celebdf": (8, 5, 5),
    "celebdfv1": (8, 5, 5),
    "dfdc": (4, 4, 4),
    "dfdctest": (2, 2, 0),
    "ffppall": (20, 52, 52),
    "deeperforensics": (8, 16, 16),
    "fakeavceleb": (8, 16, 16),
    "celebdfpp": (8, 15, 15),
    "ffiw": (6, 6, 6),
    "df40": (12, 14, 0),
    "kodf": (6, 12, 12),
    "forgerynet": (7, 7, 0),
    "dfdcp": (6, 6, 6),
    "uadfv": (40, 40, 40),
    "dftimit": (6, 12, 12),
    "wilddeepfake": (6, 6, 0),
    "hff": (30, 50, 0),
    "pairs": (6, 6, 6),
}
SPLIT_REALS = {
    "ffpp": (12, 6, 6),
    "celebdf": (5, 1, 2),
    "dfdc": (2, 1, 1),
    "dfdctest": (0, 1, 1),
    "deeperforensics": (4, 2, 2),
    "ffiw": (4, 2, 0),
    "df40": (4, 1, 7),
    "kodf": (4, 2, 0),
    "forgerynet": (3, 2, 2),
    "dfdcp": (3, 1, 2),
    "uadfv": (35, 0, 5),
    "wilddeepfake": (3, 1, 2),
    "pairs": (4, 1, 1),
}


def one_byte(path: Path, file: lookalikes.File) -> None:
    lookalikes.touch(path, file)
    if path.is_file():
        path.write_bytes(b"x")


def make(name: str, root: Path) -> Path:
    lookalikes.build(name, root, one_byte)
    return root / "pairs.csv" if name == "pairs" else root


def look(name: str, root: Path, **options: bool) -> Diagnosis:
    return diagnose(load_manifest(name), root, Recipe(), timed=False, **{"partial": True, **options})


def test_every_dataset_has_a_lookalike() -> None:
    assert set(lookalikes.LAYOUTS) == set(known_datasets()) - {"sample"} == set(TOTALS)


@pytest.mark.parametrize("name", TOTALS)
def test_a_complete_lookalike_has_no_findings(name: str, tmp_path: Path) -> None:
    root = make(name, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    found = look(name, root)
    assert found.findings == ()
    assert (found.reals, found.fakes, found.paired) == TOTALS[name]
    assert found.videos == found.reals + found.fakes
    assert found.unpaired == found.fakes - found.paired
    assert sorted(tmp_path.rglob("*")) == before
    if name in SPLIT_REALS:
        reals = {count.split: 0 for count in found.counts} | dict.fromkeys(SPLITS, 0)
        for count in found.counts:
            reals[count.split] += count.found * (count.method == REAL)
        assert tuple(reals[split] for split in SPLITS) == SPLIT_REALS[name]
    assert "No findings" in report(found)
    assert json.loads(json.dumps(found.to_dict()))["videos"] == found.videos


@pytest.mark.parametrize("name", sorted(set(TOTALS) - {"wilddeepfake", "hff", "dfdctest", "df40", "forgerynet"}))
def test_fakes_go_with_the_real_video_they_show(name: str, tmp_path: Path) -> None:
    root = make(name, tmp_path)
    people = {file.path: file.person for file in lookalikes.LAYOUTS[name]()}
    data = scan(load_manifest(name), root)
    reals = {(video.id, video.compression): video for video in data.videos if video.method == REAL}
    fakes = [video for video in data.videos if video.target and video.method != REAL]
    assert fakes
    for fake in fakes:
        real = reals[fake.target, fake.compression]
        assert people[fake.path] == people[real.path]
        assert fake.identity == real.identity
        assert fake.mask is None or people[fake.mask] == people[fake.path]


def test_ffpp_with_something_missing(tmp_path: Path) -> None:
    make("ffpp", tmp_path)
    assert look("ffpp", tmp_path, partial=False).findings == ()
    swaps = "manipulated_sequences/Deepfakes"
    (tmp_path / "original_sequences/youtube/c23/videos/004.mp4").unlink()
    (tmp_path / f"{swaps}/c40/videos/000_001.mp4").unlink()
    (tmp_path / f"{swaps}/masks/videos/002_003.mp4").unlink()
    found = look("ffpp", tmp_path, partial=False)
    text = "\n".join(found.findings)
    assert "5 fakes without a pair (kept), its real video 004 is here as raw, c40 but not as c23" in text
    assert f"1 masks are missing: {swaps}/masks/videos/002_003.mp4" in text
    assert f"1 videos of Deepfakes (c40) are missing: {swaps}/c40/videos/000_001.mp4" in text
    assert "1 videos of real (c23) are missing: original_sequences/youtube/c23/videos/004.mp4" in text
    assert "7 of 8 real videos (c23) are here" in text
    assert (found.reals, found.fakes, found.paired, found.unpaired) == (23, 119, 114, 5)
    (tmp_path / "splits/val.json").unlink()
    text = "\n".join(look("ffpp", tmp_path).findings)
    assert "splits/val.json is missing. It comes from https://github.com/ondyari/FaceForensics" in text


def test_other_things_missing(tmp_path: Path) -> None:
    make("celebdf", tmp_path / "a")
    (tmp_path / "a/List_of_testing_videos.txt").unlink()
    assert "List_of_testing_videos.txt is missing" in look("celebdf", tmp_path / "a").findings[0]
    make("celebdf", tmp_path / "b")
    (tmp_path / "b/Celeb-synthesis/id4_id0_0000.mp4").unlink()
    assert (
        "List_of_testing_videos.txt names it): Celeb-synthesis/id4_id0" in look("celebdf", tmp_path / "b").findings[0]
    )
    make("dfdcp", tmp_path / "c")
    (tmp_path / "c/dfdc_preview_set/dataset.json").unlink()
    assert "dataset.json" in look("dfdcp", tmp_path / "c").findings[0]
    make("dfdc", tmp_path / "d")
    (tmp_path / "d/dfdc_train_part_1/breal.mp4").unlink()
    findings = look("dfdc", tmp_path / "d").findings
    assert findings[0].startswith(
        "1 fakes without a pair (kept), its real video breal is not here: dfdc_train_part_1/bfake.mp4"
    )
    assert "dfdc_train_part_1/metadata.json lists it): dfdc_train_part_1/breal.mp4" in findings[1]


def test_a_part_of_a_dataset_on_request(tmp_path: Path) -> None:
    root = make("celebdf", tmp_path)
    assert look("celebdf", root).findings == ()
    assert "8 of 890 real videos (native) are here" in look("celebdf", root, partial=False).findings


def move(root: Path, *pairs: tuple[str, str]) -> None:
    for old, new in pairs:
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)


DEVIATIONS = {
    "ffpp": [
        ("original_sequences/youtube/raw", "original_sequences/youtube/c0"),
        ("manipulated_sequences/Deepfakes/c23/videos/000_001.mp4", "manipulated_sequences/Deepfakes/c23/000_001.mp4"),
        ("manipulated_sequences/FaceSwap", "manipulated_sequences/faceswap"),
        ("splits", "dataset/splits"),
    ],
    "celebdf": [
        ("YouTube-real", "Youtube-real"),
        ("Celeb-real", "reals"),
        ("reals", "Celeb-real/videos"),
        ("Celeb-synthesis", "celeb-synthesis"),
    ],
    "dfdcp": [("dfdc_preview_set/dataset.json", "dataset.json")]
    + [(f"dfdc_preview_set/{name}", name) for name in ("original_videos", "method_A")]
    + [("dfdc_preview_set/method_B", "method_B/videos")],
    "wilddeepfake": [
        ("deepfake_in_the_wild/real_train", "real train"),
        ("deepfake_in_the_wild/fake_train", "Fake_Train"),
    ],
    "dftimit": [("DeepfakeTIMIT/lower_quality", "lower_quality"), ("VidTIMIT", "vidtimit")],
    "dfdc": [("dfdc_train_part_0", "train/dfdc_train_part_0")],
    "dfdctest": [("test", "test_videos")],
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_common_deviations_are_recognised(name: str, tmp_path: Path) -> None:
    make(name, tmp_path / "usual")
    make(name, tmp_path / "renamed")
    usual = look(name, tmp_path / "usual")
    move(tmp_path / "renamed", *DEVIATIONS[name])
    renamed = look(name, tmp_path / "renamed")
    assert renamed.findings == ()
    assert renamed.counts == usual.counts
    assert renamed.paired == usual.paired


def test_deviations_are_told(tmp_path: Path) -> None:
    make("ffpp", tmp_path)
    move(tmp_path, *DEVIATIONS["ffpp"])
    (tmp_path / "original_sequences/youtube/c23/videos/copy of 001.mp4").touch()
    notes = look("ffpp", tmp_path).notes
    assert "c0 is read as raw." in notes
    assert "faceswap is read as FaceSwap." in notes
    assert any("copy of 001.mp4" in note for note in notes)


def test_images_instead_of_videos(tmp_path: Path) -> None:
    make("uadfv", tmp_path)
    for path in (tmp_path / "real").glob("*.mp4"):
        path.unlink()
        (path.parent / "frames" / path.stem).mkdir(parents=True)
    assert look("uadfv", tmp_path).paired == 40


def film(path: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    write_video(path, iter(rng.integers(0, 255, (count, 32, 32, 3), np.uint8)), fps=25, crf=30)


def test_deep_opens_every_file(tmp_path: Path) -> None:
    root = make("pairs", tmp_path)
    lengths = {"real/0.mp4": 5, "swap/0.mp4": 5, "mask/0.mp4": 3, "real/1.mp4": 1, "swap/1.mp4": 5, "mask/1.mp4": 5}
    for name, count in lengths.items():
        film(tmp_path / name, count)
    (tmp_path / "real/2.mp4").write_bytes(b"")
    text = "\n".join(look("pairs", root, deep=True).findings)
    assert "1 files are empty: real/2.mp4" in text
    assert "1 videos have one frame: real/1.mp4" in text
    assert "1 masks are shorter than their video: mask/0.mp4 (3 of 5 frames)" in text
    assert "11 files are unreadable: mask/2.mp4 (" in text


def test_one_video_in_two_splits_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for name in ("a", "c"):
        scene = np.kron(rng.integers(0, 255, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
        for copy, crf in ((name, 20), (f"{name}2", 20 if name == "a" else 35)):
            write_video(tmp_path / f"{copy}.mp4", [np.roll(scene, n, axis=1) for n in range(4)], fps=25, crf=crf)
    rows = ["real,fake,split,identity", "a.mp4,f0.mp4,train,ann", "a2.mp4,f1.mp4,test,bob",
            "c.mp4,f2.mp4,train,cleo", "c2.mp4,f3.mp4,test,dan"]  # fmt: skip
    for number in range(4):
        film(tmp_path / f"f{number}.mp4", 1 + number)
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    same = "Training and test are not apart: the same file in test and train: 1 (a.mp4 = a2.mp4)"
    frames = "Training and test are not apart: the same frames in test and train: 2 (a2.mp4 = a.mp4, c2.mp4 = c.mp4)"
    assert look("pairs", tmp_path / "pairs.csv").notes == (same,)
    assert look("pairs", tmp_path / "pairs.csv", deep=True).notes == (same, frames)


def test_a_leak_is_a_finding(tmp_path: Path) -> None:
    root = make("pairs", tmp_path)
    root.write_text(root.read_text().replace("val,c23,person3", "val,c23,person0"))
    assert look("pairs", root).findings == ("The split leaks: identities in train and val: 1 (person0).",)


def test_nothing_there(tmp_path: Path) -> None:
    found = look("uadfv", tmp_path)
    assert found.videos == 0
    assert "holds nothing of UADFV; expected real/" in found.findings[0]
    assert look("uadfv", tmp_path / "none").findings == (f"{tmp_path / 'none'} does not exist.",)


def test_all_names_of_faceforensics_are_paired(tmp_path: Path) -> None:
    (tmp_path / "splits").mkdir()
    orders = []
    for split in SPLITS:
        pairs = json.loads((SPLIT_LISTS / f"ffpp_{split}.json").read_text())
        (tmp_path / f"splits/{split}.json").write_text(json.dumps(pairs))
        orders += [order for pair in pairs for order in (pair, pair[::-1])]
    for compression in ("c0", "c23", "c40"):
        for folder in ("original_sequences/youtube", *(f"manipulated_sequences/{m}" for m in lookalikes.FFPP_METHODS)):
            videos = tmp_path / folder / compression / "videos"
            videos.mkdir(parents=True)
            for a, b in orders:
                (videos / (f"{a}.mp4" if "youtube" in folder else f"{a}_{b}.mp4")).touch()
    found = diagnose(load_manifest("ffpp"), tmp_path, Recipe())
    assert (found.videos, found.reals, found.fakes) == (18000, 3000, 15000)
    assert (found.paired, found.unpaired) == (15000, 0)
    assert any(finding.startswith("18000 files are empty") for finding in found.findings)
    assert found.estimate is None
    data = scan(load_manifest("ffpp"), tmp_path)
    assert all(video.target == video.id[:3] == video.path[-11:-8] for video in data.videos if video.method != REAL)
    assert Counter(video.split for video in data.videos if video.method == "FaceShifter") == {
        "train": 2160,
        "val": 420,
        "test": 420,
    }


def test_known_lists_every_dataset() -> None:
    text = known()
    for name in known_datasets():
        assert f"{name}: " in text
        assert load_manifest(name)["licence"] in text
    assert "manipulated_sequences/{method}/{compression}" in text


@pytest.mark.slow
def test_estimate_from_a_timed_probe(tiny: Any, tmp_path: Path) -> None:
    real = tiny.root / "original_sequences/youtube/c23/videos/000.mp4"
    fakes = [tiny.root / f"manipulated_sequences/{name}/c23/videos/000_001.mp4" for name in ("Warp", "Patch")]
    path = tmp_path / "list.csv"
    path.write_text("real,fake\n" + "".join(f"{real},{fake}\n" for fake in fakes))
    found = diagnose(load_manifest("pairs"), path, Recipe(), deep=True, workers=2)
    assert found.findings == ()
    assert found.estimate is not None
    assert found.estimate.samples == 3 * 6
    assert 10_000 < found.estimate.bytes / found.estimate.samples < 2_000_000
    assert found.estimate.staged == 3 * 6 * 256 * 256 * 3
    assert 0 < found.estimate.seconds < 600
    assert sorted(tmp_path.iterdir()) == [path]
