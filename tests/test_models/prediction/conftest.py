"""Detectors with random weights, and pictures with one face and with two."""

import numpy as np
import pytest
import torch
from skimage import data
from toy import TOY

from models import detectors
from models.prediction import judging
from models.runtime import checkpoint
from models.runtime.checkpoint import Checkpoint
from pipeline.config import Recipe, overlay

RECIPE = overlay(Recipe(), {"cropping": {"size": 32}}, "test")


@pytest.fixture
def make_checkpoint(tmp_path, monkeypatch):
    """Return a function that writes `NAME/best.ckpt`; another seed gives another opinion."""
    monkeypatch.setitem(detectors.DETECTORS, "toy", TOY)

    def make(name="toy", seed=0, recipe=RECIPE):
        torch.manual_seed(seed)
        settings = TOY.parse([])
        network = TOY.build(settings, False)
        with torch.no_grad():
            network.classify.weight.mul_(20)  # scores that differ from face to face
        about = {"detector": "toy", "settings": settings.to_dict(), "recipe": recipe.to_dict()}
        path = tmp_path / "runs" / name / "best.ckpt"
        checkpoint.save(path, Checkpoint(about, network.state_dict()))
        return path

    return make


@pytest.fixture
def panel(make_checkpoint):
    return judging.load([make_checkpoint()], "cpu")


@pytest.fixture(scope="session")
def head():
    """Return a picture of one face, (300, 340, 3)."""
    return np.ascontiguousarray(data.astronaut()[:300, 60:400])


@pytest.fixture(scope="session")
def two_heads(head):
    """Return a picture of two faces, the second one smaller."""
    page = np.full((300, 560, 3), 120, np.uint8)
    page[:, :340] = head
    page[60:210, 380:550] = head[::2, ::2]
    return page
