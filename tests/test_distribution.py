"""The three roots are this checkout's, and nothing else that is installed ships folders of their names."""

import importlib
import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from places import ROOT

ROOTS = ("pipeline", "models", "cli")


@pytest.mark.parametrize("name", ROOTS)
def test_a_root_resolves_to_this_checkout(name):
    assert Path(importlib.import_module(name).__file__).resolve() == ROOT / name / "__init__.py"


def test_no_other_distribution_ships_a_root():
    owners = importlib.metadata.packages_distributions()
    shipped = {name: set(owners.get(name, ())) - {"forgery-prep"} for name in ROOTS}
    assert shipped == {name: set() for name in ROOTS}


def test_nobody_uploads_it_by_accident():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "Private :: Do Not Upload" in project["classifiers"]


def test_every_script_exists():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for target in scripts.values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_the_search_path_is_left_alone():
    files = [path for root in ROOTS for path in (ROOT / root).rglob("*.py")]
    assert files
    assert not [path for path in files if re.search(r"\bsys\.path\b", path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    ("package", "door"),
    [
        ("decord", {"pipeline/video/frames.py"}),
        ("dlib", {"pipeline/faces/dlib.py"}),
        ("facenet_pytorch", set()),
        (
            "zarr",
            {*(f"pipeline/store/arrays/{name}.py" for name in ("groups", "places", "shards", "values"))}
            | {"pipeline/store/bucket.py"},
        ),  # arrays, and where they lie when in a bucket
        ("dask", {"pipeline/stages/cluster.py"}),
        ("distributed", {"pipeline/stages/cluster.py"}),
    ],
)
def test_heavy_libraries_have_one_door(package, door):
    found = {
        path.relative_to(ROOT).as_posix()
        for root in ROOTS
        for path in (ROOT / root).rglob("*.py")
        if re.search(rf"^\s*(import|from) {package}\b|import_module\(\"{package}", path.read_text(), re.MULTILINE)
    }
    assert found == door
