"""A file that ends the process that reads it costs itself, not its group."""

import json

import pytest
import stores
import tasks

from pipeline import store
from pipeline.config import Blending
from pipeline.crop import groups, staging, suspects
from pipeline.errors import SourceError
from pipeline.stages.run import run
from pipeline.video import trial


@pytest.fixture
def verdicts(monkeypatch):
    """Return a table, by path, of what the trial of a file comes to."""
    found: dict[str, str | type[BaseException]] = {}

    def judge(about):
        verdict = found[about["path"]]
        if isinstance(verdict, str):
            return verdict
        raise verdict

    monkeypatch.setattr(trial, "judge", judge)
    return found


def leave(folder, *paths):
    note = staging.note(folder, 3)
    note.write_text(json.dumps([{"path": path, "wanted": [], "decoder": "auto"} for path in paths]))


def test_files_to_blame_are_remembered_and_others_are_not(tmp_path, verdicts):
    verdicts.update({"a": "a crashes.", "b": ""})
    assert suspects.settle(tmp_path, 3) == {}
    leave(tmp_path, "a", "b")
    assert suspects.settle(tmp_path, 3) == {"a": "a crashes."}
    verdicts.clear()  # it is not tried again
    leave(tmp_path, "a")
    assert suspects.settle(tmp_path, 3) == {"a": "a crashes."}
    assert suspects.settle(tmp_path, 4) == {}


def test_what_a_machine_lacks_is_tried_again_by_the_next_run(tmp_path, verdicts):
    verdicts["a"] = MemoryError
    leave(tmp_path, "a")
    with pytest.raises(MemoryError):
        suspects.settle(tmp_path, 3)
    staging.note_failure(tmp_path, 3, "memory")
    staging.clean(tmp_path)  # as the next run begins
    assert suspects.settle(tmp_path, 3) == {"a": "a needs more memory than there is, in two runs."}
    verdicts["b"] = SourceError
    leave(tmp_path, "b")
    with pytest.raises(SourceError):
        suspects.settle(tmp_path, 3)


def test_notes_of_a_run_that_was_killed_blame_nobody(tmp_path, verdicts):
    leave(tmp_path, "a")
    staging.clean(tmp_path)
    assert suspects.settle(tmp_path, 3) == {}


def test_a_deadly_fake_and_a_deadly_mask_cost_themselves(tiny, tmp_path, verdicts):
    job = tiny.job(tmp_path / "a.zarr", limit=2)
    group = groups.groups(job.dataset)[0]
    fake = group.fakes[0][0]
    masked = next(versions[0] for versions in group.fakes if versions[0].mask and versions[0].method != fake.method)
    bad = {str(job.dataset.root / path): f"{job.dataset.root / path} crashes." for path in (fake.path, masked.mask)}
    verdicts.update(bad)
    note = staging.note(tmp_path, group.number)
    note.write_text(json.dumps([{"path": path, "wanted": [], "decoder": "auto"} for path in bad]))
    groups.index_group(group, job.dataset.root, job.recipe, job.dataset.cropped, tmp_path)
    part = staging.read_part(tmp_path, group.number)
    told = {(reject.video.path, reject.stage): reject.reason for reject in part.rejects}
    assert told[fake.path, "probe"] == f"{fake.path} crashes."
    assert told[masked.path, "mask"] == f"its mask {masked.mask} is not read ({masked.mask} crashes): no mask label"
    sources = {source.video.path: source.video for source in part.sources}
    assert sources.keys() == {video.path for video in group.videos} - {fake.path}
    assert sources[masked.path].mask is None
    assert not note.exists()


@pytest.mark.slow
def test_a_video_that_crashes_its_decoder_is_rejected_by_name_in_one_run(tiny, tiny_store, tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "index_group", tasks.index_beside_deadly)
    location = str(tmp_path / "a.zarr")
    job = tiny.job(location, limit=2, blending=Blending(kinds=()))
    fakes = [video.path for video in job.dataset.videos if tasks.DEADLY in video.path]
    run(job, workers=2)
    rows, lost = stores.columns(location), stores.columns(location, store.REJECTS)
    whole = stores.columns(tiny_store)
    of_both = {target for target in whole["video_target"].tolist() if target in {"000", "002"}}
    assert set(rows["video_path"]) == {
        path
        for path, target in zip(whole["video_path"].tolist(), whole["video_target"].tolist(), strict=True)
        if target in of_both and path not in fakes
    }
    assert dict(zip(lost["video"], lost["reason"], strict=True)) == {
        path: f"{path} crashes its decoder (SIGSEGV), tried alone as well." for path in fakes
    }
