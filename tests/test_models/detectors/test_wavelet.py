"""Wavelet: shapes, parameters, stem fusion, bilinear pooling, losses, every row of its tables."""

import math

import pytest
import torch
import torch.nn.functional as F

from models.detectors.wavelet import DETECTOR, Bilinear, StemFusion
from pipeline.errors import ConfigError


def build(*pairs):
    return DETECTOR.build(DETECTOR.parse(pairs), False)


def test_shapes_and_parameters(make_batch):
    network = build().eval()
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(29.56, abs=0.01)
    stem = network.segmenter.stem
    shapes = []
    stem.register_forward_hook(lambda _, inputs, output: shapes.extend([inputs[0].shape[1:], output.shape[1:]]))
    with torch.no_grad():
        outputs = network(make_batch(224, rows=1))
    assert shapes == [(36, 224, 224), (64, 56, 56)]
    assert outputs.features["segment"].shape == (1, 270, 56, 56)
    assert outputs.features["classify"].shape == (1, 2048, 7, 7)
    assert outputs.maps["segment"].shape == (1, 1, 224, 224)
    assert outputs.logits.shape == outputs.heads["class"].shape == (1, 1)
    assert network.join.classify.in_features == 552_960


def test_wide_single_branch_parameters():
    network = build("preset=hr32-wavelet")
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(39.24, abs=0.01)


@pytest.mark.slow
def test_each_table_row_trains(train_once, round_trip, table_rows):
    for name, settings in table_rows(DETECTOR, 64).items():
        network = train_once(DETECTOR, settings)
        if name in ("raw", "hr18"):
            round_trip(DETECTOR, settings, network)


@pytest.mark.parametrize("pair", ["stem_fuse=sum", "bands=27", "bands=30", "swd_norm=off", "truth=mask"])
def test_each_other_switch_trains(train_once, pair):
    train_once(DETECTOR, DETECTOR.parse([pair, "size=64", "branches=1" if "truth" not in pair else "branches=2"]))


def test_loss_is_the_sum_of_three(make_batch):
    network, batch = build("size=64", "segment_weight=3", "bilinear_weight=2").eval(), make_batch(64, rows=4)
    outputs = network(batch)
    terms = network.loss(outputs, batch)
    wanted = {"class": outputs.heads["class"], "bilinear": outputs.logits}
    for weight, (name, logits) in zip((1, 2), wanted.items(), strict=True):
        loss = F.binary_cross_entropy_with_logits(logits[:, 0], batch["label"].float())
        assert terms[name].item() == pytest.approx(weight * loss.item(), rel=1e-6)
    pixels = F.binary_cross_entropy_with_logits(outputs.maps["segment"], batch["ssim"])
    assert terms["segment"].item() == pytest.approx(3 * pixels.item(), rel=1e-5)
    batch["ssim"][1] = float("nan")
    assert {name: count.item() for name, count in network.rows(batch).items()} == {
        "class": 4,
        "bilinear": 4,
        "segment": 3,
    }


def test_score_from_pixels(make_batch):
    network = build("size=64", "score=pixels").eval()
    outputs = network(make_batch(64))
    outputs.maps["segment"] = torch.cat([torch.full((2, 1, 64, 48), -1.0), torch.full((2, 1, 64, 16), 2.0)], -1)
    assert network.score(outputs).tolist() == [0.25, 0.25]


@pytest.mark.parametrize(
    "pairs", [["size=100"], ["branches=1", "score=pixels"], ["branches=1", "copy_branch1=on"], ["backbone=hrnet_w64"]]
)
def test_contradictions_are_refused(pairs):
    with pytest.raises(ConfigError):
        DETECTOR.parse(pairs)


def test_paper_values():
    (phase,) = DETECTOR.plan(DETECTOR.settings()).phases
    (step,) = phase.steps
    assert phase.reload == (10, 13, 15)
    assert [step.lr * step.decay(epoch) for epoch in (0, 9, 10, 13, 15)] == pytest.approx(
        [1e-2, 1e-2, 1e-3, 1e-4, 1e-5]
    )


