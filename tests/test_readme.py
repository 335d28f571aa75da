from pathlib import Path

import pytest
from label_table import label_table

from pipeline.config import RECIPES
from pipeline.manifest import known_datasets

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def between(start, end):
    return README.split(start)[1].split(end)[0].strip()


def test_label_table_is_that_of_the_code():
    assert between("keeps the two alike -->", "<!-- /labels -->") == label_table()


def test_every_picture_shown_is_there():
    pictures = [part.split(")")[0] for part in README.split("](")[1:] if part.split(")")[0].endswith(".png")]
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)


@pytest.mark.parametrize("name", [path.stem for path in sorted(RECIPES.glob("*.toml"))])
def test_every_recipe_is_named(name):
    assert f"`{name}`" in README


@pytest.mark.parametrize("name", known_datasets())
def test_every_dataset_is_named(name):
    assert f"`{name}`" in README
