"""What is wrong with a store is found, and where; a good one has nothing."""

import numpy as np
import pytest
import stores

from pipeline import store
from pipeline.errors import StoreError
from pipeline.inspect.verify import verify


@pytest.fixture
def damaged(tiny_store, tmp_path):
    return stores.copy(tiny_store, tmp_path / "a.zarr")


def swap(one, other):
    first = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(first)


def overwrite(location, name, change):
    """Write changed values as the pipeline would have: with matching checksums."""
    array = store.array_of(store.open_group(location, "r+"), name)
    values = store.read(array)
    change(values)
    array[...] = values


def test_a_good_store_has_nothing_wrong_and_is_not_written(tiny_store, scheduler):
    before = {name: path.stat().st_mtime_ns for name, path in stores.files(tiny_store).items()}
    assert verify(str(tiny_store), scheduler=scheduler) == []
    assert before == {name: path.stat().st_mtime_ns for name, path in stores.files(tiny_store).items()}


def test_damage_to_pixels_is_told_with_its_rows(damaged, scheduler):
    stores.flip(stores.shard(damaged, "image", 2), 0.4)
    stores.flip(stores.shard(damaged, "blend/image", 1), 0.6)
    stores.shard(damaged, "noise", 3).unlink()
    stores.shard(damaged, "hull", 11).write_bytes(b"")
    swap(stores.shard(damaged, "mask", 4), stores.shard(damaged, "mask", 8))
    found = verify(damaged, scheduler=scheduler)
    expected = {"image": "32 to 47 are damaged", "noise": "48 to 63 are missing", "hull": "176 to 185 are missing",
                "blend/image": "16 to 31 are damaged", "mask": "are not those that were written"}  # fmt: skip
    assert any(finding.startswith("mask: rows 6") for finding in found), "swapped shards are told with their rows"
    assert any(finding.startswith("mask: rows 12") for finding in found)
    for path, text in expected.items():
        assert any(finding.startswith(f"{path}:") and text in finding for finding in found), (path, found)
    assert {finding.split(":")[0] for finding in found} == expected.keys(), "nothing else is wrong"


@pytest.mark.parametrize("kind", ["ssim", "noise", "hull", "boundary"])
def test_swapped_shards_of_a_label_are_told_with_their_rows(kind, damaged, scheduler):
    pixels = stores.pixels(damaged, kind)
    last = [rows[-1] for rows in np.split(pixels[:176], 11)]
    one, other = next((a, b) for a in range(11) for b in range(a) if (last[a] != last[b]).any())
    swap(stores.shard(damaged, kind, one), stores.shard(damaged, kind, other))
    found = verify(damaged, scheduler=scheduler)
    for number in (one, other):
        assert any(f"{kind}: row {16 * number + 15} is not what its crop gives" in finding for finding in found)


def test_a_row_with_other_values_is_told_by_itself(damaged, scheduler):
    overwrite(damaged, "image", lambda values: values.__setitem__((20, 5, 5), 7))
    overwrite(damaged, "noise", lambda values: values.__setitem__(slice(30, 34), 7))
    found = verify(damaged, scheduler=scheduler)
    assert "image: rows 20 are not those that were written" in found
    assert "noise: rows 30 to 31 are not those that were written" in found
    assert "noise: rows 32 to 33 are not those that were written" in found


def test_damaged_numbers_of_rows_are_told_and_the_rows_are_not(damaged, scheduler):
    overwrite(damaged, "checks/image", lambda values: values.__setitem__(3, 1))
    stores.shard(damaged, "checks/hull", 0).write_bytes(b"")
    stores.shard(damaged, "checks/blend_image", 0).unlink()
    assert verify(damaged, scheduler=scheduler) == [
        f"checks/{name}: the numbers of the rows of {path} are missing or damaged"
        for name, path in (("image", "image"), ("hull", "hull"), ("blend_image", "blend/image"))
    ]


def test_changed_and_missing_columns_are_told(damaged, scheduler):
    overwrite(damaged, "score", lambda values: values.__setitem__(7, 0.5))
    overwrite(damaged, "blend/inside", lambda values: values.__setitem__(0, values[1]))
    overwrite(damaged, "video_identity", lambda values: values.__setitem__(0, "somebody else"))
    stores.shard(damaged, "frame", 0).unlink()
    stores.flip(stores.shard(damaged, "box", 0))
    found = verify(damaged, scheduler=scheduler)
    for path in ("score", "blend/inside", "video_identity"):
        assert any(finding.startswith(f"{path}: the stored values are not those") for finding in found), path
    assert "frame: rows 0 to 185 are missing" in found
    assert any("box" in finding and "cannot be read back" in finding for finding in found)


def test_an_unfinished_store_is_told(damaged, scheduler):
    store.open_group(damaged, "r+").attrs["complete"] = False
    assert verify(damaged, scheduler=scheduler) == ["the store is unfinished: run the command that began it again"]


def test_no_store_at_all_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="There is no store"):
        verify(str(tmp_path / "none.zarr"))
