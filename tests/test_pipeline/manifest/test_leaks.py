import json
from collections import Counter
from pathlib import Path

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from places import SPLIT_LISTS

from pipeline.errors import LeakError
from pipeline.manifest import NATIVE, REAL, SPLITS, Video, load_manifest, scan
from pipeline.manifest.identity import deal, deal_counts, groups
from pipeline.manifest.leaks import donor_leaks, file_leaks, frame_leaks, identity_leaks, pair_leaks, suspects
from pipeline.video import likeness

SHARES = {"train": 0.72, "val": 0.14, "test": 0.14}


def real(name: str, split: str = "train", identity: str = "") -> Video:
    return Video(name, f"{name}.mp4", REAL, NATIVE, split, identity or name, name)


def fake(target: str, donor: str, split: str = "train", identity: str = "") -> Video:
    name = f"{target}_{donor}"
    return Video(name, f"{name}.mp4", "swap", NATIVE, split, identity or target, target, donor)


def test_a_clean_split_has_no_leak() -> None:
    videos = [real("a"), real("b"), fake("a", "b"), real("c", "test"), fake("c", "d", "test")]
    assert pair_leaks(videos) == identity_leaks(videos) == donor_leaks(videos) == []


def test_each_leak_is_named_with_its_sides() -> None:
    assert pair_leaks([real("a"), fake("a", "b", "test")]) == [
        "fakes in test with their real video in train: 1 (swap a_b)"
    ]
    assert identity_leaks([real("a", identity="ann"), real("b", "val", "ann")]) == [
        "identities in train and val: 1 (ann)"
    ]
    assert donor_leaks([real("a"), real("b", "test"), fake("a", "b")]) == [
        "fakes in train with a donor whose own videos are in test: 1 (swap a_b (donor b))"
    ]


def ffpp(root: Path, splits: dict[str, list[tuple[str, str]]], fakes: list[str]) -> Path:
    for split in SPLITS:
        path = root / "splits" / f"{split}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(splits.get(split, [])))
    reals = root / "original_sequences/youtube/c23/videos"
    swaps = root / "manipulated_sequences/Deepfakes/c23/videos"
    for folder in (reals, swaps):
        folder.mkdir(parents=True)
    for name in {name for pairs in splits.values() for pair in pairs for name in pair}:
        (reals / f"{name}.mp4").touch()
    for name in fakes:
        (swaps / f"{name}.mp4").touch()
    return root


def test_a_video_in_two_split_files_stops_the_run(tmp_path: Path) -> None:
    ffpp(tmp_path, {"train": [("000", "001")], "test": [("001", "002")]}, ["000_001"])
    with pytest.raises(LeakError, match="video 001 is in the split files of both train and test"):
        scan(load_manifest("ffpp"), tmp_path)


def test_a_fake_across_the_split_stops_the_run(tmp_path: Path) -> None:
    ffpp(tmp_path, {"train": [("000", "001")], "test": [("002", "003")]}, ["000_001", "000_002"])
    with pytest.raises(LeakError, match=r"fakes in train with a donor .* in test: 1 \(Deepfakes 000_002"):
        scan(load_manifest("ffpp"), tmp_path)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("a,x,train,\na,y,test,\n", "fakes in test with their real video in train"),
        ("a,x,train,ann\nb,y,test,ann\n", "identities in test and train: 1"),
    ],
)
def test_leaks_of_a_csv_stop_the_run(tmp_path: Path, rows: str, sentence: str) -> None:
    for name in "abxy":
        (tmp_path / name).touch()
    path = tmp_path / "list.csv"
    path.write_text("real,fake,split,identity\n" + rows)
    with pytest.raises(LeakError, match=sentence):
        scan(load_manifest("pairs"), path)


def test_celebdf_official_list(tmp_path: Path) -> None:
    path = SPLIT_LISTS / "celebdf_v2_List_of_testing_videos.txt"
    (tmp_path / path.name.removeprefix("celebdf_v2_")).write_text(path.read_text())
    for folder in ("Celeb-real", "Celeb-synthesis", "YouTube-real"):
        (tmp_path / folder).mkdir()
    for line in path.read_text().splitlines():
        label, listed = line.split()
        (tmp_path / listed).touch()
        if label == "0":
            person, _, number = Path(listed).stem.split("_")
            (tmp_path / "Celeb-real" / f"{person}_{number}.mp4").touch()
    data = scan(load_manifest("celebdf"), tmp_path)
    test = [video for video in data.videos if video.split == "test"]
    assert Counter(video.method for video in test) == {REAL: 178, "Celeb-synthesis": 340}
    splits = {video.id: video.split for video in data.videos}
    assert sum(splits[video.target] != "test" for video in test) == 234
    assert any("with their real video in train" in note for note in data.notes)
    assert not {v.identity for v in data.videos if v.split == "val"} & {
        v.identity for v in data.videos if v.split == "train"
    }


