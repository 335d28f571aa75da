"""Prediction: boxes of a run, scores of an evaluation, a verdict for every file, and tables that agree."""

import csv
import dataclasses
import io
import json

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from stores import columns, pixels

from models.evaluation.evaluate import Request as Evaluate
from models.evaluation.evaluate import evaluate
from models.prediction import judging, verdicts
from models.prediction.inputs import Input
from models.prediction.predict import Request, check_crops, predict
from pipeline import store
from pipeline.config import Recipe, overlay
from pipeline.crop import crops
from pipeline.errors import CheckpointError, ConfigError
from pipeline.faces.tracks import Track
from pipeline.faces.turn import turned
from pipeline.stages.cluster import cluster
from pipeline.video import frames
from pipeline.video.encode import write_video

RECIPE = overlay(Recipe(), {"cropping": {"size": 32}}, "test")
SETTINGS = RECIPE.cropping


def found(*lengths):
    """Return a stand-in for the search: tracks of so many frames, side by side."""

    def follow(pictures, settings, device, seen=None):
        indexes = [index for index, _ in pictures]
        return tuple(
            Track(
                np.array(indexes[:length]),
                np.tile(np.array([4 + 40 * number, 10, 34 + 40 * number, 40], np.float32), (length, 1)),
                np.ones(length, np.float32),
            )
            for number, length in enumerate(lengths)
        )

    return follow


def judge(panel, *paths, run_all=None, **request):
    inputs = [Input(path) for path in paths]
    more = {"run_all": run_all, "together": 2} if run_all else {}
    return predict(panel, inputs, Request(**request), **more).verdicts


