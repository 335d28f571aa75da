"""The commands of training, evaluation and prediction: what they print, write and leave with."""

import json

import pytest
import torch
from tinystore import make_store
from toy import TOY
from typer.testing import CliRunner

import cli.evaluate
import cli.predict
import cli.train
from models import detectors

RUN = CliRunner()


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setitem(detectors.DETECTORS, "toy", TOY)


def test_train_then_evaluate(tmp_path):
    location = make_store(tmp_path / "tiny.zarr", size=32)
    out = tmp_path / "run"
    base = ["--detector", "toy", "--store", location, "--out", str(out), "--device", "cpu", "--no-pretrained"]
    first = RUN.invoke(cli.train.app, [*base, "--steps", "2", "--epochs", "1"])
    assert first.exit_code == 0, first.output
    assert "toy: stopped after 2 steps" in first.output
    rest = RUN.invoke(cli.train.app, [*base, "--resume", "--epochs", "1"])
    assert "toy: complete after" in rest.output
    judged = RUN.invoke(
        cli.evaluate.app,
        ["--store", location, "--checkpoint", str(out / "best.ckpt"), "--perturb", "jpeg:60", "--rounds", "20",
         "--device", "cpu", "--json"],
    )  # fmt: skip
    assert judged.exit_code == 0, judged.output
    assert "auc" in json.loads(judged.stdout)["overall"]["frame"]
    assert {file.name for file in (out / "eval").iterdir()} >= {"metrics.json", "predictions.png", "roc.png"}


def test_settings_are_listed():
    listed = RUN.invoke(cli.train.app, ["--detector", "all", "--settings"])
    assert listed.exit_code == 0
    for name in detectors.DETECTORS:
        assert f"\n{name}: " in f"\n{listed.output}"
    assert "preset=rbio" in listed.output


@pytest.mark.parametrize(
    ("module", "arguments", "text"),
    [
        (cli.train, ["--detector", "nobody"], "There is no detector nobody"),
        (cli.train, ["--detector", "toy", "--set", "lr"], "write it as KEY=VALUE"),
        (cli.train, ["--detector", "toy", "--store", "nowhere.zarr", "--device", "cpu"], "There is no store"),
        (cli.evaluate, ["--checkpoint", "nowhere.ckpt"], "There is no checkpoint"),
        (cli.predict, ["--checkpoint", "nowhere.ckpt", "a.mp4"], "There is no checkpoint"),
    ],
)
def test_wrong_use_is_one_sentence_and_status_2(module, arguments, text, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["forgery", *arguments])
    with pytest.raises(SystemExit) as left:
        module.main()
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert text in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_ctrl_c_leaves_with_130(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("models.training.loop.train", interrupted)
    monkeypatch.setattr("sys.argv", ["forgery-train", "--detector", "toy"])
    with pytest.raises(SystemExit) as left:
        cli.train.main()
    assert left.value.code == 130
