"""Processes that die while they work on videos."""

import numpy as np
import pytest
import stores
import tasks

from pipeline import store
from pipeline.config import Blending
from pipeline.crop import groups
from pipeline.errors import TaskError
from pipeline.inspect.verify import verify
from pipeline.stages import cluster
from pipeline.stages.run import run


@pytest.mark.slow
def test_a_dead_process_costs_nothing_and_a_deadly_video_only_itself(
    tiny, tiny_store, tmp_path, monkeypatch, scheduler
):
    monkeypatch.setattr(groups, "index_group", tasks.index_or_die)
    monkeypatch.setattr(cluster, "PATIENCE", 6.0)
    (tmp_path / "sample").symlink_to(tiny.root)
    location = str(tmp_path / "a.zarr")
    job = tiny.job(location, root=tmp_path / "sample", limit=2, blending=Blending(kinds=()))
    # two groups of videos: the first one's process is killed once, the second one's always
    with pytest.raises(TaskError, match=r"^1 of 2 groups .*it died each time\)\. All others are kept"):
        run(job, workers=2)
    assert (tmp_path / "died-once").exists()
    assert not store.exists(location), "no row is decided before it was tried again"
    run(job, workers=2)
    rows, lost = stores.columns(location), stores.columns(location, store.REJECTS)
    assert set(rows["video_target"]) == {"000"}
    whole = stores.columns(tiny_store)
    place = np.flatnonzero(whole["video_target"][whole["video"]] == "000")
    np.testing.assert_array_equal(stores.pixels(location, "image"), stores.pixels(tiny_store, "image")[place])
    assert len(lost["video"]) == 15
    assert all("002" in name for name in lost["video"])
    assert set(lost["reason"]) == {"the process working on it died each time"}
    assert set(lost["stage"]) == {"faces"}
    assert lost["rows"].sum() == 45
    assert verify(location, scheduler=scheduler) == []
