"""Copies of datasets as they lie on people's disks, and what a manifest can say about them."""

import json
from pathlib import Path
from typing import Any

import lookalikes
import pytest

from pipeline.errors import ManifestError
from pipeline.manifest import REAL, load_manifest, scan, survey
from pipeline.manifest.schema import validate


def put(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def table(root: Path, path: str, content: Any) -> None:
    put(root, path)
    (root / path).write_text(content if isinstance(content, str) else json.dumps(content))


def move(root: Path, old: str, new: str) -> None:
    (root / new).parent.mkdir(parents=True, exist_ok=True)
    (root / old).rename(root / new)


def found(name: str, root: Path) -> dict[tuple[str, str], str]:
    return {(video.method, video.id): video.path for video in scan(load_manifest(name), root).videos}


def test_an_empty_videos_folder_hides_no_frames(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):  # DeepfakeBench keeps the lists at the top
        table(tmp_path, f"{split}.json", [["033", "097"]] if split == "train" else [])
    swap = "manipulated_sequences/Deepfakes/c23"
    for folder in ("original_sequences/youtube/c23", swap):
        (tmp_path / folder / "videos").mkdir(parents=True)
    put(tmp_path, "original_sequences/youtube/c23/frames/033/000.png", f"{swap}/frames/033_097/000.png")
    put(tmp_path, f"{swap}/masks/033_097/000.png")
    data = scan(load_manifest("ffpp"), tmp_path)
    assert [video.path for video in data.videos] == [
        "original_sequences/youtube/c23/frames/033",
        f"{swap}/frames/033_097",
    ]
    assert data.videos[1].mask == f"{swap}/masks/033_097"


def test_kaggles_sample_keeps_fakes_of_absent_originals(tmp_path: Path) -> None:
    rows = {
        "a.mp4": {"label": "FAKE", "split": "train", "original": "gone.mp4"},
        "b.mp4": {"label": "FAKE", "split": "train", "original": "c.mp4"},
        "c.mp4": {"label": "REAL", "split": "train", "original": None},
    }
    table(tmp_path, "train_sample_videos/metadata.json", rows)
    put(tmp_path, *(f"train_sample_videos/{name}" for name in rows))
    data = scan(load_manifest("dfdc"), tmp_path)
    assert {(video.id, video.method, video.target) for video in data.videos} == {
        ("a", "DFDC", ""),
        ("b", "DFDC", "c"),
        ("c", REAL, "c"),
    }
    assert data.missing == (("train_sample_videos/a.mp4", "its real video gone is not here"),)
    assert data.lost == frozenset()  # its rows are there


@pytest.mark.parametrize(
    ("name", "side", "first"),
    [
        ("dfdc", "dfdc_train_part_1/metadata.json", "dfdc_train_part_1/bfake.mp4"),
        ("dfdctest", "test/labels.csv", "test/yreal1.mp4"),
    ],
)
def test_videos_without_their_table_are_told(tmp_path: Path, name: str, side: str, first: str) -> None:
    lookalikes.build(name, tmp_path)
    (tmp_path / side).unlink()
    data = scan(load_manifest(name), tmp_path)
    (path, reason) = data.missing[0]
    assert path == side.replace("labels.csv", "labels.csv|metadata.csv") or path == side
    assert "nobody knows which of the 2 videos" in reason
    assert first in reason
    assert path in data.lost


def test_videos_that_a_table_omits_are_strangers(tmp_path: Path) -> None:
    lookalikes.build("dfdcp", tmp_path)
    extra = "dfdc_preview_set/method_A/99/99_A/98_99_A_001.mp4"
    put(tmp_path, extra)
    seen = survey(load_manifest("dfdcp"), tmp_path)
    assert seen.strangers == (extra,)
    assert any(extra in note for note in seen.dataset.notes)  # which `run` and `doctor` print


def test_deepfakebenchs_trees_of_dfdc(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    lookalikes.build("dfdc", usual)
    ids = found("dfdc", usual).keys()
    for path in sorted(usual.rglob("*.mp4")):
        relative = path.relative_to(usual)
        put(tmp_path / "bench", f"train/{relative.parent}/frames/{relative.stem}/000.png")
        move(tmp_path, f"usual/{relative}", f"away/{relative}")
    for path in sorted(usual.rglob("*.json")):
        move(tmp_path, f"usual/{path.relative_to(usual)}", f"bench/train/{path.relative_to(usual)}")
    assert found("dfdc", tmp_path / "bench").keys() == ids


def test_deepfakebenchs_tree_of_dfdcp(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    lookalikes.build("dfdcp", usual)
    ids = found("dfdcp", usual).keys()
    for path in sorted((usual / "dfdc_preview_set").rglob("*.mp4")):
        top = path.relative_to(usual / "dfdc_preview_set").parts[0]
        put(tmp_path / "bench", f"{top}/frames/{path.stem}/000.png")
    move(tmp_path, "usual/dfdc_preview_set/dataset.json", "bench/dataset.json")
    assert found("dfdcp", tmp_path / "bench").keys() == ids
    assert survey(load_manifest("dfdcp"), tmp_path / "bench").strangers == ()


def test_unpacked_archives_are_sequences_each(tmp_path: Path) -> None:
    for name in ("real_train/0/real/1", "real_train/0/real/2", "fake_train/7/fake/1", "real_test/3", "fake_test/4/x"):
        put(tmp_path, f"{name}/10.png", f"{name}/11.png")
    paths = set(found("wilddeepfake", tmp_path).values())
    assert paths == {
        "real_train/0/real/1",
        "real_train/0/real/2",
        "fake_train/7/fake/1",
        "real_test/3",
        "fake_test/4/x",
    }


LISTS = {
    "name": "mine",
    "title": "Mine",
    "licence": "none",
    "citation": "none",
    "methods": ["swap"],
    "source": [
        {"role": "real", "path": "real/{name}.mp4", "id": "{name}", "identity": "{name}"},
        {"role": "fake", "path": "fake/{name}_{by}.mp4", "id": "{name}_{by}", "method": "swap", "target": "{name}"},
    ],
    "splits": {"rule": "name lists", "files": {"train": "train.txt", "test": "test.txt"}},
}


def test_lists_of_names_split_fakes_and_the_reals_that_go_with_them(tmp_path: Path) -> None:
    assert validate(LISTS) == []
    put(tmp_path, "real/1.mp4", "real/2.mp4", "fake/1_a.mp4", "fake/2_b.mp4")
    table(tmp_path, "train.txt", "swap/1_a.mp4\n")
    table(tmp_path, "test.txt", "2_b\n\n3_c\n")
    data = scan(LISTS, tmp_path)
    assert {video.id: video.split for video in data.videos} == {
        "1": "train",
        "1_a": "train",
        "2": "test",
        "2_b": "test",
    }
    assert data.missing == (("3_c", "the list of test names it"),)


def test_columns_are_cut_and_named(tmp_path: Path) -> None:
    source = {
        "kind": "table",
        "path": "list.txt",
        "separator": " ",
        "columns": ["where", "label"],
        "cut": {"where": "{folder}/{person}_{clip}.mp4"},
        "file": "{where}",
        "role": "{label}",
        "roles": {"0": "real", "1": "fake"},
        "id": "{folder}_{person}_{clip}",
        "method": "{folder}",
        "identity": "{person}",
    }
    manifest = LISTS | {"source": [source], "splits": {"rule": "seeded"}, "methods": ["b"]}
    assert validate(manifest) == []
    put(tmp_path, "a/ann_1.mp4", "b/bob_2.mp4", "b/left_3.mp4")
    table(tmp_path, "list.txt", "a/ann_1.mp4 0\nb/bob_2.mp4 1\n")
    seen = survey(manifest, tmp_path)
    videos = {(video.method, video.id, video.identity) for video in seen.dataset.videos}
    assert videos == {(REAL, "a_ann_1", "ann"), ("b", "b_bob_2", "bob")}
    assert seen.strangers == ("b/left_3.mp4",)


SEGMENTS = {
    "kind": "table",
    "path": "**/list.txt",
    "line": r"(?P<name>\S+)(?: \d+)* (?P<label>[01])",
    "file": "films/**/{name}",
    "role": "{label}",
    "roles": {"0": "real", "1": "fake"},
    "id": "{name_stem}",
    "method": "swap",
}


def test_tables_and_files_at_any_depth_and_lines_of_any_length(tmp_path: Path) -> None:
    manifest = LISTS | {"source": [SEGMENTS], "splits": {"rule": "seeded"}, "paired": False}
    assert validate(manifest) == []
    put(tmp_path, "films/a/b/one.mp4", "films/two.mkv", "films/c/three/000.png", "films/d/five.mp4", "else/four.mp4")
    table(tmp_path, "lists/of/it/list.txt", "one.mp4 0\ntwo.mp4 3 4 5 1\nthree.mp4 1\nfour.mp4 1\nnothing\n")
    seen = survey(manifest, tmp_path)
    assert seen.problems == ()
    assert {video.path for video in seen.dataset.videos} == {"films/a/b/one.mp4", "films/two.mkv", "films/c/three"}
    assert [absent.path for absent in seen.missing] == ["films/**/four.mp4"]
    assert seen.strangers == ("films/d/five.mp4",)
    assert any("1 lines do not fit and are left out: nothing" in note for note in seen.dataset.notes)


def test_heic_images_are_seen(tmp_path: Path) -> None:
    put(tmp_path, "real/1.heic", "fake/1_a.HEIC")
    assert {video.path for video in scan(LISTS | {"splits": {"rule": "seeded"}}, tmp_path).videos} == {
        "real/1.heic",
        "fake/1_a.HEIC",
    }


def test_a_file_at_any_depth_has_to_be_the_only_one_of_its_name(tmp_path: Path) -> None:
    put(tmp_path, "films/a/one.mp4", "films/b/one.mp4")
    table(tmp_path, "list.txt", "one.mp4 0\n")
    problems = survey(LISTS | {"source": [SEGMENTS], "splits": {"rule": "seeded"}}, tmp_path).problems
    assert problems == ("list.txt: one.mp4 could be any of films/a/one.mp4, films/b/one.mp4; keep one of them.",)


def test_a_line_that_is_no_expression_is_refused() -> None:
    wrong = LISTS | {"source": [SEGMENTS | {"line": "(?P<name"}]}
    assert any("line is no regular expression" in problem for problem in validate(wrong))


@pytest.mark.parametrize("name", ["df40", "forgerynet", "kodf"])
def test_nothing_of_a_later_dataset_is_a_stranger(name: str, tmp_path: Path) -> None:
    lookalikes.build(name, tmp_path)
    seen = survey(load_manifest(name), tmp_path)
    assert (seen.strangers, seen.missing, seen.problems, seen.leaks) == ((), (), (), ())


def test_reals_of_df40_go_with_the_fakes_made_from_them(tmp_path: Path) -> None:
    lookalikes.build("df40", tmp_path)
    data = scan(load_manifest("df40"), tmp_path)
    split = {video.id: video.split for video in data.videos}
    assert {split[f"ff_{number:03}"] for number in range(5)} == {"train", "val"}
    assert {split[f"ff_{number:03}"] for number in range(5, 8)} == {"test"}
    assert split["cdf_id0_0000"] == "test"
    assert all(split[f"ff_{n:03}"] == split[f"ff_{n:03}_{(n + 1) % 8:03}"] for n in range(8))


def test_videos_of_forgerynet_that_are_forged_in_parts_are_left_out_and_counted(tmp_path: Path) -> None:
    lookalikes.build("forgerynet", tmp_path)
    listed = tmp_path / "Training/video_list.txt"
    put(tmp_path, "Training/video/train_video_release/1/mixed/video.mp4")
    listed.write_text(listed.read_text() + "2 train_video_release/1/mixed/video.mp4 0 9 0 9 20 1 1 1 3\n")
    data = scan(load_manifest("forgerynet"), tmp_path)
    assert len(data.videos) == 14
    assert any("1 lines do not fit and are left out: 2 train_video_release/1/mixed" in note for note in data.notes)


def test_crops_need_one_word_of_a_manifest(tmp_path: Path) -> None:
    put(tmp_path, "real/1.mp4", "fake/1_a.mp4")
    manifest = LISTS | {"cropped": True, "splits": {"rule": "seeded"}}
    assert validate(manifest) == []
    assert scan(manifest, tmp_path).cropped


def test_a_csv_file_holds_fakes_without_a_real(tmp_path: Path) -> None:
    put(tmp_path, "r.mp4", "x.mp4", "y.mp4")
    table(tmp_path, "list.csv", "real,fake,identity\nr.mp4,x.mp4,ann\n,y.mp4,bob\n")
    data = scan(load_manifest("pairs"), tmp_path / "list.csv")
    assert {(video.id, video.target, video.identity) for video in data.videos} == {
        ("r", "r", "ann"),
        ("x", "r", "ann"),
        ("y", "", "bob"),
    }
    assert data.missing == ()


def test_a_csv_file_whose_files_are_all_missing(tmp_path: Path) -> None:
    table(tmp_path, "list.csv", "real,fake\nr.mp4,x.mp4\n")
    with pytest.raises(ManifestError, match=r"None of the 2 files .* is there; the first is .*r\.mp4"):
        scan(load_manifest("pairs"), tmp_path / "list.csv")


def test_videos_of_one_name_are_told_apart_by_the_test_lists_paths(tmp_path: Path) -> None:
    lookalikes.build("celebdfpp", tmp_path)
    data = scan(load_manifest("celebdfpp"), tmp_path)
    tested = {video.method for video in data.videos if video.id == "id4_id0_0000" and video.split == "test"}
    assert tested == {"BlendFace", "LIA"}
    assert data.missing == ()


def test_actors_and_youtube_people_get_their_splits_in_one_store(tmp_path: Path) -> None:
    lookalikes.build("ffppall", tmp_path)
    data = scan(load_manifest("ffppall"), tmp_path)
    split = {video.identity: video.split for video in data.videos}
    assert (split["000"], split["004"], split["006"]) == ("train", "val", "test")
    assert len({video.identity: video.split for video in data.videos if video.identity.startswith("actor")}) == 6
    assert all(video.mask for video in data.videos if video.method == "DeepFakeDetection")


def test_a_part_of_a_dataset_on_purpose_misses_nothing(tmp_path):
    lookalikes.build("celebdf", tmp_path)
    listed = tmp_path / "List_of_testing_videos.txt"
    listed.write_text(listed.read_text() + "1 YouTube-real/00099.mp4\n0 Celeb-synthesis/id3_id9_0000.mp4\n")
    whole = scan(load_manifest("celebdf"), tmp_path)
    assert [path for path, _ in whole.missing] == ["Celeb-synthesis/id3_id9_0000.mp4", "YouTube-real/00099.mp4"]
    assert whole.lost == {path for path, _ in whole.missing}
    part = scan(load_manifest("celebdf"), tmp_path, subset=True)
    assert (part.missing, part.lost) == ((), frozenset())
    assert part.videos == whole.videos
    assert any("2 files that the dataset's lists name are not here" in note for note in part.notes)


def test_a_part_of_a_dataset_still_misses_what_belongs_to_it(tmp_path):
    lookalikes.build("ffpp", tmp_path)
    mask = tmp_path / "manipulated_sequences/Deepfakes/masks/videos/000_001.mp4"
    mask.unlink()
    part = scan(load_manifest("ffpp"), tmp_path, subset=True)
    assert [path for path, _ in part.missing] == [str(mask.relative_to(tmp_path))]
