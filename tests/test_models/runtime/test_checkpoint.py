"""Checkpoints round trip; what is no checkpoint is refused, and never run."""

import pickle

import pytest
import torch

from models.detectors import DETECTORS
from models.runtime import checkpoint
from models.runtime.checkpoint import Checkpoint
from pipeline.errors import CheckpointError, WriteError

GRNET = DETECTORS["grnet"]


def made(**more):
    settings = GRNET.parse(["size=32"])
    about = {"detector": "grnet", "settings": settings.to_dict(), **more}
    return Checkpoint(about, GRNET.build(settings, False).state_dict(), {"step": 3, "sums": {"class": 0.1}})


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "deep" / "best.ckpt"
    checkpoint.save(path, made())
    return path


def test_round_trip(saved):
    again = checkpoint.load(saved)
    assert again.detector is GRNET
    assert again.settings == GRNET.parse(["size=32"])
    assert again.training == {"step": 3, "sums": {"class": 0.1}}
    network = again.build()
    assert all(torch.equal(value, again.network[name]) for name, value in network.state_dict().items())
    assert [file.name for file in saved.parent.iterdir()] == ["best.ckpt"]


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickle_bomb_does_not_go_off(tmp_path):
    crater = tmp_path / "crater"
    for name, write in (("plain", lambda value, path: path.write_bytes(pickle.dumps(value))), ("zip", torch.save)):
        path = tmp_path / f"{name}.ckpt"
        write({"version": 1, "about": "{}", "network": Bomb(crater), "training": {}}, path)
        with pytest.raises(CheckpointError, match=r"was not run|damaged"):
            checkpoint.load(path)
    assert not crater.exists()


@pytest.mark.parametrize("keep", [0, 10, 5000, -100])
def test_a_cut_off_file_is_refused(saved, tmp_path, keep):
    path = tmp_path / "cut.ckpt"
    path.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"cut\.ckpt"):
        checkpoint.load(path)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        checkpoint.load(tmp_path / "none.ckpt")
    cases = {
        "text.ckpt": (lambda path: path.write_text("hello"), "text.ckpt"),
        "tensor.ckpt": (lambda path: torch.save(torch.zeros(3), path), "no checkpoint of this program"),
        "new.ckpt": (
            lambda path: torch.save({"version": 9, "about": "{}", "network": {}, "training": {}}, path),
            "version 9",
        ),
        "about.ckpt": (
            lambda path: torch.save({"version": 1, "about": "{", "network": {}, "training": {}}, path),
            "damaged",
        ),
    }
    for name, (write, text) in cases.items():
        write(tmp_path / name)
        with pytest.raises(CheckpointError, match=text):
            checkpoint.load(tmp_path / name)


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        (None, "holds no weights"),
        ({}, "holds no weights"),
        ([torch.zeros(1)], "holds no weights"),
        ({"a": 1.0}, "holds no weights"),
        ({"a": torch.zeros(3), "b": torch.tensor([0.0, torch.nan])}, "no numbers, in 1 of 2 tensors, first b"),
        ({"a": torch.tensor(torch.inf)}, "no numbers, in 1 of 1 tensors, first a"),
    ],
)
def test_weights_that_are_none_or_no_numbers_are_refused(tmp_path, weights, text):
    path = tmp_path / "bad.ckpt"
    about = '{"detector": "grnet", "settings": {}}'
    torch.save({"version": 1, "about": about, "network": weights, "training": {}}, path)
    with pytest.raises(CheckpointError, match=rf"bad\.ckpt.*{text}"):
        checkpoint.load(path)
    torch.save({"version": 1, "about": about, "network": {"a": torch.zeros(1)}, "training": None}, path)
    with pytest.raises(CheckpointError, match="what a resume needs"):
        checkpoint.load(path)


def test_weights_of_another_network_are_refused():
    other = Checkpoint({"detector": "grnet", "settings": {"size": 32, "streams": "rgb"}}, made().network)
    with pytest.raises(CheckpointError, match="do not fit"):
        other.build()


def test_a_failed_save_leaves_the_old_one(saved, tmp_path, monkeypatch):
    path = tmp_path / "best.ckpt"
    path.write_bytes(saved.read_bytes())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WriteError, match="No space left"):
        checkpoint.save(path, made(more=1))
    assert path.read_bytes() == saved.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["best.ckpt"]
