"""Videos with several people: all who were manipulated get rows, and it is told how they were chosen."""

import csv
import dataclasses

import numpy as np
import pytest
import stores

from pipeline import store
from pipeline.config import Blending, overlay
from pipeline.inspect import info, people
from pipeline.inspect.page.write import write
from pipeline.inspect.verify import verify
from pipeline.manifest import load_manifest, scan
from pipeline.stages.run import Job, run
from pipeline.video import frames
from pipeline.video.encode import write_video

CLIPS = ("000", "002")
FAKES = {  # method -> who was manipulated by what, and whether the mask is given
    "left": (("Warp", ""), False),
    "both": (("Warp", "Expression"), False),
    "masked": (("", "Patch"), True),
}


def film(root, folder, clip):
    (path,) = (root / folder).glob(f"{clip}*.mp4")
    return [frame for _, frame in frames.read(path, range(frames.probe(path).frames))]


def beside(parts, height):
    return [np.concatenate([frame[:height] for frame in both], axis=1) for both in zip(*parts, strict=True)]


@pytest.fixture(scope="module")
def location(tiny, tmp_path_factory, scheduler):
    """Return a store of two people side by side: one of them manipulated, both, and one with a mask."""
    root = tmp_path_factory.mktemp("several")
    originals = [film(tiny.root, "original_sequences/youtube/raw/videos", clip) for clip in CLIPS]
    height = min(clip[0].shape[0] for clip in originals)
    write_video(root / "real.mp4", beside(originals, height), fps=25, crf=10)
    rows = []
    for method, (kinds, masked) in FAKES.items():
        videos = [
            film(tiny.root, f"manipulated_sequences/{kind}/raw/videos", clip) if kind else original
            for clip, kind, original in zip(CLIPS, kinds, originals, strict=True)
        ]
        write_video(root / f"{method}.mp4", beside(videos, height), fps=25, crf=10)
        row = {"real": root / "real.mp4", "fake": root / f"{method}.mp4", "method": method, "mask": ""}
        if masked:
            masks = [
                film(tiny.root, f"manipulated_sequences/{kind}/masks/videos", clip)
                if kind
                else [np.zeros_like(frame) for frame in original]
                for clip, kind, original in zip(CLIPS, kinds, originals, strict=True)
            ]
            row["mask"] = root / "mask.mp4"
            # drawn inverted: it is read for what it says
            write_video(row["mask"], [255 - frame for frame in beside(masks, height)], fps=25, crf=0)
        rows.append(row)
    with (root / "pairs.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["real", "fake", "mask", "method"])
        writer.writeheader()
        writer.writerows(rows)
    recipe = overlay(tiny.recipe, {"labelling": {"kinds": ["ssim", "mask"]}}, "test")
    recipe = dataclasses.replace(recipe, blending=Blending(kinds=()))
    run(Job(scan(load_manifest("pairs"), root / "pairs.csv"), recipe, str(root / "a.zarr")), scheduler=scheduler)
    return str(root / "a.zarr")


def sides(location, method):
    """Return which people the rows of a method show: left 0, right 1."""
    rows = stores.columns(location)
    names = store.stored_names(store.open_group(location)).method
    of = rows["method"] == names.index(method)
    middle = rows["video_width"][0] / 2
    return (rows["box"][of, 0] > middle).astype(int), rows["frame"][of], rows["face"][of]


def test_everybody_who_was_manipulated_gets_rows(location, scheduler):
    assert set(sides(location, "left")[0]) == {0}
    side, frame, face = sides(location, "both")
    assert len(np.unique(face)) == len(face) == 2 * len(np.unique(frame)), "two faces in each frame"
    assert set(side) == {0, 1}
    assert set(sides(location, "real")[0]) == {0, 1}
    rows = stores.columns(location)
    assert (rows["real"] >= 0).all()
    assert (rows["label"] == (rows["method"] > 0)).all()
    assert verify(location, scheduler=scheduler) == []


def test_a_mask_decides_also_where_it_is_inverted(location):
    assert set(sides(location, "masked")[0]) == {1}
    rows = stores.columns(location)
    masked = np.flatnonzero(np.char.endswith(rows["video_path"].astype(str), "masked.mp4"))
    assert rows["video_mask_inverted"].tolist() == [int(video in masked) for video in range(len(rows["video_id"]))]
    own = np.isin(rows["video"], masked)
    assert (rows["agreement_ssim"][own] > 0.5).all()


def test_it_is_told_how_they_were_chosen(location, tmp_path):
    rows = stores.columns(location)
    assert rows["video_people"].tolist() == [2] * 4
    told = {path.rpartition("/")[2]: chosen for path, _, chosen in people.several(rows)}
    assert told["real.mp4"] == ""
    assert told["left.mp4"].startswith("difference: 1 of 2 faces (")
    assert told["both.mp4"].startswith("difference: 2 of 2 faces (")
    assert told["masked.mp4"].startswith("mask: 1 of 2 faces (")
    assert "decided by difference in 2, mask in 1" in info.screen(info.summary(location))
    write(location, tmp_path / "report.html")
    assert told["both.mp4"] in (tmp_path / "report.html").read_text()
    rejects = stores.columns(location, "rejected")
    about = {video.rpartition("/")[2] for video, why in zip(rejects["video"], rejects["reason"], strict=True)
             if "other faces" in why}  # fmt: skip
    assert about == {"left.mp4", "masked.mp4"}
    assert rejects["rows"].sum() == 0
