"""Anti-compression: shapes, the critic and its penalty, metric and attention losses, every row of its tables."""

import pytest
import torch
from torch import nn

from models.detectors.anticompression import (
    DETECTOR,
    Critic,
    both_orders,
    distance,
    gradient_penalty,
    spread,
)
from pipeline.errors import ConfigError


def build(*pairs):
    return DETECTOR.build(DETECTOR.parse(pairs), False)


def test_shapes(make_batch):
    network = build("losses=cls,at").eval()
    with torch.no_grad():
        outputs = network(make_batch(299, rows=1))
    wanted = {"block7": (728, 19, 19), "map": (1, 19, 19), "conv4": (2048, 10, 10), "code": (2048,)}
    for name, shape in wanted.items():
        assert outputs.features[name].shape[1:] == outputs.features[f"high_{name}"].shape[1:] == shape
    assert outputs.logits.shape == outputs.heads["high"].shape == (1, 2)


def test_critic_grid():
    x, sides = torch.rand(1, 1456, 19, 19), []
    critic = Critic()
    for layer in critic.layers:
        x = layer(x)
        sides += [x.shape[-1]] if isinstance(layer, nn.Conv2d) else []
    assert sides == [19, 10, 5, 3]
    assert critic.layers[0].kernel_size == (1, 1)
    assert not [layer for layer in critic.modules() if isinstance(layer, nn.BatchNorm2d)]


@pytest.mark.slow
def test_each_table_row_trains(train_once, round_trip, table_rows):
    for name, settings in table_rows(DETECTOR, 96).items():
        network = train_once(DETECTOR, settings)
        if name == "full":
            round_trip(DETECTOR, settings, network)


@pytest.mark.parametrize(
    "pairs",
    [
        ["attention=separable", "train_quality=c40", "losses=cls,at,dis"],
        ["teacher=joint", "losses=cls,at", "truth=ssim"],
        ["critic_steps=3", "losses=cls,gan"],
    ],
)
def test_each_other_switch_trains(train_once, pairs):
    train_once(DETECTOR, DETECTOR.parse([*pairs, "size=96"]))


def test_detection_needs_the_low_branch_alone(make_batch):
    network, batch = build("size=96", "losses=cls,at").eval(), make_batch(96)
    with torch.no_grad():
        alone, both = network({"image": batch["image"]}), network(batch)
    assert torch.equal(network.score(alone), network.score(both))
    assert torch.equal(network.localise(alone, 96), network.localise(both, 96))


def test_distance_is_antisymmetric_and_zero_for_equal_features():
    critic, high, low = Critic(8), torch.randn(3, 4, 19, 19), torch.randn(3, 4, 19, 19)
    there, back = both_orders(high, low), both_orders(low, high)
    torch.testing.assert_close(distance(critic, *there), -distance(critic, *back))
    assert distance(critic, *both_orders(high, high)).item() == 0


@pytest.mark.parametrize(("slope", "penalty"), [(1.0, 0.0), (3.0, 4.0)])
def test_gradient_penalty_of_a_linear_critic(slope, penalty):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(8 * 9, 1))
    with torch.no_grad():
        linear[1].weight *= slope / linear[1].weight.norm()
    found = gradient_penalty(linear, *both_orders(torch.randn(5, 4, 3, 3), torch.randn(5, 4, 3, 3)))
    assert found.item() == pytest.approx(penalty, abs=1e-5)
    found.backward()
    assert linear[1].weight.grad.isfinite().all()


def test_critic_and_encoders_learn_apart(make_batch):
    network, batch = build("size=96", "losses=cls,gan"), make_batch(96)
    outputs = network(batch)
    sum(network.loss(outputs, batch, "critic").values()).backward()
    mine = {id(p) for p in network.parameters_of("critic")}
    assert mine == {id(p) for p in network.critic.parameters()}
    assert {id(p) for p in network.parameters() if p.grad is not None} == mine
    network.zero_grad()
    network.loss(outputs, batch)["gan"].backward()
    moved = {id(p) for p in network.parameters() if p.grad is not None}
    assert not moved & mine
    assert moved == {id(p) for branch in (network.low, network.high) for p in branch.entry.parameters()}
    assert all(p.requires_grad for p in network.critic.parameters())


def codes(*lengths):
    return torch.nn.functional.normalize(torch.rand(len(lengths), 2048), dim=1) * torch.tensor(lengths)[:, None]


def test_spread_is_zero_where_it_should_be():
    both = codes(4.9, 75.1)
    label = torch.tensor([0, 1])
    assert spread([both, both.clone()], label, 5, 75).item() < 1e-5
    assert spread([codes(0.0, 100.0)], label, 5, 75).item() == 0


def test_spread_counts_hinges_and_twins():
    low, high = codes(15.0, 70.0), codes(5.0, 75.0)
    found = spread([low, high], torch.tensor([0, 1]), 5, 75)
    apart = (low - high).norm(dim=1).mean()
    torch.testing.assert_close(found, (10 + 5) / 2 + apart, rtol=1e-5, atol=0)
    zero = torch.zeros(2, 2048, requires_grad=True)
    spread([zero, zero], torch.tensor([0, 1]), 5, 75).backward()
    assert zero.grad.isfinite().all()


def test_attention_losses(make_batch):
    network, batch = build("size=96", "losses=cls,at"), make_batch(96)
    outputs = network(batch)
    side = outputs.maps["low"].shape[-1]
    area = nn.functional.avg_pool2d(batch["mask"], 96 // side)
    outputs.maps = {"low": area.clone(), "high": area.clone()}
    terms = network.loss(outputs, batch)
    assert terms["transfer"].item() == terms["truth"].item() == 0
    outputs.maps["low"] = area + 0.25
    terms = network.loss(outputs, batch)
    assert terms["transfer"].item() == pytest.approx(0.25, rel=1e-6)
    assert terms["truth"].item() == 0


@pytest.mark.parametrize("teacher", ["detached", "joint"])
def test_the_teacher_learns_from_the_transfer_only_when_asked(make_batch, teacher):
    network, batch = build("size=96", "losses=cls,at", f"teacher={teacher}"), make_batch(96)
    network.loss(network(batch), batch)["transfer"].backward()
    assert network.low.attend[0].weight.grad.abs().max() > 0
    assert (network.high.attend[0].weight.grad is not None) == (teacher == "joint")


def test_nothing_passes_where_the_map_is_zero(make_batch, monkeypatch):
    network, seen = build("size=96", "losses=cls,at", "train_quality=c40").eval(), []
    network.low.leave.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    monkeypatch.setattr(network.low.attend[1], "forward", lambda x: (x > 1e9).float())
    network(make_batch(96))
    assert seen[0].abs().max() == 0


def test_paper_values():
    plan = DETECTOR.plan(DETECTOR.settings())
    assert [(step.name, step.lr, step.betas, step.times) for step in plan.phases[0].steps] == [
        ("critic", 1e-4, (0.5, 0.9), 1),
        ("main", 1e-4, (0.9, 0.999), 1),
    ]
    assert (plan.compression, plan.twin, plan.metric, plan.phases[0].patience) == ("c40", "c23", "loss", 3)
    assert DETECTOR.plan(DETECTOR.parse(["preset=cls"])).twin == ""


@pytest.mark.parametrize(
    "pairs", [["losses=at"], ["losses=none"], ["losses=cls,gan", "train_quality=c40"], ["critic_steps=6"]]
)
def test_contradictions_are_refused(pairs):
    with pytest.raises(ConfigError):
        DETECTOR.parse(pairs)
