"""One writer at a time; a dead one holds nothing."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import tasks

from pipeline.errors import StoreError, WriteError
from pipeline.store.lock import alone, staging_of


def test_a_second_writer_is_refused_and_the_first_goes_on(tmp_path):
    location = str(tmp_path / "new" / "a.zarr")
    with alone(location):
        with pytest.raises(StoreError, match=rf"Another run is writing {location}"), alone(location):
            pass
        with alone(str(tmp_path / "new" / "b.zarr")):
            pass
    with alone(location):
        pass
    assert not list((tmp_path / "new").iterdir()), "nothing is left lying about"


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    location = str(tmp_path / "a.zarr")
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=tasks.hold, args=(location, ready))
    holder.start()
    assert ready.wait(20)
    with pytest.raises(StoreError, match="Another run"), alone(location):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with alone(location):
        pass


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    sentence = r"cannot be written .*; make room or choose another place"
    with pytest.raises(WriteError, match=sentence), alone(str(tmp_path / "file" / "a.zarr")):
        pass


def test_staging_stands_beside_a_local_store_and_in_stores_for_a_bucket(tmp_path):
    assert staging_of(f"{tmp_path}/a.zarr/") == tmp_path / "a.zarr.parts"
    one, two = staging_of("s3://one/a.zarr"), staging_of("s3://two/a.zarr")
    assert one != two
    assert one.parent == two.parent == Path("stores").resolve()
    assert one == staging_of("s3://one/a.zarr/")


def test_one_place_has_one_lock_however_it_is_spelt(tmp_path, monkeypatch):
    (tmp_path / "stores").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "stores")
    monkeypatch.chdir(tmp_path)
    with alone(str(tmp_path / "stores" / "a.zarr")):
        for spelling in ("stores/a.zarr", "link/a.zarr", "stores/../stores/a.zarr"):
            with pytest.raises(StoreError, match="Another run"), alone(spelling):
                pass
