"""GRnet: shapes, channel attention against its equations, stream weights, fusions, every row of its tables."""

import pytest
import torch

from models.detectors.grnet import DETECTOR, ChannelAttention, stream_weights
from models.nn.residuals import RESIDUALS, Constrained, Residual
from models.runtime.checkpoint import fill


def build(*pairs):
    return DETECTOR.build(DETECTOR.parse(pairs), False)


@pytest.mark.parametrize(("size", "side"), [(128, 4), (224, 7)])
def test_shapes(make_batch, size, side):
    network = build(f"size={size}", "classes=5").eval()
    with torch.no_grad():
        outputs = network(make_batch(size, rows=1))
    assert {name: tuple(x.shape) for name, x in outputs.features.items()} == dict.fromkeys(
        ("rgb", "residual", "fused"), (1, 512, side, side)
    )
    assert outputs.logits.shape == (1, 5)
    assert {name: logits.shape for name, logits in outputs.heads.items()} == {"rgb": (1, 5), "residual": (1, 5)}


@pytest.mark.slow
def test_each_table_row_trains(train_once, round_trip, table_rows):
    for name, settings in table_rows(DETECTOR, 64, process="none", balance="even").items():
        network = train_once(DETECTOR, settings)
        if name in ("full-raw", "fusion-concat"):
            round_trip(DETECTOR, settings, network)


@pytest.mark.parametrize(
    "pair", ["cam=danet", "transpose=on", "scale=pixels", "guide=colour", "aux_weight=0", "streams=rgb"]
)
def test_each_other_switch_trains(train_once, pair):
    train_once(DETECTOR, DETECTOR.parse([pair, "size=64"]))


def test_attention_follows_the_equation():
    f = torch.randn(1, 4, 3, 3, dtype=torch.float64)
    flat, attention = f[0].flatten(1), ChannelAttention("plain", False, "none")
    m = attention.weights(f.flatten(2))[0]
    for j in range(4):
        influence = torch.stack([(flat[i] @ flat[j]).exp() for i in range(4)])
        torch.testing.assert_close(m[j], influence / influence.sum())  # equation 12
        seen = sum(m[j, i] * flat[i] for i in range(4))
        torch.testing.assert_close(attention(f)[0, j].flatten(), seen)
    transposed = ChannelAttention("plain", True, "none")(f)
    torch.testing.assert_close(transposed[0].flatten(1), m.T @ flat)


@pytest.mark.parametrize("form", ["plain", "danet"])
@pytest.mark.parametrize("scale", ["none", "pixels"])
def test_attention_rows_add_up_to_one(form, scale):
    weights = ChannelAttention(form, False, scale).weights(torch.randn(2, 8, 16))
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 8))


def test_danet_starts_as_identity():
    f = torch.randn(2, 8, 3, 3)
    assert torch.equal(ChannelAttention("danet", False, "none")(f), f)


def test_stream_weights():
    losses = torch.tensor([0.3, 0.9])
    alpha = stream_weights(losses)
    torch.testing.assert_close(alpha, losses.softmax(0).flip(0))
    assert alpha[0] > alpha[1]  # the stream that errs less weighs more
    torch.testing.assert_close(stream_weights(torch.tensor([0.4, 0.4])), torch.tensor([0.5, 0.5]))
    three = torch.randn(3)
    torch.testing.assert_close(stream_weights(three).sum(), torch.tensor(1.0))
    torch.testing.assert_close((1 - three.softmax(0)).sum(), torch.tensor(2.0))  # the paper's own, for three streams


@pytest.mark.parametrize("weight", [1.0, 0.5, 0.0])
def test_weights_come_from_the_last_epoch_and_stay_in_the_checkpoint(make_batch, weight):
    network, batch = build("size=64", f"aux_weight={weight}"), make_batch(64)
    assert network.fuse.alpha.tolist() == [0.5, 0.5]
    terms = network.loss(network(batch), batch)
    assert network.fuse.alpha.tolist() == [0.5, 0.5]  # held within an epoch
    network.end_epoch({name: term.item() for name, term in terms.items()})
    raw = torch.stack([terms["rgb"], terms["residual"]]).detach() / (weight or 1)
    torch.testing.assert_close(network.fuse.alpha, stream_weights(raw))
    assert torch.equal(network.state_dict()["fuse.alpha"], network.fuse.alpha)


