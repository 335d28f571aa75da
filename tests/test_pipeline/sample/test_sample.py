import contextlib
import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Cropping, Labelling
from pipeline.crop.crops import crop, crop_mask, enlarge
from pipeline.errors import ConfigError, WriteError
from pipeline.labels import LABELS
from pipeline.labels.hull import convex_hull
from pipeline.progress import Silent
from pipeline.sample import make_sample
from pipeline.sample.actor import track
from pipeline.sample.layout import divide, pair_up
from pipeline.sample.manipulations import MANIPULATIONS

FRAMES, PEOPLE = 17, 4
COMPRESSIONS = ("raw", "c23", "c40")


@dataclass(frozen=True)
class Done:
    number: int
    value: Any
    failure: str = ""


def backwards(function, tasks):
    for number in reversed(range(len(tasks))):
        yield Done(number, function(*tasks[number]))


def read(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def digests(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    root = tmp_path_factory.mktemp("sample") / "new"
    summary = make_sample(root, frames=FRAMES, people=PEOPLE)
    assert (summary.identities, summary.fakes, summary.left_out) == (PEOPLE, PEOPLE * len(MANIPULATIONS), ())
    assert summary.written == PEOPLE * 3 + PEOPLE * len(MANIPULATIONS) * 4
    return root


def fakes(root, compression):
    return sorted(root.glob(f"manipulated_sequences/*/{compression}/videos/*.mp4"))


def test_layout_is_faceforensics(sample):
    found = {str(path.relative_to(sample)) for path in sample.rglob("*.mp4")}
    pairs = ("000_001", "001_000", "002_003", "003_002")
    wanted = {f"original_sequences/youtube/{c}/videos/{i:03d}.mp4" for c in COMPRESSIONS for i in range(PEOPLE)}
    for method in MANIPULATIONS:
        wanted |= {
            f"manipulated_sequences/{method}/{c}/videos/{p}.mp4" for c in (*COMPRESSIONS, "masks") for p in pairs
        }
    assert found == wanted
    splits = [json.loads((sample / "splits" / f"{split}.json").read_text()) for split in ("train", "val", "test")]
    assert [pair for pairs in splits for pair in pairs] == [["000", "001"], ["002", "003"]]
    assert not [path for path in sample.rglob(".*")]


def test_masks_are_exact(sample):
    """Nothing outside the mask differs from the real video, and everything the mask holds may."""
    for path in fakes(sample, "raw"):
        fake, mask = read(path), read(str(path).replace("/raw/", "/masks/"))
        real = read(sample / "original_sequences/youtube/raw/videos" / f"{path.stem[:3]}.mp4")
        assert fake.shape == mask.shape == real.shape == (FRAMES, 352, 352, 3)
        assert set(np.unique(mask)) == {0, 255}
        changed = (fake != real).any(axis=3)
        assert not changed[mask[..., 0] == 0].any()
        assert changed[mask[..., 0] == 255].mean() > 0.9


@pytest.fixture(scope="module")
def overlaps(sample):
    """Overlap of labels and truth on the stored crops: method -> rows of ssim raw, hull raw, hull c23, mask."""
    settings, cropping, found = Labelling(), Cropping(), {}
    for path in fakes(sample, "raw"):
        target = path.stem[:3]
        points = track(int(target), FRAMES, 0)
        videos = {
            c: (
                read(str(path).replace("/raw/", f"/{c}/")),
                read(sample / f"original_sequences/youtube/{c}/videos/{target}.mp4"),
            )
            for c in ("raw", "c23")
        }
        masks = read(str(path).replace("/raw/", "/masks/"))[..., 0]
        for i in (2, 9):
            low, high = points[i].min(axis=0), points[i].max(axis=0)
            box = enlarge(np.array([low[0], low[1] - 0.15 * (high - low)[1], *high]), 352, 352, cropping)
            pair = {c: [crop(video[i], box, cropping) for video in each] for c, each in videos.items()}
            truth = (crop_mask(masks[i], box, cropping) > 127).astype(np.uint8)
            rows = [
                (LABELS["ssim"].compute(*pair["raw"], settings, "raw"), truth),
                (LABELS["hull"].compute(*pair["raw"], settings, "raw"), convex_hull(truth)),
                (LABELS["hull"].compute(*pair["c23"], settings, "c23"), convex_hull(truth)),
                (crop_mask(masks[i], box, cropping) > 25, truth),
            ]
            found.setdefault(path.parts[-4], []).append(
                [np.sum((a > 0) & (b > 0)) / np.sum((a > 0) | (b > 0)) for a, b in rows]
            )
    return {method: np.mean(rows, axis=0) for method, rows in found.items()}


def test_labels_meet_the_truth(overlaps):
    ssim, hull_raw, hull_c23, mask = np.mean(list(overlaps.values()), axis=0)
    assert ssim >= 0.85
    assert hull_raw >= 0.93
    assert hull_c23 >= 0.87
    assert mask >= 0.96
    assert min(row[0] for row in overlaps.values()) >= 0.75


def test_manipulations_differ(sample):
    """Expression keeps most of the face, Patch is a rectangle, Rerender covers more than Warp."""
    area, full = {}, {}
    for path in fakes(sample, "masks"):
        mask = read(path)[..., 0] == 255
        rows, columns = mask.any(axis=2).sum(axis=1), mask.any(axis=1).sum(axis=1)
        area.setdefault(path.parts[-4], []).append(mask.mean())
        full.setdefault(path.parts[-4], []).append((mask.sum(axis=(1, 2)) / (rows * columns)).min())
    mean = {method: np.mean(values) for method, values in area.items()}
    assert mean["Expression"] < 0.6 * mean["Warp"] < mean["Warp"] < mean["Rerender"] < mean["Patch"]
    assert min(full["Patch"]) == 1
    assert max(full["Rerender"]) < 0.95


@pytest.mark.slow
def test_order_of_work_changes_no_byte(sample, tmp_path):
    make_sample(tmp_path / "again", frames=FRAMES, people=PEOPLE, run_all=backwards)
    assert digests(tmp_path / "again") == digests(sample)


def test_a_second_call_does_nothing(sample):
    before = {path: path.stat().st_mtime_ns for path in sample.rglob("*")}
    assert make_sample(sample, frames=FRAMES, people=PEOPLE).written == 0
    assert {path: path.stat().st_mtime_ns for path in sample.rglob("*")} == before


def test_interrupted_work_is_taken_up(tmp_path):
    class Enough(Exception):
        pass

    class StopAfterOne(Silent):
        @contextlib.contextmanager
        def stage(self, title, total):
            def stop(steps, remark):
                raise Enough

            yield stop

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    make_sample(whole, frames=6, people=2)
    with pytest.raises(Enough):
        make_sample(cut, frames=6, people=2, progress=StopAfterOne())
    made = {path: path.stat().st_mtime_ns for path in cut.rglob("*.mp4")}
    lost = next(path for path in made if "Patch/c23" in str(path))
    lost.unlink()
    (lost.parent / f".{lost.name}.part").write_bytes(b"what a killed process leaves")
    summary = make_sample(cut, frames=6, people=2)
    assert summary.written == len(list(cut.rglob("*.mp4"))) - len(made) + 1
    assert all(path.stat().st_mtime_ns == when for path, when in made.items() if path != lost)
    assert digests(cut) == digests(whole)


def test_other_settings_are_refused(sample, tmp_path):
    with pytest.raises(ConfigError, match=r"seed \(was 0, now 1\)"):
        make_sample(sample, seed=1, frames=FRAMES, people=PEOPLE)
    (tmp_path / "original_sequences").mkdir()
    with pytest.raises(ConfigError, match="holds no sample"):
        make_sample(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["original_sequences"]


def test_a_damaged_marker_is_told(tmp_path):
    (tmp_path / "sample.json").write_text("{")
    with pytest.raises(ConfigError, match=r"sample\.json cannot be read"):
        make_sample(tmp_path)


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteError, match="cannot be written"):
        make_sample(tmp_path / "file" / "sample")


@pytest.mark.parametrize(
    "wrong", [{"people": 3}, {"people": 22}, {"portraits": Path("nowhere")}, {"videos": Path("nowhere")}]
)
def test_wrong_options_are_refused_before_anything_is_written(tmp_path, wrong):
    with pytest.raises(ConfigError):
        make_sample(tmp_path / "sample", **wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", range(2, 30))
def test_splits_share_no_identity(count):
    names = [f"{i:03d}" for i in range(count)]
    splits = divide(names)
    assert [name for each in splits.values() for name in each] == names
    for each in splits.values():
        assert {name for pair in pair_up(each) for name in pair} == set(each)
    if count >= 6:
        assert all(splits.values())


@given(count=st.integers(2, 15), rounds=st.integers(1, 15))
def test_every_round_pairs_everyone_with_someone_new(count, rounds):
    pairs = pair_up([f"{i:02d}" for i in range(count)], rounds)
    assert pairs[: count // 2] == [(f"{i:02d}", f"{i + 1:02d}") for i in range(0, count - 1, 2)]
    assert len(set(map(frozenset, pairs))) == len(pairs)
    partners = Counter(name for pair in pairs for name in pair)
    assert len(partners) == count
    if rounds >= count:
        assert len(pairs) == count * (count - 1) // 2
    elif count % 2 == 0:
        assert set(partners.values()) == {min(rounds, count - 1)}
    else:  # one sits out each round but the first
        assert all(rounds - 1 <= number <= rounds + 1 for number in partners.values())
