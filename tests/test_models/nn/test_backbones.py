"""Shapes at every named point, stages that equal timm's own forward pass, and weights that cannot be fetched."""

import pytest
import timm
import torch

from models.nn import backbones
from models.nn.backbones import HALF, WEIGHTS, HRNet, Normalise, create, resnet18, xception
from pipeline.errors import ConfigError, WeightsError


def millions(module):
    return sum(p.numel() for p in module.parameters()) / 1e6


@pytest.mark.parametrize(
    ("name", "widths", "size"), [("hrnet_w18", (18, 36, 72, 144), 19.25), ("hrnet_w32", (32, 64, 128, 256), 39.19)]
)
def test_hrnet(name, widths, size):
    net = HRNet(name, weights="", head=True).eval()
    assert net.widths == widths
    assert millions(net) == pytest.approx(size, abs=0.01)
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        stem = net.stem(x)
        maps = net.branches(stem)
        pooled = net.aggregate(maps)
        assert torch.equal(pooled, net.body.forward_features(x))
    assert stem.shape == (1, 64, 16, 16)
    assert [tuple(m.shape[1:]) for m in maps] == [(w, 16 >> i, 16 >> i) for i, w in enumerate(widths)]
    assert pooled.shape == (1, 2048, 2, 2)


def test_hrnet_without_head():
    assert millions(HRNet("hrnet_w18", weights="", head=False)) == pytest.approx(9.562, abs=0.001)


def test_xception_stages():
    stages = xception(weights="").eval()
    wanted = {
        "conv2": (64, 147),
        "block1": (128, 74),
        "block2": (256, 37),
        "block7": (728, 19),
        "block11": (728, 19),
        "block12": (1024, 10),
        "conv4": (2048, 10),
    }
    with torch.no_grad():
        found = stages(torch.rand(1, 3, 299, 299), tuple(wanted))
    assert {name: (x.shape[1], x.shape[2]) for name, x in found.items()} == wanted
    assert found["conv2"].min() == found["conv4"].min() == 0  # both after their ReLU


def test_xception_equals_timm_and_can_be_cut():
    stages = xception(weights="").eval()
    net = timm.create_model("legacy_xception", num_classes=0).eval()
    # the same order of layers, so the same order of tensors
    net.load_state_dict(dict(zip(net.state_dict(), stages.state_dict().values(), strict=True)))
    entry, leave = stages.cut("block7")
    x = torch.rand(1, 3, 71, 71)
    with torch.no_grad():
        whole = stages(x, ["conv2", "block7"])
        assert torch.equal(whole["conv4"], net.forward_features(x))
        assert torch.equal(entry(x)["block7"], whole["block7"])
        assert torch.equal(leave(whole["block7"])["conv4"], whole["conv4"])
        assert torch.equal(stages(x, ["conv2"])["conv2"], entry(x, ["conv2"])["conv2"])  # taps are not overwritten


@pytest.mark.parametrize(
    ("size", "sides"), [(256, (128, 64, 32, 16, 8)), (224, (112, 56, 28, 14, 7)), (128, (64, 32, 16, 8, 4))]
)
def test_resnet_stages(size, sides):
    stages = resnet18(weights="").eval()
    with torch.no_grad():
        found = stages(torch.rand(1, 3, size, size), tuple(stages.stages))
    assert [x.shape[1:] for x in found.values()] == [
        (c, s, s) for c, s in zip((64, 64, 128, 256, 512), sides, strict=True)
    ]


def test_the_tag_reaches_timm(monkeypatch):
    asked = []

    def record(name, *, pretrained, num_classes):
        asked.append((name, pretrained, num_classes))
        return timm.models.create_model(name, pretrained=False, num_classes=num_classes)

    monkeypatch.setattr(backbones.timm, "create_model", record)
    resnet18(weights="tv_in1k")
    resnet18(weights="")
    assert asked == [("resnet18.tv_in1k", True, 0), ("resnet18", False, 0)]
    with pytest.raises(ConfigError, match="weights is v2; resnet18 has tv_in1k"):
        resnet18(weights="v2")


@pytest.mark.parametrize("name", WEIGHTS)
def test_tags_are_timms(name):
    assert set(WEIGHTS[name]) <= {full.split(".")[1] for full in timm.list_pretrained(f"{name}.*")}


@pytest.mark.parametrize("error", [OSError("no route to host\nsecond line"), RuntimeError("invalid hash value")])
def test_weights_that_cannot_be_fetched(monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(backbones.timm, "create_model", fail)
    with pytest.raises(WeightsError, match=r"resnet18\.tv_in1k could not.*--no-pretrained") as caught:
        create("resnet18", "tv_in1k")
    assert "second line" not in str(caught.value)
    with pytest.raises(type(error)):
        create("resnet18", "")


def test_normalise():
    normalise = Normalise(HALF)
    assert not normalise.state_dict()
    assert torch.equal(
        normalise(torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3)), torch.tensor([-1.0, 0, 1]).expand(1, 3, 1, 3)
    )
