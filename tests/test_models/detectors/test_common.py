"""What holds for every detector: narrow precision, unknown labels, an image alone, rows that add up over parts."""

import pytest
import torch

from models.detectors import DETECTORS

SMALL = {
    "wavelet": ["size=64"],
    "grnet": ["size=64"],
    "locate": ["size=96", "two_steps=off"],
    "anticompression": ["size=96"],
    "bigarts": ["size=64"],
}


@pytest.fixture(params=DETECTORS.values(), ids=DETECTORS)
def case(request):
    detector = request.param
    settings = detector.parse(SMALL[detector.name])
    return detector.plan(settings), detector.build(settings, False)


def test_bfloat16(case, make_batch):
    plan, network = case
    batch = make_batch(plan.size)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(batch)
        for step in plan.phases[-1].steps:
            network.zero_grad()
            terms = network.loss(outputs, batch, step.name)
            sum(terms.values()).backward()
            assert all(term.dtype == torch.float32 and term.isfinite() for term in terms.values())
            assert all(p.grad.isfinite().all() for p in network.parameters_of(step.name))
    score = network.score(outputs)
    assert score.dtype == torch.float32
    assert ((score >= 0) & (score <= 1)).all()


def test_labels_that_nobody_knows(case, make_batch):
    plan, network = case
    batch = make_batch(plan.size)
    for name in plan.maps:
        batch[name] = torch.full_like(batch[name], float("nan"))
    outputs = network(batch)
    terms = network.loss(outputs, batch)
    rows = network.rows(batch)
    assert all(rows[name] > 0 or term.item() == 0 for name, term in terms.items())
    sum(terms.values()).backward()
    assert all(p.grad.isfinite().all() for p in network.parameters_of("main"))


def test_rows_add_up_over_parts(case, make_batch):
    plan, network = case
    batch = make_batch(plan.size, rows=5)
    for name in plan.maps:
        batch[name][1] = float("nan")
    whole, *parts = (network.rows({k: v[part] for k, v in batch.items()}) for part in (slice(5), slice(2), slice(2, 5)))
    assert {name: count.item() for name, count in whole.items()} == {
        name: sum(part[name].item() for part in parts) for name in whole
    }
    assert min(whole.values()) == (4 if plan.maps else 5)


def test_an_image_is_enough_for_a_score(case, make_batch):
    plan, network = case
    image = {"image": make_batch(plan.size)["image"]}
    with torch.no_grad():
        outputs = network.eval()(image)
    assert network.score(outputs).shape == (2,)
    probabilities = network.probabilities(outputs)
    assert probabilities.shape == (2, plan.classes)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(2))
    assert (network.localise(outputs, 50) is None) == (not plan.truth)


def test_scoring_one_row_at_a_time_changes_nothing(case, make_batch):
    plan, network = case
    image = make_batch(plan.size, rows=3)["image"]
    with torch.no_grad():
        network.eval()
        together = network.score(network({"image": image}))
        alone = torch.cat([network.score(network({"image": row[None]})) for row in image])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
