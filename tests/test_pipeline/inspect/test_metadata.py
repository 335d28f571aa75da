"""Every metadata file of a finished store is covered: a change is found, named, and undone from the second copy."""

import json
import shutil
from pathlib import Path

import pytest
import stores

from pipeline.errors import StoreError
from pipeline.inspect import metadata
from pipeline.inspect.verify import METADATA_FIRST, REQUIRED, verify
from pipeline.store import seal


@pytest.fixture
def damaged(tiny_store, tmp_path):
    return stores.copy(tiny_store, tmp_path / "a.zarr")


def change(location, path, how):
    """Change one metadata file."""
    file = Path(location, path, "zarr.json")
    text = json.loads(file.read_text())
    how(text)
    file.write_text(json.dumps(text))


def mended(location, tiny_store):
    """Put the metadata back and return what was wrong."""
    found = metadata.look(location)
    metadata.restore(location, found)
    assert metadata.look(location).findings == ()
    stores.assert_same(location, tiny_store)
    return found.findings


def test_a_finished_store_has_nothing_wrong(tiny_store):
    found = metadata.look(str(tiny_store))
    assert (found.finished, found.findings, found.lost) == (True, (), [])


@pytest.mark.parametrize("name", [*REQUIRED, "limit", "notes", "files", "format_version"])
def test_a_missing_attribute_is_told_and_put_back(name, damaged, tiny_store):
    change(damaged, "", lambda text: text["attributes"].pop(name))
    findings = mended(damaged, tiny_store)
    assert findings
    assert all(each.startswith(f"zarr.json: attribute {name}") for each in findings)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("seed", 7, "seed (was 0, now 7)"),
        ("limit", 2, "limit (was none, now 2)"),
        ("dataset", "other", "dataset (was sample, now other)"),
        ("counts", {"rows": 5}, "counts.blends (was"),
        ("software", {"numpy": "1"}, "software.numpy (was"),
        ("recipe", {"cropping": {"size": 97}}, "recipe.cropping.size (was 96, now 97)"),
        ("laid_out", 1.5, "laid_out (was True, now 1.5)"),
    ],
)
def test_a_changed_attribute_is_told_with_both_values_and_put_back(name, value, told, damaged, tiny_store):
    change(damaged, "", lambda text: text["attributes"].__setitem__(name, value))
    assert any(f"zarr.json: attribute {told}" in finding for finding in mended(damaged, tiny_store))


@pytest.mark.parametrize(
    ("path", "how", "told"),
    [
        ("method", lambda a: a["attributes"]["flag_meanings"].reverse(), "method/zarr.json: attributes.flag_meanings"),
        ("noise", lambda a: a["attributes"].update(scale_factor=1.0), "attributes.scale_factor (was 0.125, now 1.0)"),
        ("ssim", lambda a: a.update(dimension_names=["sample", "x", "y"]), "ssim/zarr.json: dimension_names"),
        ("image", lambda a: a.update(shape=[5, 96, 96, 3]), "image/zarr.json: shape (was [186, 96, 96, 3]"),
        ("blend", lambda a: a["attributes"].update(made_for="x"), "blend/zarr.json: attributes.made_for"),
        ("rejected/reason", lambda a: a.update(fill_value="?"), "rejected/reason/zarr.json: fill_value"),
        ("checks/image", lambda a: a["attributes"].update(units="m"), "checks/image/zarr.json: attributes.units"),
        ("checks", lambda a: a["attributes"]["root"].update(seed=5), "checks/zarr.json: is damaged"),
        ("checks", lambda a: a.update(zarr_format=2), "checks/zarr.json: is damaged"),
    ],
)
def test_a_changed_file_of_an_array_or_a_group_is_told_and_put_back(path, how, told, damaged, tiny_store):
    change(damaged, path, how)
    (finding,) = mended(damaged, tiny_store)
    assert told in finding


def test_a_changed_copy_is_told_and_put_back(damaged, tiny_store):
    change(damaged, "", lambda text: text["consolidated_metadata"]["metadata"]["box"].update(shape=[1, 4]))
    assert mended(damaged, tiny_store) == ("zarr.json: its copy of box/zarr.json is damaged",)
    change(damaged, "", lambda text: text["consolidated_metadata"]["metadata"].pop("face"))
    assert any("box" not in finding and "face" in finding for finding in mended(damaged, tiny_store))
    change(damaged, "", lambda text: text.pop("consolidated_metadata"))
    assert "zarr.json: consolidated_metadata is missing" in mended(damaged, tiny_store)


@pytest.mark.parametrize("path", ["", "checks", "image", "blend", "rejected/video"])
@pytest.mark.parametrize("how", ["empty", "cut", "gone"])
def test_a_file_that_is_cut_or_gone_is_told_and_put_back(path, how, damaged, tiny_store):
    file = Path(damaged, path, "zarr.json")
    if how == "gone":
        file.unlink()
    else:
        file.write_text("" if how == "empty" else file.read_text()[:-40])
    findings = mended(damaged, tiny_store)
    assert any(seal.key_of(path) in finding for finding in findings)


def test_what_has_no_copy_any_more_is_said(damaged):
    Path(damaged, "zarr.json").write_text("{")
    change(damaged, "hull", lambda text: text.update(shape=[1, 1, 1]))
    found = metadata.look(damaged)
    assert found.lost == ["hull"]
    assert "hull/zarr.json: is not what was written, and neither is its copy" in found.findings
    metadata.restore(damaged, found)
    assert Path(damaged, "zarr.json").read_text() == "{", "half a store is not called complete"


def test_values_are_not_judged_by_damaged_metadata(damaged, scheduler):
    shutil.rmtree(f"{damaged}/alignment")
    assert verify(damaged, scheduler=scheduler) == ["alignment/zarr.json: is missing or no JSON", METADATA_FIRST]


def test_a_store_without_checks_is_told(damaged, scheduler):
    shutil.rmtree(f"{damaged}/checks")
    change(damaged, "", lambda text: text["consolidated_metadata"]["metadata"].pop("checks"))
    (finding,) = verify(damaged, scheduler=scheduler)
    assert finding.startswith("checks/zarr.json is missing or no JSON, so nothing says")


def test_another_format_is_an_error(damaged):
    shutil.rmtree(f"{damaged}/checks")
    attributes = {"format_version": 9, "complete": True}
    Path(damaged, "zarr.json").write_text(json.dumps({**metadata.GROUP_KEYS, "attributes": attributes}))
    with pytest.raises(StoreError, match="format version 9"):
        metadata.look(damaged)
