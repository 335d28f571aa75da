"""The package of docs/extending.md, installed as it stands there, is a detector like any other."""

import json
import re
import subprocess
import sys

import pytest
import torch
from places import ROOT
from tinystore import make_store
from typer.testing import CliRunner

import cli.evaluate
import cli.train
from models.detectors import DETECTORS, find
from models.detectors.outside import GROUP
from pipeline.errors import ConfigError

BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```', re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Return the folder that the page's package was installed into."""
    folder = tmp_path_factory.mktemp("package")
    for name, text in BLOCK.findall((ROOT / "docs/extending.md").read_text(encoding="utf-8")):
        (folder / name).write_text(text)
    install = ["pip", "install", "--quiet", "--offline", "--no-deps", "--no-build-isolation", "--target"]
    done = subprocess.run(
        [sys.executable, "-m", "uv", *install, folder / "site", "--python", sys.executable, folder],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def installed(package, monkeypatch):
    monkeypatch.syspath_prepend(package)
    yield
    sys.modules.pop("our_detector", None)


def bring(folder, package, name, text, module="brought"):
    """Install a package by hand: a module and what an installer would note of it."""
    (folder / f"{module}.py").write_text(text)
    notes = folder / f"{package}-1.dist-info"
    notes.mkdir()
    (notes / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    (notes / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {module}:DETECTOR\n")


def test_it_trains_and_its_checkpoint_is_evaluated(installed, tmp_path):
    torch.set_num_threads(1)
    location = make_store(tmp_path / "tiny.zarr", size=32, frames=1, blends=False)
    base = ["--store", location, "--device", "cpu"]
    trained = CliRunner().invoke(
        cli.train.app,
        ["--detector", "ours", *base, "--out", str(tmp_path / "run"), "--steps", "2", "--set", "size=32", "--set",
         "batch=4"],
    )  # fmt: skip
    assert trained.exit_code == 0, trained.output
    judged = CliRunner().invoke(
        cli.evaluate.app,
        ["--checkpoint", str(tmp_path / "run/best.ckpt"), *base, "--rounds", "10", "--json"],
    )
    assert judged.exit_code == 0, judged.output
    assert json.loads(judged.stdout)["detector"] == "ours"


def test_its_settings_are_listed_and_it_is_among_the_known(installed):
    listed = CliRunner().invoke(cli.train.app, ["--detector", "ours", "--settings"])
    assert listed.output.startswith("ours: our paper, 2026")
    with pytest.raises(ConfigError, match=r"known are .*, ours"):
        find("theirs")


def test_without_the_package_its_name_is_not_known():
    with pytest.raises(ConfigError, match=r"There is no detector ours; .* needs it installed"):
        find("ours")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("wavelet", "", "their-package brings a detector wavelet, a name that forgery-prep uses itself"),
        ("broken", "import nothing_of_that_name", "cannot be loaded: ModuleNotFoundError: No module named"),
        ("broken", "DETECTOR = 7", "is a int and no Detector"),
        ("broken", "from models.detectors.grnet import DETECTOR", "calls itself grnet; both names must be the same"),
    ],
)
def test_what_is_wrong_with_a_package_is_one_sentence(name, text, said, tmp_path, monkeypatch):
    bring(tmp_path, "their-package", name, text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "brought", raising=False)
    with pytest.raises(ConfigError, match=said) as error:
        find(name)
    assert "\n" not in str(error.value)
    sys.modules.pop("brought", None)
    assert find("grnet") is DETECTORS["grnet"], "what is wrong with one leaves the others"


def test_two_packages_with_one_name_are_refused(installed, tmp_path, monkeypatch):
    bring(tmp_path, "their-package", "ours", "")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="comes with our-detector and their-package"):
        find("ours")
