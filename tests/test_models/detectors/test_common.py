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


IMAGENET = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 3, 1, 1)
NORMALISED = {  # what the first convolution of each image branch receives of an image in [0, 1]
    "wavelet": lambda image: (image - IMAGENET[0]) / IMAGENET[1],  # HRNet
    "bigarts": lambda image: (image - IMAGENET[0]) / IMAGENET[1],  # ResNet-18
    "locate": lambda image: 2 * image - 1,  # Xception
    "anticompression": lambda image: 2 * image - 1,  # Xception
}


@pytest.mark.parametrize("name", NORMALISED)
def test_images_are_normalised_as_the_backbone_expects(name, make_batch):
    detector = DETECTORS[name]
    network = detector.build(detector.parse(SMALL[name]), False).eval()
    batch = make_batch(detector.parse(SMALL[name]).size)
    seen = []

    def record(module, inputs):
        seen.append(inputs[0].clone())

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d) and module.in_channels == 3:
            module.register_forward_pre_hook(record)
    with torch.no_grad():
        network(batch)
    expected = [NORMALISED[name](batch[key]) for key in ("image", "twin")]
    assert seen
    assert any(torch.allclose(image, expected[0], atol=1e-6) for image in seen)
    assert all(any(torch.allclose(image, each, atol=1e-6) for each in expected) for image in seen)
