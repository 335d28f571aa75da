"""Rows of stores: which are chosen, in which order, and what comes into a batch."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tinystore import make_store

from models.data import corruptions, online_blends, sampler
from models.data.collate import to_device
from models.data.loader import Loading, ahead, in_order
from models.data.row_table import FAKE, FR, NO_CLASS, NO_ROW, REAL, RR, Choice, choose, methods_of
from models.data.store_reader import open_store
from models.detectors import DETECTORS
from models.detectors.base import SOURCES
from models.detectors.spec import Epoch
from pipeline import store
from pipeline.errors import ConfigError, DamageError, StoreError
from pipeline.exclusions import Exclusion

MIX = {"real": 16, "fake": 5, "rr": 5, "fr": 6}


@pytest.fixture(scope="module")
def location(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("stores") / "tiny.zarr")


@pytest.fixture(scope="module")
def reader(location):
    return open_store(location)


def test_gather_equals_zarr(reader, location):
    rows = [5, 0, 30, 5]
    group = store.open_group(location)
    for name in ("image", "noise", "blend/hull"):
        assert np.array_equal(reader.gather(name, rows), store.read(store.array_of(group, name), rows))
    assert reader.gather("image", []).shape == (0, 64, 64, 3)


def test_a_lost_shard_is_an_error_and_not_a_real_face(location, tmp_path):
    copy = tmp_path / "copy.zarr"
    shutil.copytree(location, copy)
    shard = copy / "ssim" / "c" / "0" / "0" / "0"
    assert shard.is_file()
    shard.unlink()
    with pytest.raises(DamageError, match=r"ssim in .*copy.zarr cannot be read back"):
        open_store(str(copy)).gather("ssim", [0])


def test_a_flipped_bit_is_an_error(location, tmp_path):
    copy = tmp_path / "copy.zarr"
    shutil.copytree(location, copy)
    shard = copy / "image" / "c" / "0" / "0" / "0" / "0"
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(bytes(data))
    with pytest.raises(DamageError, match="verify"):
        open_store(str(copy)).gather("image", range(8))


def test_no_store_and_unfinished_store(tmp_path):
    with pytest.raises(StoreError, match="There is no store"):
        open_store(str(tmp_path / "nothing.zarr"))
    location = make_store(tmp_path / "half.zarr", people=1, frames=1)
    store.open_group(location, "r+").attrs["complete"] = False
    with pytest.raises(StoreError, match="unfinished"):
        open_store(location)


def test_rows_are_chosen_by_name_whatever_the_numbers(reader, tmp_path):
    other = open_store(make_store(tmp_path / "other.zarr", methods=("Patch", "New"), compressions=("c40", "c23")))
    table = choose([reader, other], Choice(split="val", compression="c23", methods=("Patch",)))
    for row in range(len(table)):
        source = (reader, other)[table.store[row]]
        assert source.names["compression"][source.columns["compression"][table.row[row]]] == "c23"
        method = source.names["method"][source.columns["method"][table.row[row]]]
        assert method == table.method[row]
        assert method in ("real", "Patch")
    assert np.bincount(table.store).tolist() == [12, 12]
    assert not set(table.video[table.store == 0]) & set(table.video[table.store == 1])
    assert methods_of([reader, other]) == ["Swap", "Patch", "New"]


def test_classes_of_methods(reader):
    table = choose([reader], Choice(taught=("Patch",)))
    assert set(table.target[table.method == "Patch"]) == {1}
    assert set(table.target[table.method == "Swap"]) == {NO_CLASS}
    assert set(table.target[table.label == 0]) == {0}


def test_twins_show_the_same_face(reader):
    table = choose([reader], Choice(split="train", compression="c40", twin="c23"))
    columns = reader.columns
    for name in ("face", "method", "frame", "split"):
        assert np.array_equal(columns[name][table.row], columns[name][table.twin])
    assert {reader.names["compression"][code] for code in columns["compression"][table.twin]} == {"c23"}
    with pytest.raises(StoreError, match=r"a twin in raw.*compression c23, c40"):
        choose([reader], Choice(twin="raw"))


def test_at_most_so_many_frames_of_each_video(reader):
    table = choose([reader], Choice(frames=2))
    assert set(np.bincount(table.video)) == {2}
    assert set(reader.columns["frame"][table.row]) == {0, 2}


@given(batch=st.integers(1, 70), batches=st.integers(1, 50))
def test_mixing_keeps_the_shares(batch, batches):
    counts = np.stack(sampler.composition(MIX, batch, batches))
    assert (counts.sum(1) == batch).all()
    assert (counts >= 0).all()
    shares = np.array(list(MIX.values())) / 32
    assert (np.abs(counts.sum(0) - batch * batches * shares) < 2).all()
    if batch == 32:
        assert (counts == [16, 5, 5, 6]).all()


@pytest.mark.parametrize("name", DETECTORS)
def test_an_epoch_is_a_function_of_its_seed(reader, name):
    detector = DETECTORS[name]
    plan = detector.plan(detector.parse([]))
    table = choose([reader], Choice("train", plan.compression, twin=plan.twin), blends=bool(plan.blends))
    first, again, other = (sampler.batches(table, plan.epoch, plan.batch, seed) for seed in ([0, 0], [0, 0], [0, 1]))
    assert len(first) == sampler.steps_of(table, plan.epoch, plan.batch) >= 1
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert {len(rows) for rows in first} == {min(plan.batch, len(np.concatenate(first)))}


def test_the_largest_source_is_shown_once_and_the_others_begin_again(reader):
    table = choose([reader], Choice("train"))
    rows = np.concatenate(sampler.batches(table, Epoch(mix={"real": 1, "fake": 1}), 4, [0]))
    shown = np.bincount(rows, minlength=len(table))
    assert (shown[table.label == 1] == 1).all()
    assert (shown[table.label == 0] == 2).all()


def test_one_frame_of_each_video(reader):
    table = choose([reader], Choice("train", "c23"), blends=True)
    rows = np.concatenate(sampler.batches(table, Epoch("one", MIX), 32, [3]))
    real = rows[table.source[rows] == REAL]
    assert len(rows) == 4  # two real videos, and as many others
    assert len(set(table.video[real])) == len(real) == 2


def test_fakes_evenly_over_methods_and_videos(tmp_path):
    reader = open_store(make_store(tmp_path / "s.zarr", methods=("A", "B", "C"), people=3, splits=("train",)))
    table = choose([reader], Choice("train"))
    keep = (table.method != "C") | (table.row % 3 == 0)  # C has fewer rows
    table = table.take(keep)
    rows = np.concatenate(sampler.batches(table, Epoch(mix={"real": 1, "fake": 1}, even=True), 6, [0]))
    fakes = rows[table.label[rows] == 1]
    counts = [(table.method[fakes] == name).sum() for name in "ABC"]
    assert max(counts) - min(counts) <= 1
    for name in "ABC":
        videos = np.unique(table.video[fakes[table.method[fakes] == name]], return_counts=True)[1]
        assert videos.max() - videos.min() <= 1


PAIRING = [
    Epoch(mix={"real": 1, "fake": 1}, pairs=True),
    Epoch(mix={"real": 1, "fake": 3}, even=True, pairs=True),
    Epoch(mix={"real": 3, "fake": 1}, pairs=True),
    Epoch("one", MIX, pairs=True),
]


@pytest.mark.parametrize("epoch", PAIRING)
def test_reals_are_those_the_others_were_made_from(reader, epoch):
    blends = "rr" in epoch.mix
    table = choose([reader, reader], Choice("train"), blends=blends)  # as two stores
    alone = dataclasses.replace(epoch, pairs=False)
    for rows, free in zip(*(sampler.batches(table, each, 8, [0]) for each in (epoch, alone)), strict=True):
        real, forged = (rows[(table.source[rows] == REAL) == wanted] for wanted in (True, False))
        assert np.array_equal(forged, free[table.source[free] != REAL])  # what pairs leave alone
        assert len(rows) == len(free)
        both = min(len(real), len(forged))
        assert np.array_equal(table.store[real[:both]], table.store[forged[:both]])
        assert np.array_equal(table.row[real[:both]], table.origin[forged[:both]])
        assert np.array_equal(table.compression[real[:both]], table.compression[forged[:both]])
        kin = sampler.kin(table, rows)
        assert np.array_equal(kin[kin], kin)
        assert np.array_equal(table.origin[rows][kin], table.origin[rows])
        assert (kin[len(real) : len(real) + both] < len(real)).all()


def test_a_fake_without_its_real_is_paired_with_none(reader):
    table = choose([reader], Choice("train"))
    table.origin[table.label == 1] = NO_ROW
    paired, free = (
        sampler.batches(table, Epoch(mix={"real": 1, "fake": 1}, pairs=pairs), 4, [0]) for pairs in (True, False)
    )
    assert np.array_equal(paired, free)
    assert np.array_equal(sampler.kin(table, paired[0])[2:], [2, 3])


def test_a_missing_source_is_refused(reader):
    table = choose([reader], Choice("train"))
    with pytest.raises(StoreError, match=r"source rr .*forgery-prep blend"):
        sampler.batches(table, Epoch("one", MIX), 32, [0])


def load(reader, table, rows, **more):
    return Loading([reader], **more).load(table, np.asarray(rows))


def test_a_batch_holds_what_the_store_holds(reader):
    table = choose([reader], Choice("train", "c40", twin="c23"))
    rows = np.array([7, 0, 3])
    loaded = load(reader, table, rows, maps=("ssim", "noise"), twin=True)
    batch = to_device(loaded, 64, torch.device("cpu"))
    stored = reader.gather("image", table.row[rows])
    assert torch.equal(batch["image"], torch.from_numpy(stored).permute(0, 3, 1, 2) / 255)
    assert np.array_equal(loaded.parts[0].arrays["twin"].numpy(), reader.gather("image", table.twin[rows]))
    assert torch.equal(batch["ssim"][:, 0], torch.from_numpy(reader.gather("ssim", table.row[rows])).float())
    noise = torch.from_numpy(reader.gather("noise", table.row[rows])).float().abs() * 0.125 / 255
    assert torch.allclose(batch["noise"][:, 0], noise)
    assert batch["label"].tolist() == table.target[rows].tolist()
    assert batch["source"].tolist() == table.source[rows].tolist()


def test_the_absolute_value_is_taken_before_resizing(reader):
    table = choose([reader], Choice("train"))
    loaded = load(reader, table, [0], maps=("noise",))
    small = to_device(loaded, 16, torch.device("cpu"))["noise"]
    assert small.mean() > 0.8 * 20 * 0.125 / 255  # signed, the mean of 16 values near zero would vanish


def test_parts_of_a_batch_are_the_batch(reader):
    table = choose([reader], Choice("train"), blends=True)
    loaded = load(reader, table, [0, 40, 9, 59], maps=("hull",))
    whole = to_device(loaded, 32, torch.device("cpu"))
    halves = [to_device(loaded, 32, torch.device("cpu"), part) for part in (slice(0, 2), slice(2, 4))]
    for name, values in whole.items():
        assert torch.equal(values, torch.cat([half[name] for half in halves]))


def test_stores_of_two_sizes_in_one_batch(reader, tmp_path):
    large = open_store(make_store(tmp_path / "large.zarr", size=96))
    readers = [reader, large]
    table = choose(readers, Choice("train"))
    rows = np.array([0, len(table) - 1, 1])
    batch = to_device(Loading(readers, ("mask",)).load(table, rows), 64, torch.device("cpu"))
    first = torch.from_numpy(reader.gather("image", table.row[rows[[0, 2]]])).permute(0, 3, 1, 2) / 255
    assert torch.equal(batch["image"][[0, 2]], first)
    assert batch["mask"].shape == (3, 1, 64, 64)


def test_255_is_unknown_but_not_where_the_label_is_real(tmp_path):
    location = make_store(tmp_path / "s.zarr", people=1, frames=1, splits=("train",))
    group = store.open_group(location, "r+")
    array = store.array_of(group, "mask")
    for number in range(store.shard_count(array)):
        low, high = store.shard_rows(array, number)
        store.write_shard(array, number, np.full((high - low, 64, 64), 255, np.uint8))
    reader = open_store(location)
    table = choose([reader], Choice())
    batch = to_device(load(reader, table, np.arange(len(table)), maps=("mask",)), 64, torch.device("cpu"))
    for label, mask in zip(batch["label"], batch["mask"], strict=True):
        assert mask.isnan().all() if label else (mask == 0).all()


def test_letterboxed_padding_is_unknown(tmp_path):
    location = make_store(tmp_path / "s.zarr", splits=("train",), recipe={"cropping": {"size": 64, "fit": "letterbox"}})
    group = store.open_group(location, "r+")
    boxes = store.read(store.array_of(group, "box"))
    boxes[:] = [16, 0, 48, 64]  # twice as high as wide: padded left and right
    store.write_column(group, "box", boxes)
    reader = open_store(location)
    table = choose([reader], Choice())
    batch = to_device(load(reader, table, np.arange(6), maps=("ssim",)), 64, torch.device("cpu"))
    unknown = batch["ssim"].isnan()[:, 0].all(0)
    assert unknown[:, :16].all()
    assert unknown[:, 48:].all()
    assert not unknown[:, 16:48].any()


def test_blends_made_anew_have_the_stored_ones_labels(reader):
    blenders = [online_blends.blender(reader)]
    table, planned = online_blends.plan(blenders, choose([reader], Choice("train")), [0])
    assert {SOURCES[source] for source in table.source} == set(SOURCES)
    rows = np.flatnonzero(table.source > FAKE)
    loaded = Loading([reader], ("hull", "boundary"), blenders=blenders).load(table, rows, planned)
    batch = to_device(loaded, 64, torch.device("cpu"))
    assert (batch["hull"][batch["source"] == RR] == 0).all()
    assert (batch["hull"][batch["source"] == FR].sum((1, 2, 3)) > 0).all()
    assert (batch["boundary"].sum((1, 2, 3)) > 0).all()
    again = Loading([reader], ("hull", "boundary"), blenders=blenders).load(table, rows, planned)
    assert torch.equal(loaded.parts[0].arrays["image"], again.parts[0].arrays["image"])


def test_processing_touches_image_and_twin(reader):
    table = choose([reader], Choice("train", "c40", twin="c23"))
    step = corruptions.parse("mean:5")
    plain = load(reader, table, [0], twin=True).parts[0].arrays
    processed = load(reader, table, [0], twin=True, process=(step,)).parts[0].arrays
    for name in ("image", "twin"):
        assert np.array_equal(processed[name][0].numpy(), step(plain[name][0].numpy(), 0))


@pytest.mark.parametrize("text", ["jpeg:100", "blur:0", "resize:1", "noise:0", "mean:1"])
def test_no_perturbation_at_the_neutral_strength(reader, text):
    image = reader.gather("image", [0])[0] // 8 * 8
    smooth = np.repeat(np.repeat(image[::8, ::8].mean(2, dtype=int, keepdims=True), 8, 0), 8, 1)
    grey = np.repeat(smooth, 3, 2).astype(np.uint8)
    assert np.abs(corruptions.parse(text)(grey, 0).astype(int) - grey).max() <= 2


def test_perturbations_are_refused_or_repeat(reader):
    image = reader.gather("image", [0])[0]
    step = corruptions.parse("noise:5")
    assert np.array_equal(step(image, 3), step(image, 3))
    assert not np.array_equal(step(image, 3), step(image, 4))
    assert (step(image, 3).astype(float) - image).std() == pytest.approx(5, rel=0.1)
    for text in ("jpg:60", "jpeg:0", "jpeg:high", "jpeg"):
        with pytest.raises(ConfigError):
            corruptions.parse(text)


def test_reencoding_keeps_the_frames_in_order(reader):
    clip = np.stack([np.full((63, 63, 3), level, np.uint8) for level in (40, 90, 140, 200)])
    again = corruptions.reencode(clip, 20)
    assert again.shape == clip.shape
    assert np.abs(again.mean((1, 2, 3)) - [40, 90, 140, 200]).max() < 3


def test_reading_ahead_keeps_the_order_and_stops():
    assert list(ahead(range(20), lambda number: number**2)) == [number**2 for number in range(20)]
    taken = ahead(range(10**6), lambda number: number)
    assert next(taken) == 0
    taken.close()
    assert [len(rows) for rows in in_order(7, 3)] == [3, 3, 1]


def test_excluded_faces_are_in_no_table_nor_are_their_blends(tmp_path):
    location = make_store(tmp_path / "tiny.zarr")
    readers = (open_store(location),)
    columns = readers[0].columns
    line = Exclusion("real/c23/train0.mp4", 1)
    whole = choose(readers, Choice("train"), blends=True)
    some = choose(readers, Choice("train", exclude=(line,)), blends=True)
    face = int(columns["face"][np.flatnonzero(columns["frame"] == 1)[0]])
    own = some.row[some.source <= 1]
    assert face in columns["face"][whole.row[whole.source <= 1]]
    assert face not in columns["face"][own]
    blends = readers[0].blends
    rows = some.row[some.source > 1]
    assert len(whole) - len(some) == 6 + int(np.isin(columns["face"][blends["outside"]], [face]).sum())
    assert face not in columns["face"][blends["outside"][rows]]


def test_a_row_whose_twin_is_excluded_has_no_place_among_twins(tmp_path):
    readers = (open_store(make_store(tmp_path / "tiny.zarr", blends=False)),)
    whole = choose(readers, Choice("train", "c40", twin="c23"))
    some = choose(readers, Choice("train", "c40", twin="c23", exclude=(Exclusion("Swap/c23/train1.mp4"),)))
    assert len(whole) - len(some) == 3
