"""The papers' pictures: what they are drawn from, against sums by hand, and that each is written."""

import dataclasses

import numpy as np
import pytest
import torch
from tinystore import make_store
from toy import TOY

from models import detectors, pictures
from models.detectors.base import Outputs
from models.evaluation.evaluate import Request, evaluate
from models.nn.filters import guided_residual, high_pass
from models.nn.residuals import Residual
from models.pictures import features, maps, noise, residuals
from models.pictures.rows import batches, some
from models.runtime import checkpoint
from models.runtime.checkpoint import Checkpoint
from pipeline.errors import ConfigError
from pipeline.labels.noise import noise_residual


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    location = make_store(folder / "s.zarr", size=32, splits=("test",), blends=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(detectors.DETECTORS, "toy", TOY)
        torch.set_num_threads(1)
        torch.manual_seed(0)
        settings = TOY.parse([])
        about = {"detector": "toy", "settings": settings.to_dict(), "methods": []}
        checkpoint.save(folder / "c.ckpt", Checkpoint(about, TOY.build(settings, False).state_dict()))
        return evaluate(Request((location,), folder / "c.ckpt", device="cpu", rounds=0))


def test_every_picture_is_written(found, tmp_path):
    files, left_out = pictures.draw(pictures.check(["all"]), found, tmp_path)
    assert not left_out
    assert [file.stem for file in files] == list(pictures.PICTURES)
    assert all(file.stat().st_size > 5000 for file in files)


def test_what_a_network_does_not_have_leaves_out_one_picture(found, tmp_path, monkeypatch):
    monkeypatch.setattr(type(found.network), "localise", lambda *_: None)
    files, left_out = pictures.draw(["maps", "noise"], found, tmp_path)
    assert [file.stem for file in files] == ["noise"]
    assert left_out == {"maps": "The picture maps needs a detector that draws maps; this one judges whole faces."}


def test_unknown_pictures_are_refused():
    with pytest.raises(ConfigError, match="no picture nose; known are noise, sigma"):
        pictures.check(["nose", "maps"])


def test_rows_are_even_over_methods_and_compressions(found):
    table = found.judged[0].condition.table
    rows = some(table, 2)
    kinds = [f"{table.method[row]} {table.compression[row]}" for row in rows]
    assert {kind: kinds.count(kind) for kind in kinds} == dict.fromkeys(kinds, 2)
    assert len(set(kinds)) == 3 * 2


def test_noise_is_that_of_the_crop_and_its_compression(found):
    table, reader = found.judged[0].condition.table, found.readers[0]
    rows = np.array([0, len(table) - 1])
    assert table.compression[rows].tolist() == ["c23", "c40"]
    for row, values, sigma in zip(rows, noise.statistics(found, rows), (5, 10), strict=True):
        size = np.abs(noise_residual(reader.gather("image", [table.row[row]])[0], sigma))
        assert values == pytest.approx([size.mean(), size.var()])
    size = np.abs(noise_residual(reader.gather("image", [table.row[0]])[0], 3))
    assert noise.statistics(found, rows[:1], 3)[0, 0] == pytest.approx(size.mean())


def test_mean_maps_are_those_of_each_method(found):
    table = found.judged[0].condition.table
    every = np.arange(len(table))
    ((_, batch),) = batches(found, every[table.method == "Patch"])
    with torch.no_grad():
        drawn = found.network.localise(found.network(batch), found.plan.size)
    np.testing.assert_allclose(maps.means(found)["Patch"], drawn[:, 0].double().mean(0), atol=1e-7)


def test_features_are_averaged_over_positions(found):
    rows = np.array([3, 1])
    ((_, batch),) = batches(found, rows)
    with torch.no_grad():
        wanted = found.network(batch).features["features"].mean((2, 3))
    np.testing.assert_allclose(features.pooled(found, rows), wanted, atol=1e-6)


def test_residuals_are_the_filters_five_times(found):
    class WithResidual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.residual = Residual("mte", 2, 1e-3, "gray", 16.0)

        def forward(self, batch):
            return Outputs(torch.zeros(1), features={found.plan.cam: batch["image"] - 0.5})

    ((_, batch),) = batches(found, np.arange(2))
    made = residuals.columns(dataclasses.replace(found, network=WithResidual()), batch)
    torch.testing.assert_close(made["high pass, 5 times"], (5 * high_pass(batch["image"]).abs()).clamp(max=1))
    own = (16 * guided_residual(batch["image"], 2, 1e-3)).clamp(max=1)
    shares = torch.stack([one / one.max() for one in own])
    torch.testing.assert_close(made["the network's, of its largest"], shares)
    assert made["features"].amin() == 0
    assert made["features"].amax() == 1


def test_a_detector_without_maps_has_no_mean_map(found):
    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, batch):
            return Outputs(torch.zeros(1))

        def localise(self, outputs, size):
            return None

    with pytest.raises(ConfigError, match="judges whole faces"):
        maps.means(dataclasses.replace(found, network=Whole()))