def table(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def clip(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (6, 16, 24, 3), dtype=np.uint8).repeat(4, 1).repeat(4, 2)
    write_video(tmp_path / "clip.mp4", list(noise), fps=25, crf=0)
    return tmp_path / "clip.mp4"


@pytest.fixture
def photograph(tmp_path, two_heads):
    Image.fromarray(two_heads).save(tmp_path / "two.png")
    return tmp_path / "two.png"


def test_boxes_are_those_of_a_run_and_scores_those_of_an_evaluation(make_checkpoint, tiny, tiny_store, tmp_path):
    group = store.open_group(str(tiny_store))
    path = make_checkpoint(recipe=store.stored_recipe(group))
    judged = evaluate(Evaluate((str(tiny_store),), path, device="cpu", rounds=0)).judged[0]
    rows, names = columns(tiny_store), group["compression"].attrs["flag_meanings"]
    least = names[rows["compression"].min()]
    videos = rows["video_path"][rows["video"]]
    panel = judging.load([path], "cpu")
    of_row = dict(zip(judged.condition.table.row[judged.found.rows].tolist(), judged.found.score, strict=True))
    spread = []
    for name in sorted({videos[row] for row in of_row if rows["method"][row] == 0 and f"/{least}/" in videos[row]}):
        (verdict,) = judge(panel, tiny.root / name, frames=3)
        (face,) = verdict.faces
        own = [row for row in of_row if videos[row] == name]
        assert face.frames == rows["frame"][own].tolist()
        np.testing.assert_array_equal(np.float32(face.boxes), rows["box"][own])
        np.testing.assert_array_equal(np.float32(face.detection), rows["score"][own])
        assert face.scores == pytest.approx([of_row[row] for row in own], abs=1e-6)
        spread += face.scores
    assert len(spread) == 6
    assert np.ptp(spread) > 1e-3  # crops that differ have scores that differ


def test_crops_that_are_given_are_judged_as_they_are(make_checkpoint, tiny_store, tmp_path):
    path = make_checkpoint(recipe=store.stored_recipe(store.open_group(str(tiny_store))))
    judged = evaluate(Evaluate((str(tiny_store),), path, device="cpu", rounds=0)).judged[0]
    row = int(judged.condition.table.row[judged.found.rows[0]])
    image = pixels(tiny_store, "image")[row]
    Image.fromarray(image).save(tmp_path / "crop.png")
    wide = np.pad(
        image, ((48, 48), (48, 48), (0, 0)), mode="reflect"
    )  # twice the side: of it the middle half is judged
    Image.fromarray(wide).save(tmp_path / "wide.png")
    panel = judging.load([path], "cpu")
    (whole,) = judge(panel, tmp_path / "crop.png", given=1.3)
    (middle,) = judge(panel, tmp_path / "wide.png", given=2.6)
    assert whole.score == middle.score == pytest.approx(judged.found.score[0], abs=1e-6)
    assert middle.faces[0].boxes == [[48, 48, 144, 144]]


def test_crops_that_show_too_little_are_refused(panel):
    assert "judged whole, resized to 32 pixels" in check_crops(panel, 1.3)
    assert "cut down to the middle 50% of its sides" in check_crops(panel, 2.6)
    with pytest.raises(ConfigError, match=r"at 1 times .* trained on 1\.3 times"):
        check_crops(panel, 1.0)


def test_a_photograph_is_drawn_whole_with_both_faces(panel, photograph, two_heads, tmp_path):
    (verdict,) = judge(panel, photograph, out=tmp_path / "out")
    assert len(verdict.faces) == 2
    with Image.open(tmp_path / "out" / verdict.picture) as drawn:
        page = np.asarray(drawn)
    height, width = two_heads.shape[:2]
    assert page.shape[1] == width
    assert page.shape[0] > height
    boxes = [np.rint(face.boxes[0]).astype(int) for face in verdict.faces]
    outside = np.ones((height, width), bool)
    for left, top, right, bottom in boxes:
        outside[max(top - 40, 0) : bottom + 2, max(left - 2, 0) : right + 60] = False
        edge = page[top + 40 : bottom - 4, left]
        assert (edge == edge[0]).all()  # one colour down the box's side
        assert (
            page[top + 40 : bottom - 4, left + 8 : right - 8] != two_heads[top + 40 : bottom - 4, left + 8 : right - 8]
        ).any()
    np.testing.assert_array_equal(page[:height][outside], two_heads[outside])


def test_a_video_is_drawn_with_every_sampled_frame(panel, clip, monkeypatch, tmp_path):
    monkeypatch.setattr("pipeline.crop.plan.follow", found(3, 3))
    (verdict,) = judge(panel, clip, frames=4, out=tmp_path / "out")
    drawn = frames.probe(tmp_path / "out" / verdict.picture, deep=True)
    assert (verdict.frames, drawn.frames, drawn.damage) == (4, 4, "")
    assert drawn.width == 96 * 6  # enlarged, so that the text can be read
    assert drawn.height > 64 * 6
    assert frames.rate(tmp_path / "out" / verdict.picture) == pytest.approx(25 * 4 / 6, abs=0.1)


def test_tables_agree_with_each_other(make_checkpoint, clip, photograph, monkeypatch, tmp_path):
    panel = judging.load([make_checkpoint("one", 1), make_checkpoint("two", 2)], "cpu")
    monkeypatch.setattr("pipeline.crop.plan.follow", found(6, 5, 1))
    text = tmp_path / "text.mp4"
    text.write_text("hello")
    first, second, wrong = judge(panel, clip, photograph, text, frames=6, out=tmp_path / "out", draw=False)
    rows = table(tmp_path / "out/scores.csv")
    assert len(rows) == sum(len(face.frames) for each in (first, second) for face in each.faces)
    assert {name for name in rows[0] if name.startswith("score")} == {"score", "score_one", "score_two"}
    for row in rows:
        assert float(row["score"]) == pytest.approx((float(row["score_one"]) + float(row["score_two"])) / 2)
    for each in (first, second):
        for number, face in enumerate(each.faces, 1):
            own = [row for row in rows if row["file"] == each.path and int(row["face"]) == number]
            assert [int(row["frame"]) for row in own] == face.frames
            assert np.mean([float(row["score"]) for row in own]) == pytest.approx(face.score)
            assert [float(own[0][edge]) for edge in ("left", "top", "right", "bottom")] == pytest.approx(face.boxes[0])
        assert (
            each.score == max(face.score for face in each.faces) == pytest.approx(np.mean(list(each.scores.values())))
        )
    listed = {row["file"]: row for row in table(tmp_path / "out/files.csv")}
    assert [row["score"] != "" for row in listed.values()] == [True, True, False]
    assert float(listed[first.path]["score"]) == pytest.approx(first.score)
    said = json.loads((tmp_path / "out/verdicts.json").read_text())
    assert [each["path"] for each in said["files"]] == [str(clip), str(photograph), str(text)]
    assert said["files"][0]["faces"][0]["scores"] == pytest.approx(first.faces[0].scores, abs=1e-6)
    assert list(said["checkpoints"]) == ["one", "two"]
    rejects = table(tmp_path / "out/rejects.csv")
    assert ["text.mp4" in row["file"] and row["frame"] == "-1" for row in rejects][-1]
    assert any("too few to be judged" in row["reason"] for row in rejects)
    assert len(first.faces) == 2
    assert [line[:6].strip() == "-" for line in verdicts.lines([first, second, wrong])] == [False, False, True]


def test_crops_are_those_of_preprocessing(panel, clip, monkeypatch):
    seen = []
    monkeypatch.setattr("pipeline.crop.plan.follow", found(4))
    score = judging.score
    monkeypatch.setattr(judging, "score", lambda *all_: seen.append(np.array(all_[2])) or score(*all_))
    (verdict,) = judge(panel, clip, frames=4)
    assert verdict.faces[0].frames == [0, 2, 3, 5]
    frame = next(picture for _, picture in frames.read(clip, [3]))
    box = crops.enlarge(np.array([4, 10, 34, 40], np.float32), 96, 64, SETTINGS)
    assert np.array_equal(seen[0][2], crops.crop(frame, box, SETTINGS))
    assert verdict.faces[0].boxes[2] == pytest.approx(box.tolist())


def test_a_face_just_under_the_threshold_is_told_with_its_score(make_checkpoint, photograph):
    strict = dataclasses.replace(RECIPE, detection=dataclasses.replace(RECIPE.detection, threshold=1.0))
    (verdict,) = judge(judging.load([make_checkpoint(recipe=strict)], "cpu"), photograph)
    assert verdict.score is None
    assert verdict.problem == "No face was found in it (best scores 0.99; the threshold is 1)."
    assert verdict.rejects[0].reason == "no face was found (best scores 0.99; the threshold is 1)"


def test_a_video_on_its_side_is_judged_upright(panel, tmp_path, head):
    for name, degrees in (("upright", 0), ("lying", 90)):
        write_video(tmp_path / f"{name}.mp4", [turned(head, degrees)] * 3, fps=25, crf=0)
    upright, lying = judge(panel, tmp_path / "upright.mp4", tmp_path / "lying.mp4", frames=3, out=tmp_path / "out")
    assert (upright.turn, lying.turn) == (0, 270)
    assert np.allclose(lying.faces[0].boxes, upright.faces[0].boxes, atol=3)
    assert lying.score == pytest.approx(upright.score, abs=0.05)
    sizes = [frames.probe(tmp_path / "out" / each.picture) for each in (upright, lying)]
    assert sizes[0] == sizes[1]


def test_a_damaged_video_is_judged_as_far_as_it_can_be_read(panel, tmp_path, clip, monkeypatch):
    monkeypatch.setattr("pipeline.crop.plan.follow", found(2))
    whole = clip.read_bytes()
    start = whole.index(b"mdat")
    broken = bytearray(whole)
    broken[start + (len(whole) - start) * 5 // 6 :] = bytes(len(whole) - start - (len(whole) - start) * 5 // 6)
    clip.write_bytes(broken)
    (verdict,) = judge(panel, clip, frames=0)
    assert verdict.score is not None
    assert any("damaged after" in reject.reason for reject in verdict.rejects)


@pytest.mark.parametrize(("suffix", "more"), [(".png", {}), (".gif", {}), (".webp", {"lossless": True})])
def test_an_animation_is_judged_frame_by_frame(panel, tmp_path, head, suffix, more):
    first, *rest = [Image.fromarray(np.roll(head, shift, 1)) for shift in (0, 8, 16)]
    path = tmp_path / f"moves{suffix}"
    first.save(path, save_all=True, append_images=rest, duration=100, **more)
    (verdict,) = judge(panel, path, out=tmp_path / "out")
    assert verdict.faces[0].frames == [0, 1, 2]
    assert np.diff(np.array(verdict.faces[0].boxes)[:, 0]) == pytest.approx([8, 8], abs=3)
    assert frames.probe(tmp_path / "out" / verdict.picture).frames == 3


def test_several_processes_say_what_one_does(panel, photograph, clip, scheduler, tmp_path):
    alone = judge(panel, photograph, clip, frames=2, out=tmp_path / "alone")
    with cluster(2, scheduler) as crew:
        together = judge(panel, photograph, clip, frames=2, out=tmp_path / "together", run_all=crew.map)
    assert together == alone
    for verdict in alone:
        if verdict.picture:
            one, other = (tmp_path / name / verdict.picture for name in ("alone", "together"))
            assert one.read_bytes() == other.read_bytes()


def test_a_process_that_dies_costs_its_file_alone(panel, photograph, clip):
    @dataclasses.dataclass
    class Outcome:
        number: int
        value: object = None
        failure: str = ""

    def dying(function, tasks):
        for number, task in enumerate(tasks):
            yield Outcome(number, failure="the process died") if number else Outcome(number, function(*task))

    first, second = judge(panel, photograph, clip, run_all=dying)
    assert first.score is not None
    assert second.problem == "It could not be searched: the process died."


def test_what_is_laid_over_a_face(panel):
    (only,) = panel.judges
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    scores = judging.score(panel, only, images)
    for name, count in (("map", 3), ("cam", 3), ("none", 0)):
        heat = io.BytesIO()
        np.testing.assert_array_equal(judging.score(panel, only, images, name, heat), scores)
        assert len(heat.getvalue()) == count * 32 * 32
    assert judging.overlay_of(only, "auto") == "map"
    blind = dataclasses.replace(only, plan=dataclasses.replace(only.plan, truth=""))
    assert judging.overlay_of(blind, "auto") == "cam"
    with pytest.raises(ConfigError, match="draws no map"):
        judging.overlay_of(blind, "map")
    with pytest.raises(ConfigError, match="--overlay is one of auto, map, cam, none"):
        judging.overlay_of(only, "heat")


def test_batches_do_not_change_scores(panel):
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    small = dataclasses.replace(panel, batch=2)
    np.testing.assert_allclose(*(judging.score(each, panel.judges[0], images) for each in (panel, small)), atol=1e-6)


def test_checkpoints_that_cannot_judge_together(make_checkpoint):
    dlib = overlay(RECIPE, {"detection": {"detector": "dlib"}}, "test")
    paths = [make_checkpoint("one"), make_checkpoint("two", recipe=dlib)]
    with pytest.raises(ConfigError, match=r"found in different ways: detector \(was mtcnn, now dlib\)"):
        judging.load(paths, "cpu")
    with pytest.raises(ConfigError, match="named twice"):
        judging.load([paths[0], paths[0]], "cpu")


def test_a_checkpoint_that_does_not_say_how_faces_are_cropped(make_checkpoint):
    from models.runtime import checkpoint

    path = make_checkpoint()
    saved = checkpoint.load(path)
    checkpoint.save(path, dataclasses.replace(saved, about={k: v for k, v in saved.about.items() if k != "recipe"}))
    with pytest.raises(CheckpointError, match="how faces were cropped"):
        judging.load([path], "cpu")


def test_a_score_that_is_no_number_is_never_printed(panel, clip, monkeypatch, tmp_path):
    monkeypatch.setattr("pipeline.crop.plan.follow", found(4))
    with torch.no_grad():
        panel.judges[0].network.classify.bias.fill_(torch.nan)
    with pytest.raises(CheckpointError, match=r"best\.ckpt gives no number as the score of 4 of 4 crops of .*frame 0"):
        judge(panel, clip, frames=4)


def test_a_large_frame_is_drawn_smaller(panel, tmp_path, head):
    large = cv2.resize(head, None, fx=5, fy=5)
    write_video(tmp_path / "large.mp4", [large] * 2, fps=25, crf=30)
    (verdict,) = judge(panel, tmp_path / "large.mp4", out=tmp_path / "out")
    assert frames.probe(tmp_path / "out" / verdict.picture).width == 1280
