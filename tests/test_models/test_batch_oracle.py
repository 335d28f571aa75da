"""The batches that a detector gets from a store made from videos, recomputed row by row with xarray and NumPy."""

import numpy as np
import pytest
import torch
import xarray

from models.data.collate import to_device
from models.data.loader import Loading
from models.data.row_table import Choice, choose
from models.data.store_reader import open_store
from models.detectors.base import SOURCES

MAPS = ("ssim", "mask", "hull", "boundary", "noise")


@pytest.fixture(scope="module")
def groups(tiny_store):
    """Return the store's rows and its blends, with their numbers as they are on disk."""
    opened = [xarray.open_zarr(tiny_store, group=name, mask_and_scale=False) for name in (None, "blend")]
    return [data.load() for data in opened]


@pytest.mark.parametrize("compression", ["raw", "c23", "c40"])
def test_every_row_of_a_batch(tiny_store, groups, compression):
    rows, blends = groups
    reader = open_store(str(tiny_store))
    table = choose([reader], Choice(split="train", compression=compression, twin="raw"), blends=True)
    expected = [*stored_rows(rows, compression), *stored_blends(blends, compression)]
    assert len(table) == len(expected)
    assert {each["source"] for each in expected} == set(SOURCES)
    batch = to_device(Loading([reader], MAPS, twin=True).load(table, np.arange(len(table))), 96, torch.device("cpu"))
    for place, each in enumerate(expected):
        assert SOURCES[batch["source"][place]] == each["source"]
        assert batch["label"][place] == (each["source"] != "real")
        for name in ("image", "twin") if "twin" in each else ("image",):
            torch.testing.assert_close(batch[name][place], torch.tensor(each[name]).permute(2, 0, 1) / 255)
        for name in MAPS:
            found = batch[name][place, 0].numpy()
            np.testing.assert_allclose(found, each.get(name, np.full((96, 96), np.nan)), rtol=0, atol=1e-6)


def stored_rows(data, compression):
    """Return what is expected of the training rows of a compression, in the store's order."""
    names = named(data, "compression")
    twins = {  # of each face and method, in raw
        (face, method): row
        for row, (face, method) in enumerate(zip(data.face.values, data.method.values, strict=True))
        if names[row] == "raw"
    }
    for row, split in enumerate(named(data, "split")):
        if split != "train" or names[row] != compression:
            continue
        fake = bool(data.label.values[row])
        twin = twins[data.face.values[row], data.method.values[row]]
        each = {"source": "fake" if fake else "real", "image": data.image.values[row], "twin": data.image.values[twin]}
        for kind in ("ssim", "mask", "hull", "boundary"):
            each[kind] = data[kind].values[row].astype(float) * fake  # too little changed to count: a real
        yield each | {"noise": np.abs(data.noise.values[row] / 8.0) / 255}


def stored_blends(data, compression):
    columns = (named(data, name) for name in ("split", "compression", "kind"))
    for row, (split, own, kind) in enumerate(zip(*columns, strict=True)):
        if split == "train" and own == compression:
            labels = {name: data[name].values[row].astype(float) for name in ("hull", "boundary")}
            yield labels | {"source": kind, "image": data.image.values[row]}


def named(data, column):
    return [data[column].flag_meanings[number] for number in data[column].values]
