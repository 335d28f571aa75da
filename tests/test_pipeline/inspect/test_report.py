"""Pictures of a store."""

import cv2
import numpy as np
import pytest
import tinystore
from PIL import Image

from pipeline import store
from pipeline.config import Cropping, Labelling
from pipeline.contact_sheet import HEAD
from pipeline.inspect.report import MARGIN, TILE, draw
from pipeline.labels import LABELS, NO_LABEL, LabelKind
from pipeline.stages.labelling import LabelTask, label_rows, rows_of
from pipeline.store import stored_names


def bright(image, settings, level):
    return (image.mean(axis=2) > 128).astype(np.uint8)


def edges(image, settings, level):
    return np.abs(cv2.Laplacian(image[..., 1], cv2.CV_16S)) // 4


def kind(name, compute, **more):
    return LabelKind(
        name=name, fill=254, source="image", description="d", units="1", reference="r", parameters=lambda settings: {},
        compute=compute, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("new", "attributes", "shown"),
    [
        (kind("bright", bright, dtype="uint8", flags=("dark", "bright")), "flag_meanings", {0, 255}),
        (kind("edges", edges, dtype="int16", scale=4.0, gain=0.5), "scale_factor", set(range(256))),
    ],
    ids=["flags", "scale"],
)
def test_a_new_kind_made_from_the_image_alone_is_stored_and_drawn(monkeypatch, tmp_path, new, attributes, shown):
    monkeypatch.setitem(LABELS, new.name, new)
    location = tinystore.make_store(tmp_path / "a.zarr", kinds=(new.name,), blends=False)
    group = store.open_group(location, "r+")
    array = store.array_of(group, new.name)
    columns = store.read_columns(group)
    span = store.shard_rows(array, 0)
    rows = rows_of(columns, stored_names(group)).take(*span)
    values = label_rows(group, LabelTask((new.name,), span, rows, Labelling(), Cropping(size=64), tmp_path))[new.name]
    images = store.read(store.array_of(group, "image"), slice(*span))
    np.testing.assert_array_equal(values, [new.compute(image, None, "raw") for image in images])
    assert attributes in store.attributes_of(array)
    draw(location, tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape[1] == MARGIN + 2 * TILE
    label = sheet[HEAD + 1 : HEAD + TILE - 1, MARGIN + TILE + 1 : -1]
    assert np.ptp(label, axis=2).max() == 0, "grey"
    assert set(np.unique(label)) <= shown


def test_a_kind_is_binary_or_has_a_scale():
    for more in ({}, {"flags": ("a", "b"), "scale": 1.0}):
        with pytest.raises(ValueError, match="either flags or a scale"):
            kind("x", bright, dtype="uint8", **more)
    assert kind("x", bright, dtype="uint8", flags=("a", "b")).attributes["flag_values"] == [0, 1, NO_LABEL]
