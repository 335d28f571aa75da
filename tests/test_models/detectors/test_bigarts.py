"""BiG-Arts: shapes, decoders, losses with what is known of the region, mixes, every row of its tables."""

import pytest
import torch
import torch.nn.functional as F

from models.detectors.base import SOURCES
from models.detectors.bigarts import DETECTOR, MIXES, Decoder, inside
from pipeline.errors import ConfigError


def build(*pairs):
    return DETECTOR.build(DETECTOR.parse(pairs), False)


def test_shapes(make_batch):
    network = build().eval()
    with torch.no_grad():
        outputs = network(make_batch(256, rows=1))
    assert {name: tuple(x.shape[1:]) for name, x in outputs.features.items()} == {
        "conv1": (64, 128, 128),
        "layer1": (64, 64, 64),
        "layer2": (128, 32, 32),
        "layer3": (256, 16, 16),
        "layer4": (512, 8, 8),
        "main": (512, 4, 4),
    }
    assert {name: tuple(drawn.shape[1:]) for name, drawn in outputs.maps.items()} == dict.fromkeys(
        ("in", "ex"), (1, 256, 256)
    )
    assert outputs.logits.shape == (1, 1)


def test_decoder_blocks():
    decoder, shapes = Decoder(), []
    for block in decoder.unet.blocks:
        block.register_forward_hook(lambda _, inputs, output: shapes.append(tuple(output.shape[1:])))
    features = [(64, 32), (64, 16), (128, 8), (256, 4), (512, 2)]
    with torch.no_grad():
        decoder(torch.rand(2, 3, 64, 64), {str(side): torch.rand(2, width, side, side) for width, side in features})
    assert shapes == [(256, 4, 4), (128, 8, 8), (64, 16, 16), (32, 32, 32), (16, 64, 64)]
    assert sum(p.numel() for p in decoder.parameters()) / 1e6 == pytest.approx(3.27, abs=0.01)
    scse = decoder.unet.blocks[0].attention1.attention
    assert scse.cSE[1].out_channels == (512 + 256) // 16
    x = torch.rand(1, 768, 3, 3)
    torch.testing.assert_close(scse(x), x * scse.cSE(x) + x * scse.sSE(x))


def test_each_table_row_trains(train_once, round_trip, table_rows):
    for name, settings in table_rows(DETECTOR, 64).items():
        network = train_once(DETECTOR, settings)
        if name in ("full", "branches-none"):
            round_trip(DETECTOR, settings, network)


def test_decoders_as_input_train(train_once):
    train_once(DETECTOR, DETECTOR.parse(["main_input=encoder+decoders", "size=64"]))


def test_loss_at_the_start(make_batch):
    network, batch = build("size=64"), make_batch(64, rows=4)
    outputs = network(batch)
    outputs.logits = torch.zeros_like(outputs.logits)
    outputs.maps = {name: torch.zeros_like(drawn) for name, drawn in outputs.maps.items()}
    total = sum(term.item() for term in network.loss(outputs, batch).values())
    assert total == pytest.approx((15 * 2 + 1) * 0.693147, rel=1e-5)


def test_losses(make_batch):
    network, batch = build("size=64").eval(), make_batch(64, rows=4)
    outputs = network(batch)
    terms = network.loss(outputs, batch)
    for name, key in (("in", "hull"), ("ex", "boundary")):
        wanted = 15 * F.binary_cross_entropy_with_logits(outputs.maps[name], batch[key])
        assert terms[name].item() == pytest.approx(wanted.item(), rel=1e-5)


def test_decoders_teach_the_encoder(make_batch):
    network, batch = build("size=64"), make_batch(64)
    network.loss(network(batch), batch)["ex"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.encoder.parameters())
    assert all(p.grad is None for p in network.decoders["draw_in"].parameters())


def test_an_empty_region_is_unknown_for_stored_fakes_alone(make_batch):
    batch = make_batch(64, rows=4)
    batch["hull"] = torch.zeros(4, 1, 64, 64)
    batch["source"] = torch.tensor([SOURCES.index(name) for name in ("real", "fake", "rr", "fr")])
    assert inside(batch).isnan().all((1, 2, 3)).tolist() == [False, True, False, False]
    batch["hull"][1, 0, 5, 5] = 1
    assert not inside(batch).isnan().any()
    batch["hull"][2] = float("nan")
    network = build("size=64")
    assert {name: count.item() for name, count in network.rows(batch).items()} == {"class": 4, "in": 3, "ex": 4}


def test_mixes():
    assert all(sum(mix.values()) == 32 and mix["real"] == 16 for mix in MIXES.values())
    assert all(set(mix) == {"real", "fake", *blends} for blends, mix in MIXES.items())


@pytest.mark.parametrize(
    ("pairs", "arrays"),
    [
        ([], {"hull", "boundary", "blend/image", "blend/kind", "blend/hull", "blend/boundary"}),
        (["branches=ex"], {"boundary", "blend/image", "blend/kind", "blend/boundary"}),
        (["blend=none"], {"hull", "boundary"}),
        (["blends=live"], {"hull", "boundary", "landmarks", "real"}),
        (["blends=live", "blend=none", "branches=none"], set()),
    ],
)
def test_arrays_follow_the_switches(pairs, arrays):
    plan = DETECTOR.plan(DETECTOR.parse(pairs))
    assert set(plan.arrays) == {"image", "label"} | arrays
    assert len(plan.arrays) == len(set(plan.arrays))


def test_paper_values():
    plan = DETECTOR.plan(DETECTOR.settings())
    (phase,) = plan.phases
    assert (phase.epochs, phase.every_epochs, plan.epoch.frames) == (1200, 40, "one")
    assert plan.epoch.mix == {"real": 16, "fake": 5, "rr": 5, "fr": 6}
    assert phase.epochs % phase.every_epochs == 0


def test_sizes_are_checked():
    with pytest.raises(ConfigError, match="multiples of 64"):
        DETECTOR.parse(["size=96"])
