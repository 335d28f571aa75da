"""The table of label kinds and the folder agree, and what is stored about each kind is complete."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

import pipeline.labels
from pipeline.config import Labelling, Levels
from pipeline.labels import LABELS, NO_LABEL, UNWRITTEN
from pipeline.labels._kind import at

SIDE = 40


def arguments(source: str) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(7)
    real = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    fake = real.copy()
    fake[10:25, 12:30] = 255 - fake[10:25, 12:30]
    hull = np.zeros((SIDE, SIDE), np.uint8)
    hull[10:25, 12:30] = 1
    return {"pair": (fake, real), "mask": (hull * 255,), "image": (fake,), "hull": (hull,)}[source]


def test_table_and_folder_agree() -> None:
    folder = Path(pipeline.labels.__file__).parent
    modules = [importlib.import_module(f"pipeline.labels.{file.stem}") for file in folder.glob("[!_]*.py")]
    files = {module.__name__.rpartition(".")[2] for module in modules if hasattr(module, "KIND")}
    assert files == set(LABELS)
    assert all(name == kind.name for name, kind in LABELS.items())
    assert set(Labelling().kinds) == set(LABELS)


def test_a_kind_comes_after_what_it_is_made_from() -> None:
    names = list(LABELS)
    for name, kind in LABELS.items():
        if kind.source == "hull":
            assert names.index("hull") < names.index(name)


@pytest.mark.parametrize("level", ["raw", "c23", "c40"])
@pytest.mark.parametrize("name", LABELS)
def test_every_kind_gives_what_it_declares_and_leaves_its_input_alone(name: str, level: str) -> None:
    kind = LABELS[name]
    given = arguments(kind.source)
    before = [array.copy() for array in given]
    label = kind.compute(*given, Labelling(), level)
    assert label.shape == (SIDE, SIDE)
    assert label.dtype == np.dtype(kind.dtype)
    assert not (label == kind.fill).any()
    if kind.dtype == "uint8":
        assert kind.fill == UNWRITTEN
        assert set(np.unique(label)) == {0, 1}
        assert kind.attributes["flag_values"] == [0, 1, NO_LABEL]
        assert len(set(kind.attributes["flag_meanings"])) == 3
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    np.testing.assert_array_equal(label, kind.compute(*given, Labelling(), level))


@pytest.mark.parametrize("name", LABELS)
def test_what_is_stored_about_a_kind_is_plain_and_complete(name: str) -> None:
    kind = LABELS[name]
    stored = {"parameters": kind.parameters(Labelling()), **kind.attributes}
    assert json.loads(json.dumps(stored)) == stored
    assert all((kind.description, kind.units, kind.reference))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ssim", {"ssim_window": 7}),
        ("ssim", {"ssim_threshold": Levels(6, 13, 26)}),
        ("ssim", {"ssim_close": 3}),
        ("ssim", {"ssim_hole": 10}),
        ("mask", {"mask_threshold": 0.5}),
        ("noise", {"noise_sigma": Levels(4, 5, 10)}),
        ("hull", {"hull_gamma": Levels(4, 5, 10)}),
        ("boundary", {"boundary_kernel": 9}),
    ],
)
def test_parameters_tell_settings_apart(name: str, change: dict) -> None:
    kind = LABELS[name]
    assert kind.parameters(Labelling(**change)) != kind.parameters(Labelling())


def test_levels() -> None:
    assert [at(Levels(1, 2, 3), level) for level in ("raw", "c23", "c40")] == [1, 2, 3]
    with pytest.raises(ValueError, match="native"):
        at(Levels(1, 2, 3), "native")
