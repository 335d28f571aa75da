"""Groups: what is no store is told, every array says what it is, xarray opens them."""

import numpy as np
import pytest
import stores
import xarray
import zarr

from pipeline import store
from pipeline.errors import StoreError
from pipeline.labels import LABELS
from pipeline.store.schema import BLENDS, FORMAT_VERSION, IMAGE, REJECTS, ROWS, VIDEOS, label_spec


@pytest.fixture
def group(tmp_path):
    return store.create(str(tmp_path / "a.zarr"), {"format_version": FORMAT_VERSION})


def test_a_store_that_is_not_there_or_not_ours_is_a_sentence(tmp_path, group):
    with pytest.raises(StoreError, match=r"There is no store at .*none.zarr; forgery-prep run makes one"):
        store.open_group(str(tmp_path / "none.zarr"))
    zarr.create_group(tmp_path / "other.zarr", zarr_format=3)
    with pytest.raises(StoreError, match="has format version None; this program reads version 1"):
        store.open_group(str(tmp_path / "other.zarr"))
    (tmp_path / "a.zarr" / "zarr.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be opened"):
        store.open_group(str(tmp_path / "a.zarr"))
    with pytest.raises(StoreError, match="has no array hull; forgery-prep labels adds label kinds"):
        store.array_of(group, "hull")


def test_xarray_opens_a_store_without_a_warning_and_knows_its_dimensions(tiny_store):
    with xarray.open_zarr(tiny_store) as opened:
        for spec in (IMAGE, *ROWS, *VIDEOS, *map(label_spec, LABELS)):
            assert opened[spec.name].dims == spec.dims
        assert opened.sizes["sample"] == len(opened["label"])
        assert opened["video_id"].values[0] == "000"
        noise = opened["noise"].isel(sample=0).values
        assert noise.dtype.kind == "f", "CF scale factor: grey levels"
        np.testing.assert_array_equal(noise, stores.pixels(tiny_store, "noise")[0] * 0.125)
        assert set(np.unique(opened["ssim"].values)) <= {0, 1, 255}
    for name, specs in ((store.BLENDS, BLENDS), (store.REJECTS, REJECTS)):
        with xarray.open_zarr(tiny_store, group=name) as inner:
            assert {spec.name: spec.dims for spec in specs} == {n: inner[n].dims for n in inner.variables}


def test_every_array_says_what_it_is(tiny_store):
    opened = store.open_group(str(tiny_store))
    paths = [spec.name for spec in (IMAGE, *ROWS, *VIDEOS)] + list(LABELS)
    paths += [f"{store.BLENDS}/{spec.name}" for spec in BLENDS] + [f"{store.REJECTS}/{spec.name}" for spec in REJECTS]
    assert sorted(paths) == [path for path, _ in store.every_array(opened)]
    for path, array in store.every_array(opened):
        about = store.attributes_of(array)
        assert all(about[name] for name in ("description", "units", "reference")), path
        assert isinstance(about["parameters"], dict), path
        if path.split("/")[-1] in ("method", "split", "compression", "kind") and "rejected" not in path:
            meanings = about["flag_meanings"]
            assert isinstance(meanings, list)
            assert store.read(array).max() < len(meanings)
        if path in LABELS and array.dtype == np.uint8:
            assert about["flag_values"] == [0, 1, 255]
            assert array.fill_value == 254
        if array.shards is not None:
            assert array.chunks[0] == 1
            assert array.shards[0] == 16
    assert store.meanings(opened, "method") == ["real", "Warp", "Patch", "Expression", "Rerender"]
    assert store.meanings(opened, "compression") == ["raw", "c23", "c40"]
    assert all(store.attributes_of(store.array_of(opened, kind))["parameters"] for kind in (*LABELS, "image"))


@pytest.mark.parametrize("name", ["hull", "boundary"])
def test_a_blend_s_masks_use_the_numbers_of_the_labels_of_their_name(name):
    (of_blend,) = [spec for spec in BLENDS if spec.name == name]
    assert of_blend.attributes == label_spec(name).attributes
    assert "section 3.3" in of_blend.reference
