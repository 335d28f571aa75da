"""Masks that several shards need: decoded once, to the same labels, and nothing stays behind."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import stores

from pipeline import store
from pipeline.crew import Threads
from pipeline.crop import masks
from pipeline.errors import DecodeError
from pipeline.labels import NO_LABEL
from pipeline.progress import Silent
from pipeline.stages import labelling, shards, shared_masks
from pipeline.store import stored_names, stored_recipe


@pytest.fixture
def decoded(monkeypatch):
    """Count the frames that are decoded of every mask."""
    counts, reads = Counter(), Counter()
    read = masks.frames.read

    def counted(path, wanted, *more):
        reads[str(path)] += 1
        counts[str(path)] += len(wanted)
        return read(path, wanted, *more)

    monkeypatch.setattr(masks.frames, "read", counted)
    return SimpleNamespace(frames=counts, reads=reads)


def test_a_mask_of_several_shards_is_decoded_once(tiny, tiny_store, tmp_path, decoded):
    location = stores.copy(tiny_store, tmp_path / "a.zarr")
    group = store.open_group(location, "r+")
    array, columns = store.array_of(group, "mask"), store.read_columns(group)
    rows = labelling.rows_of(columns, stored_names(group))
    every = range(store.shard_count(array))
    spans = [store.shard_rows(array, number) for number in every]
    assert shared_masks.shared(spans, rows), "the store is too small to show anything"
    for number in every:
        stores.shard(location, "mask", number).unlink()
    shards.write_labels(Threads(2), location, {"mask": every}, rows, stored_recipe(group), tiny.root, Silent())
    np.testing.assert_array_equal(stores.pixels(location, "mask"), stores.pixels(tiny_store, "mask"))
    assert {*decoded.reads.values()} == {1}
    pairs = {(path, frame) for path, frame in zip(rows.mask, rows.frame.tolist(), strict=True) if path}
    assert sum(decoded.frames.values()) == len(pairs), "a frame for each that some row shows"
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


def test_a_mask_of_which_nothing_can_be_read_leaves_its_rows_without_a_label(tiny, tiny_store, tmp_path, monkeypatch):
    location = stores.copy(tiny_store, tmp_path / "a.zarr")
    group = store.open_group(location, "r+")
    rows = labelling.rows_of(store.read_columns(group), stored_names(group))
    every = range(store.shard_count(store.array_of(group, "mask")))
    bad = min(shared_masks.shared([store.shard_rows(store.array_of(group, "mask"), number) for number in every], rows))
    read = masks.frames.read

    def reading(path, *more):
        if str(path).endswith(bad):
            raise DecodeError(f"{path} holds no video.")
        return read(path, *more)

    monkeypatch.setattr(masks.frames, "read", reading)
    shards.write_labels(Threads(1), location, {"mask": every}, rows, stored_recipe(group), tiny.root, Silent())
    wanted = stores.pixels(tiny_store, "mask").copy()
    wanted[[path == bad for path in rows.mask]] = NO_LABEL
    np.testing.assert_array_equal(stores.pixels(location, "mask"), wanted)


def test_only_masks_that_cross_from_one_shard_into_another_wait():
    real = np.array([True, False, False, False, False, False])
    rows = SimpleNamespace(real=real, mask=("r", "a", "a", "a", "b", ""))
    spans = [(0, 2), (2, 4), (4, 6)]
    found = shared_masks.shared(spans, rows)
    assert {path: numbers.tolist() for path, numbers in found.items()} == {"a": [1, 2, 3]}
    assert not shared_masks.shared([spans[0], spans[2]], rows), "one of the two shards is there already"
    lent = SimpleNamespace(store=np.array([-1, 0, -1, -1, -1, -1]))
    assert not shared_masks.shared(spans, rows, lent), "the label of row 1 is taken over"