@pytest.mark.parametrize("copy", ["on", "off"])
def test_the_second_branch_begins_as_a_copy_of_the_first(copy):
    settings = DETECTOR.parse([f"copy_branch1={copy}"])
    (phase,) = DETECTOR.plan(settings).phases
    network = DETECTOR.build(settings, False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.begin(phase)
    after, copied = network.state_dict(), 0
    for name, value in after.items():
        of_first = name.replace("classifier.", "segmenter.", 1)
        alike = copy == "on" and name.startswith("classifier.") and of_first in before
        assert torch.equal(value, before[of_first if alike else name])
        copied += alike and not torch.equal(value, before[name])
    assert (copied > 300) == (copy == "on")


@pytest.mark.parametrize("copied", [True, False])
def test_a_checkpoint_from_before_a_setting_was_renamed(copied):
    written = DETECTOR.settings().to_dict() | {"copy_branch1": copied}
    written["twin"] = written.pop("copy_branch1")
    assert DETECTOR.restore(written).copy_branch1 is copied


def test_optimisers():
    (step,) = DETECTOR.plan(DETECTOR.parse(["optimiser=adam", "lr=3e-4"])).phases[0].steps
    assert (step.optimiser, step.lr, step.weight_decay) == ("adam", 3e-4, 1e-4)
    assert DETECTOR.plan(DETECTOR.settings()).phases[0].steps[0].optimiser == "sgd"


def test_rows_come_as_stored_unless_balance_is_asked_for():
    assert not DETECTOR.plan(DETECTOR.settings()).epoch.mix
    epoch = DETECTOR.plan(DETECTOR.parse(["balance=even"])).epoch
    assert epoch.even
    assert epoch.mix["real"] == epoch.mix["fake"]


def test_stem_weights_add_up_to_one():
    weights = StemFusion().weights(torch.randn(3, 64, 5, 5), torch.randn(3, 64, 5, 5))
    torch.testing.assert_close(weights.sum(1), torch.ones(3, 64))
    x = torch.randn(3, 64, 5, 5)
    torch.testing.assert_close(StemFusion()(x, x), x)  # equal stems: whatever the weights


def maps(side=6, first=5, second=7):
    return torch.randn(2, first, side, side, dtype=torch.float64), torch.randn(
        2, second, side, side, dtype=torch.float64
    )


def test_bilinear_pooling_is_the_normalised_outer_product():
    (f_s, f_c), head = maps(), Bilinear(5, 7)
    pooled = head.pool(f_s, f_c, 6)
    outer = sum(f_s[:, :, y, x, None] * f_c[:, None, :, y, x] for y in range(6) for x in range(6)).flatten(1) / 36
    wanted = outer.sign() * (outer.abs() + 1e-5).sqrt()
    torch.testing.assert_close(pooled, wanted / wanted.norm(dim=1, keepdim=True))
    torch.testing.assert_close(pooled.norm(dim=1), torch.ones(2, dtype=torch.float64))


def test_bilinear_pooling_ignores_order_and_scale():
    (f_s, f_c), head = maps(), Bilinear(5, 7, epsilon=0.0)
    order = torch.randperm(36)
    shuffled = [f.flatten(2)[..., order].view_as(f) for f in (f_s, f_c)]
    torch.testing.assert_close(head.pool(*shuffled, 6), head.pool(f_s, f_c, 6), rtol=0, atol=1e-14)
    torch.testing.assert_close(head.pool(3 * f_s, 0.1 * f_c, 6), head.pool(f_s, f_c, 6), rtol=0, atol=1e-15)


def test_a_constant_segmentation_feature_leaves_global_average_pooling():
    _, f_c = maps()
    pooled = Bilinear(1, 7).pool(torch.ones(2, 1, 6, 6, dtype=torch.float64), f_c, 6)
    mean = f_c.mean((2, 3))
    torch.testing.assert_close(pooled, F.normalize(mean.sign() * (mean.abs() + 1e-5).sqrt(), dim=1))


@pytest.mark.parametrize("epsilon", [1e-5, 0.0])
def test_gradient_at_zero_needs_the_epsilon(epsilon):
    f_s, f_c = (torch.zeros_like(f).requires_grad_() for f in maps())
    head = Bilinear(5, 7, epsilon)
    (head.pool(f_s, f_c + 1, 6) * torch.randn(2, 35)).sum().backward()
    assert bool(f_s.grad.isfinite().all()) == (epsilon > 0)


def test_common_grid_is_fourteen_at_224(make_batch, monkeypatch):
    network, grids = build("size=64").eval(), []
    pool = network.join.pool
    monkeypatch.setattr(network.join, "pool", lambda f_s, f_c, grid: (grids.append(grid), pool(f_s, f_c, grid))[1])
    network(make_batch(64))
    assert grids == [math.ceil(14 * 64 / 224)]
