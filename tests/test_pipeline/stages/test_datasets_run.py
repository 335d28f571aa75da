from collections.abc import Iterator
from pathlib import Path

import footage
import lookalikes
import numpy as np
import pytest
from distributed import LocalCluster

from pipeline.config import load_recipe
from pipeline.doctor import diagnose
from pipeline.inspect.verify import verify
from pipeline.labels import NO_LABEL
from pipeline.manifest import REAL, load_manifest, scan
from pipeline.stages.run import Job, run
from pipeline.store import open_group, read_columns

PAIRED = {name: name != "dfdctest" and load_manifest(name).get("paired", True) for name in lookalikes.LAYOUTS}


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    # one for all datasets; port 0: any free one
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as local:
        yield local.scheduler_address


@pytest.mark.slow
@pytest.mark.parametrize("name", lookalikes.LAYOUTS)
def test_a_lookalike_becomes_a_store(name: str, tmp_path: Path, scheduler: str) -> None:
    manifest = load_manifest(name)
    files = lookalikes.build(name, tmp_path / "data", footage.fill)
    root = tmp_path / "data" / ("pairs.csv" if name == "pairs" else "")
    recipe = load_recipe("default", manifest["sampling"])
    assert diagnose(manifest, root, recipe, deep=True, related=False, partial=True, timed=False).findings == ()

    data = scan(manifest, root, limit=2)
    location = str(tmp_path / "store.zarr")
    run(Job(data, recipe, location, 2), scheduler=scheduler)
    assert verify(location, scheduler=scheduler) == []

    group = open_group(location)
    columns = read_columns(group)
    meanings = group["method"].attrs["flag_meanings"], group["split"].attrs["flag_meanings"]
    people = {file.path: file.person for file in files}
    videos = {(video.path, video.split, video.method) for video in data.videos}
    paths = columns["video_path"][columns["video"]]
    fakes = columns["method"] > 0
    assert columns["label"].tolist() == fakes.astype(np.uint8).tolist()
    assert fakes.any()
    assert not fakes.all()
    for path, method, split in zip(paths, columns["method"], columns["split"], strict=True):
        assert (path, meanings[1][split], meanings[0][method]) in videos
        role = REAL if method == 0 else "fake"
        assert next(file.role for file in files if file.path == path.partition("#")[0]) == role
    if not PAIRED[name]:
        assert (columns["real"][fakes] == -1).all()
        assert (group["ssim"][:][fakes] == NO_LABEL).all()
        return
    reals = columns["real"][fakes]
    assert (reals >= 0).all()
    for fake, real in zip(np.flatnonzero(fakes), reals, strict=True):
        assert people[paths[fake]] == people[paths[real]]
        assert columns["frame"][fake] == columns["frame"][real]
    assert (group["ssim"][:][fakes] == 1).any(axis=(1, 2)).all()
