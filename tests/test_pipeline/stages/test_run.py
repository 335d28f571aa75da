"""Whole runs: the same store whatever the processes and interruptions, nothing done twice, nothing mixed."""

import dataclasses
import json
import os
import signal
import time
from pathlib import Path

import pytest
import stores

from pipeline import store
from pipeline.config import Cropping
from pipeline.errors import StoreError
from pipeline.inspect import info
from pipeline.stages.run import run
from pipeline.store.lock import alone

FATAL = [  # stage, and how many of its steps are done when everything is killed; shards hold 16 of 186 rows
    ("faces", 1),
    ("crops", 3),
    ("check crops", 5),
    ("labels", 1),
    ("labels", 7),
    ("check labels", 4),
    ("blends", 2),
    ("check blends", 1),
]


@pytest.mark.slow
def test_one_process_makes_the_same_store_as_two(tiny, tiny_store, tmp_path):
    run(tiny.job(tmp_path / "one.zarr"), workers=1)
    stores.assert_same(tmp_path / "one.zarr", tiny_store)
    assert info.summary(str(tmp_path / "one.zarr")).digest == info.summary(str(tiny_store)).digest
    assert [path.name for path in tmp_path.iterdir()] == ["one.zarr"], "no staging, no lock is left"


def test_a_second_run_redoes_nothing(tiny, tiny_store):
    before = {name: path.stat().st_mtime_ns for name, path in stores.files(tiny_store).items()}
    run(tiny.job(tiny_store), workers=2)
    assert before == {name: path.stat().st_mtime_ns for name, path in stores.files(tiny_store).items()}


@pytest.mark.slow
def test_killed_in_every_stage_it_goes_on_and_ends_with_the_same_store(tiny, tiny_store, tmp_path, start, prep):
    location = tmp_path / "killed.zarr"
    written: dict[str, int] = {}
    staged: dict[Path, int] = {}
    for number, (stage, steps) in enumerate(FATAL):
        workers = 2 if number < 2 else 1
        process = start(*tiny.arguments(location), "--workers", workers, killed_at=(stage, steps))
        _, complaint = process.communicate(timeout=300)
        assert process.returncode == -signal.SIGKILL, f"{stage}: {complaint}"
        parts = {path: path.stat().st_mtime_ns for path in Path(f"{location}.parts").glob("0*/*")}
        assert all(parts[path] == when for path, when in staged.items() if path in parts), "a part was staged twice"
        staged = parts
        if not store.exists(str(location)):
            assert staged, "what was found before the kill is kept"
            check_that_only_the_same_may_go_on(tiny, location)
            continue
        assert not store.open_group(str(location)).attrs.get("complete")
        with pytest.raises(StoreError, match="unfinished"):
            info.summary(str(location))
        now = stores.times(location)
        assert {name: now[name] for name in written} == written, f"{stage}: shards were written twice"
        written = {name: when for name, when in now.items() if _is_pixels(name) and not name.startswith("blend/")}
    said = prep(*tiny.arguments(location), "--workers", 1)
    assert said.status == 0
    now = stores.times(location)
    assert {name: now[name] for name in written} == written
    stores.assert_same(location, tiny_store)
    assert [path.name for path in tmp_path.iterdir()] == ["killed.zarr"]


def check_that_only_the_same_may_go_on(tiny, location):
    with pytest.raises(StoreError, match=r"recipe\.cropping\.size \(was 96, now 64\)"):
        run(tiny.job(location, cropping=Cropping(size=64)))
    note = Path(f"{location}.parts") / "run.json"
    text = note.read_text()
    note.write_text(json.dumps({**json.loads(text), "software": {"numpy": "1"}}))
    with pytest.raises(StoreError, match=r"software\.numpy \(was 1, now 2"):
        run(tiny.job(location))
    note.write_text(text)


def _is_pixels(name: str) -> bool:
    return name.split("/c/")[0] in ("image", "ssim", "mask", "noise", "hull", "boundary")


def test_another_recipe_is_refused_and_the_setting_named(tiny, tiny_store):
    before = stores.times(tiny_store)
    with pytest.raises(StoreError, match=r"recipe\.cropping\.size \(was 96, now 128\)") as error:
        run(tiny.job(tiny_store, cropping=Cropping(size=128)))
    assert "--overwrite" in str(error.value)
    with pytest.raises(StoreError, match=r"other settings: limit \(was none, now 1\)\. Choose"):
        run(tiny.job(tiny_store, limit=1))
    with pytest.raises(StoreError, match=r"other settings: the dataset's files have changed\. Choose"):
        run(_grown(tiny.job(tiny_store)))
    assert stores.times(tiny_store) == before


def _grown(job):
    more = dataclasses.replace(job.dataset.videos[0], path=job.dataset.videos[1].path)
    return dataclasses.replace(job, dataset=dataclasses.replace(job.dataset, videos=(*job.dataset.videos, more)))


@pytest.mark.slow
def test_a_trial_store_is_refused_without_its_limit_and_overwritten_from_anywhere(
    tiny, tiny_store, tmp_path, scheduler
):
    location = tmp_path / "trial.zarr"
    run(tiny.job(location, limit=1), scheduler=scheduler)
    about = stores.columns(location)
    assert set(about["video_target"]) == {"000"}
    assert set(about["video_id"]) == {"000", "000_001"}
    with pytest.raises(StoreError, match=r"limit \(was 1, now none\)"):
        run(tiny.job(location), scheduler=scheduler)
    (tmp_path / "moved").symlink_to(tiny.root)
    run(tiny.job(location, root=tmp_path / "moved"), scheduler=scheduler, overwrite=True)
    stores.assert_same(location, tiny_store)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["moved", "trial.zarr"]


def test_a_folder_that_is_no_store_is_never_overwritten(tiny, tmp_path):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(StoreError, match="is there already and is no store"):
            run(tiny.job(folder), overwrite=overwrite)
    with pytest.raises(StoreError, match="is there already and is no store"):
        run(tiny.job(folder / "chapter.tex"))
    assert (folder / "chapter.tex").read_text() == "years of work"


def test_a_second_run_at_the_same_time_is_refused(tiny, tiny_store):
    with alone(str(tiny_store)), pytest.raises(StoreError, match="Another run is writing"):
        run(tiny.job(tiny_store), overwrite=True)


def test_a_finished_store_needs_no_lock(tiny, tiny_store, tmp_path):
    (tmp_path / "disk").mkdir()
    location = stores.copy(tiny_store, tmp_path / "disk" / "a.zarr")
    with alone(location):  # as a disk that is read-only has none to give
        run(tiny.job(location))


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(tiny, tmp_path, start, prep, scheduler):
    location = tmp_path / "stopped.zarr"
    process = start(*tiny.arguments(location), "--limit", 2, "--workers", 1)
    deadline = time.monotonic() + 200
    while not (whole := list(Path(f"{location}.parts").glob("0*"))) and time.monotonic() < deadline:
        time.sleep(0.02)  # until the first part is there, whichever that is
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to every process of the command
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, complaint
    assert complaint.strip().splitlines()[-1] == "Interrupted; run the same command again to go on."
    assert "Traceback" not in complaint
    assert whole
    assert all(any(part.iterdir()) for part in whole)
    assert not Path(f"{location}.lock").exists()
    said = prep(*tiny.arguments(location), "--limit", 2, "--scheduler", scheduler)
    assert said.status == 0
    assert set(stores.columns(location)["video_target"]) == {"000", "002"}, "the first of each split"
