"""New files: the same crops as preprocessing makes, a score for each frame, and reasons where there is none."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from toy import TOY

from models import detectors
from models.evaluation import predict
from models.runtime import checkpoint
from models.runtime.checkpoint import Checkpoint
from pipeline.config import Recipe, overlay
from pipeline.crop import crops
from pipeline.errors import CheckpointError
from pipeline.faces.tracks import Track
from pipeline.faces.turn import turned
from pipeline.video.encode import write_video

RECIPE = overlay(Recipe(), {"cropping": {"size": 32}}, "test")


@pytest.fixture
def judge(tmp_path, monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setitem(detectors.DETECTORS, "toy", TOY)
    torch.manual_seed(0)
    settings = TOY.parse([])
    about = {"detector": "toy", "settings": settings.to_dict(), "recipe": RECIPE.to_dict()}
    checkpoint.save(tmp_path / "c.ckpt", Checkpoint(about, TOY.build(settings, False).state_dict()))
    return predict.load(tmp_path / "c.ckpt", "cpu")


@pytest.fixture
def clip(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (6, 16, 24, 3), dtype=np.uint8).repeat(4, 1).repeat(4, 2)
    write_video(tmp_path / "clip.mp4", list(frames), fps=25, crf=0)
    return tmp_path / "clip.mp4"


def found(*lengths):
    """Return a stand-in for the search: tracks of so many frames, side by side."""

    def follow(frames, settings, device):
        assert settings == RECIPE.detection
        indexes = [index for index, _ in frames]
        return tuple(
            Track(
                np.array(indexes[:length]),
                np.tile(np.array([4 + 40 * number, 10, 34 + 40 * number, 40], np.float32), (length, 1)),
                np.ones(length, np.float32),
            )
            for number, length in enumerate(lengths)
        )

    return follow


def test_crops_are_those_of_preprocessing(judge, clip, monkeypatch):
    seen = []
    monkeypatch.setattr(predict, "follow", found(4))
    monkeypatch.setattr(
        predict, "_scores", lambda judge, images: seen.append(images) or (np.full(len(images), 0.5), None)
    )
    (verdict,) = predict.predict(judge, [clip], 4)
    assert verdict.faces[0].frames == [0, 2, 3, 5]
    frame = next(pixels for index, pixels in predict.frames.read(clip, [3]))
    box = crops.enlarge(np.array([4, 10, 34, 40], np.float32), 96, 64, RECIPE.cropping)
    assert np.array_equal(seen[0][2], crops.crop(frame, box, RECIPE.cropping))
    assert verdict.faces[0].boxes[2] == pytest.approx(box.tolist())


def test_the_most_suspicious_face_decides_and_passers_by_do_not(judge, clip, monkeypatch, tmp_path):
    monkeypatch.setattr(predict, "follow", found(6, 6, 1))
    (verdict,) = predict.predict(judge, [clip], 6, tmp_path / "out")
    assert len(verdict.faces) == 2
    scores = [face.score for face in verdict.faces]
    assert scores == sorted(scores, reverse=True)
    assert verdict.score == scores[0] == pytest.approx(np.mean(verdict.faces[0].scores))
    (picture,) = (tmp_path / "out").iterdir()
    with Image.open(picture) as drawn:
        assert drawn.size == (64, 32)  # the crop, and the map over it
    said = predict.plain(verdict)
    assert said["score"] == pytest.approx(scores[0], abs=1e-6)
    assert len(said["faces"][0]["scores"]) == 6
    assert next(predict.lines([verdict])).endswith("2 faces, 12 crops judged")


def test_files_without_a_score_say_why(judge, clip, monkeypatch, tmp_path):
    (tmp_path / "text.mp4").write_text("hello")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "face.png")
    monkeypatch.setattr(
        predict, "follow", lambda frames, *_: found(1)(frames, *_) if len(frames := list(frames)) < 2 else ()
    )
    wrong, empty, still = predict.predict(judge, [tmp_path / "text.mp4", clip, tmp_path / "face.png"], 3)
    assert wrong.score is None
    assert "text.mp4" in wrong.problem
    assert empty.problem == "No face was found in 3 frames."
    assert still.score is not None
    assert [line[:6].strip() == "-" for line in predict.lines([wrong, empty, still])] == [True, True, False]


def test_a_video_on_its_side_is_judged_upright(judge, tmp_path):
    face = np.ascontiguousarray(data.astronaut()[:300, 60:400])
    for name, degrees in (("upright", 0), ("lying", 90)):
        write_video(tmp_path / f"{name}.mp4", [turned(face, degrees)] * 3, fps=25, crf=0)
    upright, lying = predict.predict(judge, [tmp_path / "upright.mp4", tmp_path / "lying.mp4"], 3)
    assert (upright.turn, lying.turn) == (0, 270)
    assert np.allclose(lying.faces[0].boxes, upright.faces[0].boxes, atol=3)
    assert lying.score == pytest.approx(upright.score, abs=0.02)


def test_a_checkpoint_that_does_not_say_how_faces_are_cropped(tmp_path, monkeypatch):
    monkeypatch.setitem(detectors.DETECTORS, "toy", TOY)
    settings = TOY.parse([])
    about = {"detector": "toy", "settings": settings.to_dict()}
    checkpoint.save(tmp_path / "c.ckpt", Checkpoint(about, TOY.build(settings, False).state_dict()))
    with pytest.raises(CheckpointError, match="how faces were cropped"):
        predict.load(tmp_path / "c.ckpt", "cpu")


def test_a_score_that_is_no_number_is_never_printed(judge, clip, monkeypatch):
    monkeypatch.setattr(predict, "follow", found(4))
    with torch.no_grad():
        judge.network.classify.bias.fill_(torch.nan)
    with pytest.raises(CheckpointError, match=r"c\.ckpt gives no number as the score of 4 of 4 crops of .*frame 0"):
        predict.predict(judge, [clip], 4)
