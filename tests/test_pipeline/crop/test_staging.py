"""A staged part is there whole or not at all, and reads back as it was written."""

import dataclasses

import numpy as np
import pytest

from pipeline.crop import staging
from pipeline.crop.staging import (
    COLUMNS,
    Part,
    Reject,
    Row,
    Source,
    as_columns,
    clean,
    new_part,
    part_path,
    read_crops,
    read_part,
)
from pipeline.errors import WriteError
from pipeline.manifest import REAL, Video

VIDEO = Video("a", "real/a.mp4", REAL, "raw", "train", "a", "a", mask=None)
CROPS = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)


def columns(rows):
    rng = np.random.default_rng(1)
    return {name: rng.random((rows, *shape)).astype(kind) for name, (kind, shape) in COLUMNS.items()}


def test_what_is_staged_reads_back(tmp_path):
    part = Part((Source(VIDEO, 9, 64, 48, "ab"),), (Reject(VIDEO, 3, "faces", "no face was found", 2),), columns(5))
    with new_part(tmp_path / "new", 4) as (crops, done):
        assert [crops.append(crop) for crop in CROPS] == [0, 1, 2, 3, 4]
        done.append(part)
    back = read_part(tmp_path / "new", 4)
    assert (back.sources, back.rejects) == (part.sources, part.rejects)
    for name in COLUMNS:
        np.testing.assert_array_equal(back.columns[name], part.columns[name])
        assert back.columns[name].dtype == part.columns[name].dtype
    np.testing.assert_array_equal(read_crops(tmp_path / "new", 4, np.array([3, 0, 3]), 8), CROPS[[3, 0, 3]])


def test_a_row_has_an_entry_of_every_column():
    assert [field.name for field in dataclasses.fields(Row)] == list(COLUMNS)


def test_a_part_without_rows_reads_back(tmp_path):
    with new_part(tmp_path, 0) as (_, done):
        done.append(Part((), (), as_columns([])))
    assert all(len(values) == 0 for values in read_part(tmp_path, 0).columns.values())


def test_a_part_that_fails_leaves_nothing(tmp_path):
    def interrupted():
        with new_part(tmp_path, 0) as (crops, _):
            crops.append(CROPS[0])
            raise LookupError

    with pytest.raises(LookupError):
        interrupted()
    assert not list(tmp_path.iterdir())


def test_drafts_of_killed_runs_are_deleted_and_parts_stay(tmp_path):
    with new_part(tmp_path, 0) as (_, done):
        done.append(Part((), (), as_columns([])))
    (tmp_path / "draft-000001-77").mkdir()
    (tmp_path / "draft-000001-77" / "image.raw").touch()
    clean(tmp_path)
    assert list(tmp_path.iterdir()) == [part_path(tmp_path, 0)]


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="cannot be written"), new_part(tmp_path / "file", 0):
        pass


@pytest.mark.parametrize("limit", [1, 1500, 2**26])
def test_parts_in_blocks_hold_what_they_held(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(staging, "BLOCK", limit)
    found = staging.in_blocks(Part((), (), columns(rows)) for rows in (2, 0, 3, 1))
    for part, rows in zip(found, (2, 0, 3, 1), strict=True):
        for name, values in columns(rows).items():
            np.testing.assert_array_equal(part.columns[name], values)
