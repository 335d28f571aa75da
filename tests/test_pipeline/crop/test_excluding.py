"""Faces and files that a list of exclusions names, in a run."""

import dataclasses

import numpy as np
import pytest
import stores

from pipeline.errors import StoreError
from pipeline.exclusions import Exclusion, rows_of, without
from pipeline.inspect.verify import verify
from pipeline.stages.run import run


def described(columns, rows):
    paths = columns["video_path"][columns["video"]]
    return {(str(paths[row]), int(columns["frame"][row])) for row in rows}


def box_of(columns, row):
    return tuple(float(edge) for edge in columns["box"][row])


@pytest.fixture(scope="module")
def made(tiny, tiny_store, tmp_path_factory):
    """Return the usual store's columns, the lines left out, the new job and its store's location."""
    before = stores.columns(tiny_store)
    paths = before["video_path"][before["video"]].astype(str)
    fake = int(np.flatnonzero((before["method"] != 0) & (before["split"] == 0))[1])
    real = int(np.flatnonzero((before["method"] == 0) & (before["split"] == 2))[0])
    whole = next(path for path in paths.tolist() if "manipulated" in path and "c40" in path and path != paths[fake])
    lines = (
        Exclusion(paths[fake], int(before["frame"][fake]), box_of(before, fake), note="blurred"),
        Exclusion(paths[real], int(before["frame"][real])),
        Exclusion(whole),
        Exclusion(paths[real], int(before["frame"][real]) + 1, (0.0, 0.0, 2.0, 2.0), note="another face"),
        Exclusion("elsewhere.mp4", note="no file of this dataset"),
    )
    location = tmp_path_factory.mktemp("excluded") / "a.zarr"
    job = tiny.job(location)
    job = dataclasses.replace(job, dataset=dataclasses.replace(job.dataset, exclude=lines))
    run(job, workers=2)
    return before, lines, job, str(location)


def test_a_run_leaves_out_what_training_would(made):
    before, lines, _, location = made
    after = stores.columns(location)
    gone = without(before, "sample", lines)
    assert 0 < gone.sum() < len(gone)
    kept = described(before, np.flatnonzero(~gone))
    assert described(after, range(len(after["label"]))) == kept
    assert not rows_of(after, "sample", lines)


def test_what_was_left_out_is_a_reject_with_its_reason(made):
    before, lines, _, location = made
    lost = stores.columns(location, "rejected")
    marked = lost["stage"] == "exclude"
    assert lost["rows"][marked].sum() == without(before, "sample", lines).sum()
    reasons = set(lost["reason"][marked].tolist())
    assert reasons == {"marked bad: blurred", "marked bad", "its real face is excluded"}


def test_the_store_is_sound(made):
    assert verify(made[3], workers=1) == []


def test_another_list_is_another_store(made, tiny):
    _, lines, job, _ = made
    run(job, workers=1)
    for other in ((), lines[:2]):
        changed = dataclasses.replace(job, dataset=dataclasses.replace(job.dataset, exclude=other))
        with pytest.raises(StoreError, match=r"other settings: the list of excluded faces\."):
            run(changed, workers=1)
