"""A store behind PyTorch's own loader."""

import multiprocessing
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from places import ROOT
from tinystore import make_store
from torch.utils.data import DataLoader, DistributedSampler

from models.data import StoreDataset
from models.data.row_table import NO_ROW
from models.data.store_reader import Plain, columns_of, open_store
from pipeline.errors import ConfigError, StoreError

PAGE = ROOT / "docs" / "your-own-network.md"
LOADING = """
import sys, torch
from models.data import StoreDataset
from torch.utils.data import DataLoader

if __name__ == "__main__":
    dataset = StoreDataset(sys.argv[1], split="test", arrays=("image", "noise"))
    if sys.argv[3] == "read":
        dataset[0]
    loader = DataLoader(dataset, batch_size=5, num_workers=2, multiprocessing_context=sys.argv[2])
    batches = list(loader)
    torch.save({name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}, sys.argv[4])
"""


@pytest.fixture(scope="module")
def location(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("stores") / "tiny.zarr")


@pytest.fixture(scope="module")
def reader(location):
    return open_store(location)


def test_rows_equal_those_of_the_reader(location, reader):
    dataset = StoreDataset(
        location, arrays=("image", "ssim", "noise", "landmarks"), split="val", methods=["Swap"], compression="c40"
    )
    columns = reader.columns
    wanted = (columns["split"] == reader.names["split"].index("val")) & (columns["method"] <= 1)
    wanted &= columns["compression"] == reader.names["compression"].index("c40")
    rows = np.flatnonzero(wanted)
    items = [dataset[index] for index in range(len(dataset))]
    assert [item["row"] for item in items] == rows.tolist()
    assert [item["label"] for item in items] == columns["label"][rows].tolist()
    for name in ("image", "ssim", "noise"):
        np.testing.assert_array_equal(np.stack([item[name] for item in items]), reader.gather(name, rows))
    np.testing.assert_array_equal(np.stack([item["landmarks"] for item in items]), columns["landmarks"][rows])
    assert items[0].keys() == {"image", "ssim", "noise", "landmarks", "label", "row", "video"}
    assert dataset[-1]["row"] == rows[-1]
    assert [item["row"] for item in dataset] == rows.tolist()


def test_order_asked_for_and_transform(location):
    dataset = StoreDataset(location, arrays=["ssim"], transform=lambda item: item["row"])
    assert dataset.__getitems__([5, 0, -1, 5]) == [5, 0, len(dataset) - 1, 5]
    assert dataset.__getitems__([]) == []


def test_pairs_and_blends(location, reader):
    dataset = StoreDataset(location, arrays=("image", "hull", "ssim"), split="train", pairs=True, blends=True)
    items = dataset.__getitems__(range(len(dataset)))
    assert len(set(dataset.table.source.tolist())) == 4
    for place, item in enumerate(items):
        blend = dataset.table.source[place] > 1
        names = ("image", "hull")
        for name in names:
            expected = reader.gather(f"blend/{name}" if blend else name, [item["row"]])[0]
            np.testing.assert_array_equal(item[name], expected)
        np.testing.assert_array_equal(item["pair"], reader.gather("image", [dataset.table.origin[place]])[0])
        assert not blend or (item["ssim"] == 255).all()
    assert NO_ROW not in dataset.table.origin


def test_wrong_use(location):
    with pytest.raises(ConfigError, match="no array nose"):
        StoreDataset(location, arrays=("image", "nose"))
    with pytest.raises(ConfigError, match="no array landmarks"):
        StoreDataset(location, arrays=("landmarks",), blends=True)
    with pytest.raises(StoreError, match="no row of split"):
        StoreDataset(location, split="other")
    with pytest.raises(IndexError):
        StoreDataset(location)[10**6]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "before"), [("spawn", "read"), ("fork", "nothing"), ("fork", "read")])
def test_workers(location, reader, tmp_path, method, before):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system knows no {method}")
    script, result = tmp_path / "loading.py", tmp_path / "rows.pt"
    script.write_text(LOADING)
    command = [sys.executable, "-W", "error", str(script), location, method, before, str(result)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False, env=_environment())
    assert told.returncode == 0, told.stderr
    loaded = torch.load(result, weights_only=True)
    rows = loaded["row"].tolist()
    assert rows == np.flatnonzero(reader.columns["split"] == reader.names["split"].index("test")).tolist()
    for name in ("image", "noise"):
        np.testing.assert_array_equal(loaded[name].numpy(), reader.gather(name, rows))


def _environment():
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def test_pickled_after_reading(location):
    dataset = StoreDataset(location, split="test")
    image = dataset[3]["image"]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dataset))[3]["image"], image)


def test_distributed_sampler_gives_every_row_once(location):
    dataset = StoreDataset(location, split="train", compression="c23")
    rows = []
    for rank in range(2):
        sampler = DistributedSampler(dataset, num_replicas=2, rank=rank, shuffle=True)
        rows += [row for batch in DataLoader(dataset, batch_size=4, sampler=sampler) for row in batch["row"].tolist()]
    assert sorted(rows) == dataset.table.row.tolist()


def test_plain_reader_gives_the_same(location, reader):
    plain = columns_of(location)
    assert isinstance(plain.pixels["image"], Plain)
    assert plain.size == reader.size
    assert plain.arrays == reader.arrays
    for name in reader.pixels:
        np.testing.assert_array_equal(plain.gather(name, [4, 0]), reader.gather(name, [4, 0]))


def test_page_does_what_it_says(location):
    code = PAGE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    assert "stores/sample.zarr" in code
    done = {}
    exec(code.replace("stores/sample.zarr", location), done)
    assert done["step"] > 0
    assert done["loss"].isfinite()
