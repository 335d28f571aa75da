"""What the system refuses, in one sentence."""

import errno

import pytest

from pipeline.errors import WriteError
from pipeline.store.writing import writing


def fill(error):
    with writing("file:///x/a.zarr"):
        raise error


def test_a_refusal_of_the_system_is_a_sentence():
    with pytest.raises(WriteError, match=r"^/x/a.zarr cannot be written \(No space left on device\); make room"):
        fill(OSError(errno.ENOSPC, "No space left on device"))


def test_what_is_no_refusal_passes():
    told = WriteError("told already")
    with pytest.raises(WriteError) as seen:
        fill(told)
    assert seen.value is told
    with pytest.raises(LookupError):
        fill(LookupError())