def test_ffpp_official_lists(tmp_path: Path) -> None:
    splits = {split: json.loads((SPLIT_LISTS / f"ffpp_{split}.json").read_text()) for split in SPLITS}
    assert {split: len(pairs) for split, pairs in splits.items()} == {"train": 360, "val": 70, "test": 70}
    names = [f"{a}_{b}" for pairs in splits.values() for pair in pairs for a, b in (pair, pair[::-1])]
    data = scan(load_manifest("ffpp"), ffpp(tmp_path, splits, names))
    count = Counter((video.method, video.split) for video in data.videos)
    for method in (REAL, "Deepfakes"):
        assert [count[method, split] for split in SPLITS] == [720, 140, 140]


people = st.integers(0, 8).map(lambda number: f"p{number}")
sets = st.lists(st.tuples(people, people), min_size=1, max_size=30, unique=True)


@given(pairs=sets, seed=st.integers(0, 50), donors=st.booleans(), prefix=st.sampled_from(["", "v"]))
def test_seeded_splits_never_part_a_person(pairs: list[tuple[str, str]], seed: int, donors: bool, prefix: str) -> None:
    reals = {name: real(f"v{name}", identity=name) for pair in pairs for name in pair}
    # a dataset names a donor by the person, or by the video that shows the person
    videos = [*reals.values(), *(fake(f"v{a}", prefix + b, identity=a) for a, b in pairs)]
    members = groups(videos, donors=donors)
    dealt = deal(members, SHARES, seed)
    assert dealt == deal(dict(reversed(members.items())), SHARES, seed)
    placed = [Video(**{**vars(video), "split": dealt[video.method, video.id]}) for video in videos]
    assert pair_leaks(placed) == identity_leaks(placed) == []
    if donors:
        assert donor_leaks(placed) == []
        assert all(dealt["swap", f"v{a}_{prefix}{b}"] == dealt[REAL, f"v{b}"] for a, b in pairs)
    if len(set(members.values())) >= 3:
        assert set(dealt.values()) == set(SHARES)


def test_shares_are_met_and_the_seed_matters() -> None:
    members = groups([real(f"{number:03}") for number in range(1000)], donors=False)
    count = Counter(deal(members, SHARES, 0).values())
    assert count == {"train": 720, "val": 140, "test": 140}
    assert deal(members, SHARES, 0) != deal(members, SHARES, 1)
    assert Counter(deal_counts(members, {"train": 35}, "test", 0).values()) == {"train": 35, "test": 965}


def test_given_splits_pull_their_group_along() -> None:
    videos = [real("a", identity="ann"), real("b", identity="ann"), real("c")]
    dealt = deal(groups(videos, donors=False), SHARES, 0, {(REAL, "a"): "test"})
    assert dealt[REAL, "b"] == dealt[REAL, "a"] == "test"


def test_one_file_under_two_names_in_two_splits_is_told():
    def video(path: str, split: str) -> Video:
        return Video(path, path, "real", "raw", split, path, path)

    files = [
        (video("a.mp4", "train"), "1"), (video("b.mp4", "test"), "1"), (video("c.mp4", "train"), "2"),
        (video("d.mp4", "train"), "2"), (video("e.mp4", "test"), "3"),
        (video("x.tar.gz#1", "train"), "4"), (video("x.tar.gz#2", "test"), "4"),
    ]  # fmt: skip
    assert file_leaks(files) == ["the same file in test and train: 1 (a.mp4 = b.mp4)"]
    assert file_leaks(files[2:]) == []
    many = [(video(f"{number}.mp4", ("train", "test")[number % 2]), "1") for number in range(9)]
    assert file_leaks(many) == ["the same file in test and train: 1 (0.mp4 = 1.mp4 = 7 more)"]


def test_files_of_one_size_in_two_splits_may_be_the_same() -> None:
    sizes = [(real("a"), 1), (real("b", "test"), 1), (real("c", "test"), 2), (real("d"), 3), (real("e"), 3)]
    assert {video.id for video in suspects(sizes)} == {"a", "b"}


def test_the_same_frames_in_two_splits_are_told_though_the_bytes_differ() -> None:
    rng = np.random.default_rng(0)
    clips = [cv2.resize(rng.integers(0, 255, (6, 8, 3)).astype(np.uint8), (160, 120)) for _ in range(3)]
    copy = cv2.resize(clips[0], (96, 72)) + rng.integers(0, 4, (72, 96, 3)).astype(np.uint8)
    prints = [likeness.fingerprint(clip) for clip in (*clips, copy)]
    videos = [real("a"), real("b"), real("c", "test"), real("d", "test")]
    told = ["the same frames in test and train: 1 (d.mp4 = a.mp4)"]
    assert frame_leaks(zip(videos, prints, strict=True)) == told
    assert frame_leaks(zip(videos[:3], prints, strict=False)) == []
    both = [prints[0] + prints[1], prints[1], prints[2], prints[3] + prints[0]]
    assert frame_leaks(zip(videos, both, strict=True)) == told, "every frame of either is in the other"
    assert frame_leaks(zip(videos, [prints[0] + prints[1], "", "", prints[0] + prints[2]], strict=True)) == []


def test_a_plain_frame_is_like_no_other() -> None:
    noise = np.random.default_rng(0).integers(0, 3, (60, 80, 3)).astype(np.uint8)
    assert likeness.fingerprint(noise) == ""
