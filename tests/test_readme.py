from pathlib import Path

import pytest

from pipeline.manifest import known_datasets

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_picture_shown_is_there():
    pictures = [part.split(")")[0] for part in README.split("](")[1:] if part.split(")")[0].endswith(".png")]
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)


@pytest.mark.parametrize("name", known_datasets())
def test_every_dataset_is_named(name):
    assert f"`{name}`" in README
