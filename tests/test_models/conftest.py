"""Tiny batches, and one training step of every kind, for the detectors' tests."""

import dataclasses
import io

import pytest
import torch

MAPS = ("ssim", "mask", "hull", "boundary", "noise")
DATA = {
    "preset": "",
    "compression": "",
    "methods": (),
    "val_methods": (),
    "metric": "auc",
}  # settings that decide on rows, not on the network


@pytest.fixture(autouse=True)
def _repeatable():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def make_batch():
    def make(size, rows=2, classes=2):
        label = torch.arange(rows) % classes
        maps = {name: torch.rand(rows, 1, size, size).round() * (label > 0).view(-1, 1, 1, 1) for name in MAPS}
        images = {name: torch.rand(rows, 3, size, size) for name in ("image", "twin")}
        return images | maps | {"label": label, "source": (label > 0).long(), "noise": torch.rand(rows, 1, size, size)}

    return make


@pytest.fixture
def train_once(make_batch):
    """Take one step of each phase; check every term, every gradient, and that every trained parameter moves."""

    def train(detector, settings):
        network, plan = detector.build(settings, False), detector.plan(settings)
        batch = make_batch(settings.size, classes=plan.classes)
        for phase in plan.phases:
            network.start(phase)
            network.train()
            outputs = network(batch)
            seen = set()
            for step in phase.steps:
                moved = network.parameters_of(step.name)
                network.zero_grad()
                terms = network.loss(outputs, batch, step.name)
                rows = network.rows(batch, step.name)
                assert terms.keys() <= rows.keys()
                assert all(
                    term.shape == () and term.dtype == torch.float32 and term.isfinite() for term in terms.values()
                )
                sum(terms.values()).backward()
                assert all(p.grad is not None and p.grad.isfinite().all() for p in moved)
                others = [p for p in network.parameters() if p.requires_grad and not any(p is q for q in moved)]
                assert all(p.grad is None for p in others), "a step leaves other steps' parameters alone"
                step.create(moved).step()
                seen |= {id(p) for p in moved}
            assert seen == {id(p) for p in network.parameters() if p.requires_grad}
        score = network.score(outputs)
        assert score.shape == (2,)
        assert ((score >= 0) & (score <= 1)).all()
        drawn = network.localise(outputs, settings.size)
        assert (drawn is not None) == bool(plan.truth)
        if drawn is not None:
            assert drawn.shape == (2, 1, settings.size, settings.size)
            assert ((drawn >= 0) & (drawn <= 1)).all()
        assert plan.cam in outputs.features
        return network

    return train


@pytest.fixture
def round_trip(make_batch):
    """Check that weights saved and loaded into a fresh network give the same scores, reading tensors alone."""

    def trip(detector, settings, network):
        file = io.BytesIO()
        torch.save(network.state_dict(), file)
        file.seek(0)
        again = detector.build(detector.restore(settings.to_dict()), False)
        again.load_state_dict(torch.load(file, weights_only=True))
        image = {"image": make_batch(settings.size)["image"]}
        with torch.no_grad():
            first, second = (net.eval()(image) for net in (network, again))
        assert torch.equal(network.probabilities(first), again.probabilities(second))

    return trip


@pytest.fixture
def table_rows():
    """Return the presets' settings at a small size, without those that give the same network twice."""

    def rows(detector, size, **same):
        chosen = {}
        for name in (name for name, preset in detector.presets.items() if not preset.of):
            settings = detector.parse([f"preset={name}", f"size={size}"])
            chosen.setdefault(dataclasses.replace(settings, **DATA, **same), name)
        return {name: settings for settings, name in chosen.items()}

    return rows