def test_fused_is_the_weighted_sum(make_batch):
    network = build("size=64").eval()
    network.fuse.alpha.copy_(torch.tensor([0.9, 0.1]))
    outputs = network(make_batch(64))
    first, second = (attend(outputs.features[n]) for attend, n in zip(network.fuse.attend, network.names, strict=True))
    torch.testing.assert_close(outputs.features["fused"], 0.9 * first + 0.1 * second)  # equation 15


@pytest.mark.parametrize(("fusion", "join"), [("sum", torch.add), ("max", torch.maximum), ("min", torch.minimum)])
def test_plain_fusions(make_batch, fusion, join):
    network = build("size=64", f"fusion={fusion}").eval()
    features = network(make_batch(64)).features
    assert torch.equal(features["fused"], join(features["rgb"], features["residual"]))


def test_detached_heads_leave_the_streams_alone(make_batch):
    network, batch = build("size=64", "aux_weight=0"), make_batch(64)
    terms = network.loss(network(batch), batch)
    (terms["rgb"] + terms["residual"]).backward()
    assert all(p.grad is None for p in network.streams.parameters())
    assert all(p.grad is not None for p in network.heads.parameters())


@pytest.mark.parametrize("kind", ["mte", *RESIDUALS])
def test_the_residual_is_standardised_by_what_was_measured(kind):
    """In training and evaluation alike, and in double precision by NumPy's mean and deviation."""
    residual, images = Residual(kind, 4, 4e-4, "gray", 16.0), [torch.rand(4, 3, 32, 32) for _ in range(3)]
    plain = torch.cat([residual(image) for image in images]).detach()  # unmeasured: as it is
    found = residual.measure(images)
    assert found["mean"] == pytest.approx(plain.double().numpy().mean((0, 2, 3)), abs=1e-6)
    assert found["deviation"] == pytest.approx(plain.double().numpy().std((0, 2, 3)), rel=1e-5)
    for mode in (True, False):
        residual.train(mode)
        whole = torch.cat([residual(image) for image in images])
        torch.testing.assert_close(whole.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
        torch.testing.assert_close(whole.std((0, 2, 3)), torch.ones(3), atol=1e-4, rtol=0)
    assert residual.standardise.state_dict().keys() == {"mean", "deviation"}


def test_checkpoints_with_a_batch_norm_before_the_residual_stream_are_read():
    network = build("size=32")
    state = network.state_dict()
    name = "inputs.residual.standardise."
    del state[f"{name}mean"], state[f"{name}deviation"]
    older = {"running_mean": torch.tensor([0.1, 0.2, 0.3]), "running_var": torch.tensor([0.01, 0.04, 0.09]),
             "num_batches_tracked": torch.tensor(7)}  # fmt: skip
    fill(network, state | {name + key: value for key, value in older.items()})
    read = network.inputs["residual"].standardise
    torch.testing.assert_close(read.mean, older["running_mean"])
    torch.testing.assert_close(read.deviation, torch.tensor([0.1, 0.2, 0.3]))


def test_only_streams_of_residuals_measure():
    images = [torch.rand(2, 3, 32, 32)]
    assert set(build("size=32").measure(images)) == {"residual"}
    assert build("size=32", "residual=rgb").measure(images) == build("size=32", "streams=rgb").measure(images) == {}


def test_constrained_filters():
    kernels = Constrained().kernels()
    assert torch.equal(kernels[..., 2, 2], -torch.ones(3, 3))
    torch.testing.assert_close(kernels.sum((2, 3)), torch.zeros(3, 3), atol=1e-6, rtol=0)


def test_degradations_hold_for_training_and_evaluation():
    assert DETECTOR.plan(DETECTOR.parse(["preset=full-jp60"])).process == ("jpeg:60",)
    assert DETECTOR.plan(DETECTOR.parse(["preset=full-me5"])).process == ("mean:5",)
    assert DETECTOR.plan(DETECTOR.parse(["preset=full-raw"])).process == ()
