"""Who may take part: looked at again while something is missing, and not for ever."""

import pytest
import tasks
from distributed import Reschedule

from pipeline.errors import ForgeryPrepError
from pipeline.stages import cluster, needs


@pytest.fixture
def lately(tmp_path, monkeypatch):
    """Return needs of a folder that is not there yet."""
    monkeypatch.setattr(cluster, "LEAVING", 0.0)
    wanted = needs.needs(folder_of_the_dataset=tmp_path / "mounted late")
    yield wanted
    needs._FIT.discard(wanted)
    needs._UNFIT.pop(wanted, None)


def test_a_worker_that_lacked_something_takes_part_once_it_has_it(lately, tmp_path):
    with pytest.raises(Reschedule):
        cluster._call(lately, tasks.square, 3)
    (tmp_path / "mounted late").mkdir()
    assert cluster._call(lately, tasks.square, 3) == 9
    (tmp_path / "mounted late").rmdir()
    assert cluster._call(lately, tasks.square, 3) == 9, "the task itself tells what it misses"
    assert "does not see the folder of the dataset" in needs.look(lately), "the next run asks again"


def test_a_worker_that_goes_on_lacking_something_does_not_hold_up_the_run(lately, monkeypatch):
    with pytest.raises(Reschedule):
        cluster._call(lately, tasks.square, 3)
    monkeypatch.setattr(needs, "PATIENCE", 0.0)
    with pytest.raises(ForgeryPrepError, match=r"cannot take part: it does not see the folder of the dataset, .*late"):
        cluster._call(lately, tasks.square, 3)
