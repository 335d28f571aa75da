"""A preset of each detector end to end by the commands: one step of training, then the paper's figures beside ours."""

import json
import re

import pytest
import torch
from tinystore import make_store
from typer.testing import CliRunner

import cli.evaluate
import cli.train
from models.detectors import DETECTORS
from models.detectors.protocol import FFPP

pytestmark = pytest.mark.slow

RUN = CliRunner()
PRESETS = {"wavelet": "c40", "grnet": "ffpp-c40", "locate": "lq", "anticompression": "full", "bigarts": "ffpp"}
MEASURED = {  # figures that a store of FaceForensics++ alone can yield
    "wavelet": {"accuracy", "auc", "tpr_at_fpr10", "recall", "miou_fake", "miou_real", "miou"},
    "grnet": {"accuracy"}, "locate": {"auc", "accuracy", "iou"}, "anticompression": {"accuracy", "auc"},
    "bigarts": {"auc"},
}  # fmt: skip


@pytest.fixture(scope="module")
def location(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    return make_store(folder / "ffpp.zarr", size=64, people=1, frames=1, methods=(*FFPP, "FaceShifter"), dataset="ffpp")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_runs_and_stands_beside_the_paper(name, location, tmp_path):
    torch.set_num_threads(1)
    preset, common = PRESETS[name], ["--store", location, "--device", "cpu"]
    trained = RUN.invoke(
        cli.train.app,
        ["--detector", name, "--set", f"preset={preset}", "--set", "size=64", "--batch-size", "2", "--steps", "1",
         "--no-pretrained", "--out", str(tmp_path), *common],
    )  # fmt: skip
    assert trained.exit_code == 0, trained.output
    judged = RUN.invoke(
        cli.evaluate.app,
        ["--checkpoint", str(tmp_path / "best.ckpt"), "--preset", preset, "--rounds", "0", "--no-sheet", *common],
    )
    assert judged.exit_code == 0, judged.output
    figures = DETECTORS[name].presets[preset].figures
    for figure in figures:
        assert re.search(rf"{re.escape(str(figure))} +paper {re.escape(figure.paper)}, here ", judged.output)
    said = json.loads((tmp_path / "eval" / "metrics.json").read_text(encoding="utf-8"))["preset"]
    measured = [each for each in said["figures"] if each["here"] is not None]
    assert {each["metric"] for each in measured} == MEASURED[name]
    assert all("FaceShifter" not in remark for each in measured for remark in each["remarks"])
    assert {each["lacking"] for each in said["figures"] if each["here"] is None and each["metric"] != "mean"} == {
        f"no store of {figure.rows.dataset}"
        for figure in figures
        if figure.rows.dataset != "ffpp" and figure.metric != "mean"
    }
    assert any(remark.startswith("training was stopped after 1 steps") for remark in said["network"])
