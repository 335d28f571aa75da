"""`forgery-predict`: what it says, writes and leaves with."""

import json

import pytest
import skimage.data
import torch
from PIL import Image
from toy import TOY
from typer.testing import CliRunner

import cli.predict
from models import detectors
from models.runtime import checkpoint
from models.runtime.checkpoint import Checkpoint
from pipeline.config import Recipe

RUN = CliRunner()


@pytest.fixture
def detector(tmp_path, monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setitem(detectors.DETECTORS, "toy", TOY)
    torch.manual_seed(0)
    settings = TOY.parse([])
    about = {"detector": "toy", "settings": settings.to_dict(), "recipe": Recipe().to_dict()}
    path = tmp_path / "run/best.ckpt"
    checkpoint.save(path, Checkpoint(about, TOY.build(settings, False).state_dict()))
    return ["--checkpoint", str(path), "--device", "cpu", "--workers", "1"]


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    Image.fromarray(skimage.data.astronaut()[:300, 60:400]).save(folder / "deep/face.png")
    Image.new("RGB", (80, 60)).save(folder / "none.png")
    (folder / "broken.jpg").write_text("hello")
    return folder


def test_good_files_are_judged_and_bad_ones_named(detector, pictures, tmp_path):
    said = RUN.invoke(cli.predict.app, [*detector, str(pictures), "--out", str(tmp_path / "out")])
    assert said.exit_code == 1, said.output
    lines = {line.split(": ")[0].split("  ")[1]: line for line in said.stdout.splitlines() if "  " in line.strip()}
    assert lines[str(pictures / "deep/face.png")].endswith("1 face, 1 crops judged")
    assert "No face was found in it." in said.stdout
    assert "broken.jpg cannot be read" in said.stdout
    assert "1 of 3 files scored: 2 frames, 1 faces in" in said.stderr
    assert "frames/s" in said.stderr
    names = {"scores.csv", "files.csv", "rejects.csv", "verdicts.json", "002_face.png"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == names


def test_json_is_that_of_the_file(detector, pictures, tmp_path):
    face = str(pictures / "deep/face.png")
    said = RUN.invoke(cli.predict.app, [*detector, face, "--json", "--no-pictures", "--out", str(tmp_path / "out")])
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout) == json.loads((tmp_path / "out/verdicts.json").read_text())
    (file,) = json.loads(said.stdout)["files"]
    assert file["path"] == face
    assert 0 <= file["score"] == file["faces"][0]["score"] <= 1


def test_crops_that_are_given(detector, pictures):
    said = RUN.invoke(cli.predict.app, [*detector, str(pictures / "none.png"), "--cropped"])
    assert said.exit_code == 0, said.output  # no face is looked for
    assert "cropped at 1.3 times the detector's box" in said.stderr


@pytest.mark.parametrize("name", ["none.png", "broken.jpg", "gone.mp4"])
def test_nothing_scored_is_status_2(detector, pictures, name):
    said = RUN.invoke(cli.predict.app, [*detector, str(pictures / name)])
    assert said.exit_code == 2, said.output
    assert name in said.stdout
    assert "0 of 1 files scored" in said.stderr
