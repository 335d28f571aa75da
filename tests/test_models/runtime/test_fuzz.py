"""Checkpoints with any damage are refused in one sentence, or read as they were written."""

import io
import json
import zipfile

import hostile
import numpy as np
import pytest
import torch

from models.detectors import DETECTORS
from models.runtime import checkpoint
from models.runtime.checkpoint import Checkpoint
from pipeline.errors import CheckpointError, ConfigError

GRNET = DETECTORS["grnet"]
EACH = 60 * hostile.TIMES


@pytest.fixture(scope="module")
def made():
    settings = GRNET.parse(["size=32"])
    about = {"detector": "grnet", "settings": settings.to_dict(), "methods": ["a"], "stores": [], "recipe": {}}
    network = {
        name: value[:2].clone() for name, value in GRNET.build(settings, False).state_dict().items() if value.ndim
    }
    return Checkpoint(about, network, {"step": 3})


def look(path, whole=None):
    """Load a checkpoint; return whether it was refused."""
    try:
        found = checkpoint.load(path)
        found.settings.to_dict()
    except (CheckpointError, ConfigError):
        return True
    if whole is None:
        return False
    assert found.network.keys() == whole.network.keys(), "what is not refused is what was written"
    assert all(torch.equal(value, whole.network[name]) for name, value in found.network.items())
    return False


def test_damaged_bytes(tmp_path, made):
    path = tmp_path / "a.ckpt"
    checkpoint.save(path, made)
    content = path.read_bytes()
    refused = 0
    for seed in range(EACH):
        path.write_bytes(hostile.damaged(content, seed))
        try:
            refused += look(path, made)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
    assert refused > EACH // 2


def test_a_flipped_bit_of_a_weight_is_found(tmp_path, made):
    path = tmp_path / "a.ckpt"
    checkpoint.save(path, made)
    content = bytearray(path.read_bytes())
    weight = max(made.network.values(), key=torch.numel).numpy().tobytes()
    content[content.index(weight)] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"is damaged or no checkpoint at all: the bytes of .* have changed"):
        checkpoint.load(path)


def test_other_contents(tmp_path, made):
    path = tmp_path / "a.ckpt"
    whole = {"version": 1, "about": made.about, "network": made.network, "training": made.training}
    for seed in range(EACH):
        values = hostile.altered(whole, np.random.default_rng(seed))
        if isinstance(values, dict) and isinstance(values.get("about"), dict):
            values = values | {"about": json.dumps(values["about"])}
        torch.save(values, path)
        try:
            look(path)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error


def test_a_bomb_in_a_checkpoint_is_not_unpacked(tmp_path, made):
    path = tmp_path / "a.ckpt"
    checkpoint.save(path, made)
    packed = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, bytes(10 << 20) if "/data/0" in name else old.read(name))
    path.write_bytes(packed.getvalue())
    with pytest.raises(CheckpointError, match="it states other sizes than it has"):
        checkpoint.load(path)
