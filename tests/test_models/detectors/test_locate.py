"""Detect and Locate: grids, two steps of training, attention, map weights, losses, every row of its tables."""

import pytest
import torch
import torch.nn.functional as F

from models.detectors.locate import DETECTOR, Classifier
from pipeline.errors import ConfigError


def build(*pairs):
    return DETECTOR.build(DETECTOR.parse(pairs), False)


def test_shapes(make_batch):
    network = build().eval()
    with torch.no_grad():
        outputs = network(make_batch(299, rows=1))
    sides = {"f1": 147, "f2": 37, "f3": 19}
    assert {name: tuple(drawn.shape[1:]) for name, drawn in outputs.maps.items()} == {
        f"{kind}_{tap}": (channels, side, side)
        for kind, channels in (("seg", 2), ("noise", 1))
        for tap, side in sides.items()
    }
    widths = {"f1": 64, "f2": 256, "f3": 728}
    assert all(outputs.features[tap].shape[1:] == (widths[tap], side, side) for tap, side in sides.items())
    assert outputs.features["fused"].shape == (1, 128, 19, 19)
    assert outputs.logits.shape == (1, 1)


def test_classifier_shapes():
    x, shapes = torch.rand(2, 128, 19, 19), []
    for layer in Classifier(128, 1, False).layers:
        x = layer(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes[0] == (128, 10, 10)
    assert shapes[4:6] == [(256, 8, 8), (256, 4, 4)]
    assert shapes[-4:] == [(728, 2, 2), (2912,), (100,), (1,)]


@pytest.mark.slow
def test_each_table_row_trains(train_once, round_trip, table_rows):
    for name, settings in table_rows(DETECTOR, 96, gammas=(0.1, 0.2, 0.7)).items():
        network = train_once(DETECTOR, settings)
        if name in ("lq", "xception"):
            round_trip(DETECTOR, settings, network)


@pytest.mark.parametrize(
    "pairs", [["separable=on", "two_steps=off"], ["attention=sigmoid", "two_steps=off", "truth=ssim"]]
)
def test_each_other_switch_trains(train_once, pairs):
    train_once(DETECTOR, DETECTOR.parse([*pairs, "size=96", "taps=f3"]))


def test_two_steps(make_batch, round_trip):
    network, batch = build("size=96", "taps=f3"), make_batch(96)
    first, second = DETECTOR.plan(network.settings).phases
    assert (first.steps[0].lr, second.steps[0].lr) == (2e-4, 2e-4)
    assert first.every_steps == 3000
    network.start(first)
    outputs = network(batch)
    assert not [name for name in outputs.maps if name.startswith("noise")]
    assert network.loss(outputs, batch).keys() == {"class", "seg"}
    noise = {id(p) for p in network.noise.parameters()} | {id(p) for p in network.classify.parameters()}
    assert not noise & {id(p) for p in network.parameters_of("main")}
    round_trip(DETECTOR, network.settings, network)  # an early checkpoint keeps its own classifier
    network.start(second)
    assert network.loss(network(batch), batch).keys() == {"class", "seg", "noise"}
    early = {id(p) for p in network.first.parameters()}
    assert {id(p) for p in network.parameters()} - {id(p) for p in network.parameters_of("main")} == early


@pytest.mark.parametrize(
    ("attention", "act"), [("logit", lambda x: x), ("sigmoid", torch.sigmoid)], ids=["logit", "sigmoid"]
)
def test_the_map_of_the_manipulated_weighs_the_features(make_batch, attention, act):
    network, batch = build("size=96", "taps=f3", f"attention={attention}").eval(), make_batch(96)
    outputs = network(batch)
    features = [maps({"f3": outputs.features["f3"]})[0] for maps in (network.seg, network.noise)]
    wanted = torch.cat(features, 1) * act(outputs.maps["seg_f3"][:, :1])
    torch.testing.assert_close(outputs.features["fused"], wanted)


def test_losses_follow_the_code(make_batch):
    network, batch = build("size=96", "noise_scale=2", "two_steps=off").eval(), make_batch(96, rows=3)
    batch["mask"][0, :, :48] = 0.5
    outputs = network(batch)
    terms = network.loss(outputs, batch)
    seg = noise = 0.0
    for tap in ("f1", "f2", "f3"):
        logits, size = outputs.maps[f"seg_{tap}"], outputs.maps[f"seg_{tap}"].shape[-2:]
        m, n = (F.interpolate(batch[name], size, mode="bilinear", antialias=True) for name in ("mask", "noise"))
        both = (F.binary_cross_entropy_with_logits(logits[:, i : i + 1], t) for i, t in enumerate((m, 1 - m)))
        seg += sum(loss.item() for loss in both) / 2
        noise += (outputs.maps[f"noise_{tap}"] - 2 * n).abs().mean().item()
    assert terms["seg"].item() == pytest.approx(seg, rel=1e-5)
    assert terms["noise"].item() == pytest.approx(0.1 * noise, rel=1e-5)


def test_map_weights(make_batch):
    network = build("size=96").eval()
    outputs = network(make_batch(96))
    same = torch.randn(2, 2, 1, 1)
    outputs.maps |= {f"seg_{tap}": same.expand(2, 2, side, side) for tap, side in (("f1", 45), ("f2", 12), ("f3", 6))}
    drawn = network.localise(outputs, 96)
    torch.testing.assert_close(drawn, same[:, :1].sigmoid().expand(2, 1, 96, 96), rtol=0, atol=2e-7)
    outputs.maps["seg_f3"] = outputs.maps["seg_f3"] + 50.0
    raised = 0.7 + 0.3 * same[:, :1].sigmoid()
    torch.testing.assert_close(network.localise(outputs, 96), raised.expand(2, 1, 96, 96), rtol=0, atol=1e-4)


def test_weights_of_the_taps_there_are_add_up_to_one(make_batch):
    network = build("size=96", "taps=f3,f2", "two_steps=off").eval()
    outputs = network(make_batch(96))
    outputs.maps |= {f"seg_{tap}": torch.full((2, 2, 6, 6), 50.0) for tap in ("f2", "f3")}
    torch.testing.assert_close(network.localise(outputs, 32), torch.ones(2, 1, 32, 32))


@pytest.mark.parametrize("pair", ["gammas=0.5,0.5,0.5", "gammas=1", "gammas=0.5,0.5,0", "taps=f1", "size=20"])
def test_contradictions_are_refused(pair):
    with pytest.raises(ConfigError):
        DETECTOR.parse([pair])


def test_arrays_follow_the_switches():
    needs = {pair: DETECTOR.plan(DETECTOR.parse([pair])).maps for pair in ("seg=off", "noise=off", "truth=ssim")}
    assert needs == {"seg=off": ("noise",), "noise=off": ("mask",), "truth=ssim": ("ssim", "noise")}


def test_several_classes_are_chosen_among_by_accuracy():
    chosen = {text: DETECTOR.plan(DETECTOR.parse(text.split())).metric for text in ("classes=2", "classes=5")}
    assert chosen == {"classes=2": "auc", "classes=5": "accuracy"}
    assert DETECTOR.plan(DETECTOR.parse(["classes=5", "metric=recall_mean"])).metric == "recall_mean"
    assert all(DETECTOR.plan(DETECTOR.parse([f"preset={name}"])).metric == "accuracy" for name in ("five-seg",))
