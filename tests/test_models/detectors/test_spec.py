"""Learning rates against torch's schedulers, plans of every detector, and stores that lack an array."""

import dataclasses

import pytest
import torch

from models.detectors import DETECTORS
from models.detectors.base import SOURCES
from models.detectors.settings import AUGMENT, METRICS
from models.detectors.spec import (
    GEOMETRIC,
    HEAVY,
    OPERATIONS,
    STRONG,
    Constant,
    Cosine,
    Drops,
    Exponential,
    Step,
    require,
)
from pipeline.errors import ConfigError, StoreError
from pipeline.labels import LABELS

ALL = pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")  # no training here
@pytest.mark.parametrize(
    ("decay", "make"),
    [
        (Constant(), lambda o: torch.optim.lr_scheduler.ConstantLR(o, 1.0)),
        (Drops((10, 13, 15)), lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [10, 13, 15], 0.1)),
        (Exponential(0.5), lambda o: torch.optim.lr_scheduler.StepLR(o, 1, 0.5)),
        (Cosine(40), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 40)),
    ],
    ids=["constant", "drops", "exponential", "cosine"],
)
def test_schedules_equal_torch(decay, make):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    scheduler = make(optimiser)
    for epoch in range(170):
        assert decay(epoch) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-6, abs=1e-9)
        scheduler.step()


def test_the_cosine_ends_at_its_top_after_1200_epochs():
    assert [Cosine(40)(epoch) for epoch in (0, 40, 80, 1200)] == pytest.approx([1, 0, 1, 1])


def test_optimisers():
    weight = [torch.nn.Parameter(torch.zeros(1))]
    sgd = Step("main", 0.01, optimiser="sgd", momentum=0.9, weight_decay=1e-4).create(weight)
    assert isinstance(sgd, torch.optim.SGD)
    assert {key: sgd.defaults[key] for key in ("lr", "momentum", "weight_decay", "nesterov")} == {
        "lr": 0.01,
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "nesterov": False,
    }
    adam = Step("critic", 1e-4, betas=(0.5, 0.9)).create(weight)
    assert isinstance(adam, torch.optim.Adam)
    assert adam.defaults["betas"] == (0.5, 0.9)


@ALL
def test_plans_use_known_words(detector):
    for name in (name for name, preset in detector.presets.items() if not preset.of):
        plan = detector.plan(detector.parse([f"preset={name}"]))
        assert {a.operation for a in plan.augmentations} <= set(OPERATIONS)
        assert all(0 < a.probability <= 1 and a.low <= a.high for a in plan.augmentations)
        assert set(plan.maps) <= set(LABELS) & set(plan.arrays)
        assert plan.truth in ("", *plan.maps)
        assert set(plan.epoch.mix) <= set(SOURCES)
        assert plan.metric in METRICS
        assert all("main" in [step.name for step in phase.steps] for phase in plan.phases)
        assert all(phase.epochs > max(phase.reload, default=0) for phase in plan.phases)


@ALL
def test_pairs_are_a_choice(detector):
    settings = {"balance": "even"} if hasattr(detector.settings, "balance") else {}
    assert [detector.plan(detector.settings(pairs=pairs, **settings)).epoch.pairs for pairs in (False, True)] == [
        False,
        True,
    ]


def test_pairs_need_batches_that_are_mixed():
    wavelet = DETECTORS["wavelet"]
    with pytest.raises(ConfigError, match="pairs=on needs --set balance=even"):
        wavelet.plan(wavelet.settings(pairs=True, balance="stored"))


def test_geometry_is_known():
    assert set(GEOMETRIC) < set(OPERATIONS)


@ALL
def test_augmentation_can_be_changed_and_left_out(detector):
    paper, strong, heavy, off = (detector.plan(detector.settings(augment=choice)).augmentations for choice in AUGMENT)
    assert paper
    assert strong == STRONG != paper
    assert heavy == HEAVY != paper
    assert not off


@pytest.mark.parametrize(
    ("name", "missing", "command"),
    [
        ("wavelet", {"ssim"}, "forgery-prep labels --kind ssim --store s.zarr"),
        ("locate", {"mask", "noise"}, "forgery-prep labels --kind mask --kind noise --store s.zarr"),
        ("bigarts", {"blend/image", "blend/kind"}, "forgery-prep blend --store s.zarr"),
        ("bigarts", {"hull", "blend/hull"}, "--kind hull --store s.zarr`, then `forgery-prep blend --store s.zarr"),
        ("grnet", {"image"}, "forgery-prep run --store s.zarr"),
    ],
)
def test_a_store_without_an_array_is_refused_with_the_command_that_adds_it(name, missing, command):
    detector = DETECTORS[name]
    plan = detector.plan(detector.settings())
    require(plan, plan.arrays, "s.zarr", name)  # all there: no word
    with pytest.raises(StoreError, match=command) as caught:
        require(plan, set(plan.arrays) - missing, "s.zarr", name)
    assert all(array in str(caught.value) for array in missing)


def test_plans_are_plain_values():
    for detector in DETECTORS.values():
        plan = detector.plan(detector.settings())
        assert plan == detector.plan(detector.settings())
        assert dataclasses.asdict(plan)["batch"] == plan.batch
