"""The index of a shard as the specification of Zarr's sharding has it."""

import numpy as np
import pytest

from pipeline.store import shard_index

ABSENT = 2**64 - 1


def tail(*pairs: tuple[int, int]) -> bytes:
    return np.array(pairs, "<u8").tobytes() + b"\0" * 4


WHOLE = tail((0, 10), (10, 5), (15, 7))


def test_chunks_in_any_order_that_fill_the_file():
    size = 22 + len(WHOLE)
    assert shard_index.size(3) == len(WHOLE)
    assert shard_index.fills(WHOLE, size, 3, 3)
    assert shard_index.fills(tail((15, 7), (0, 10), (10, 5)), size, 3, 3)
    assert shard_index.fills(tail((0, 10), (10, 12), (ABSENT, ABSENT)), size, 3, 2), "the last shard of an array"


@pytest.mark.parametrize(
    ("found", "size", "rows"),
    [
        (b"", 0, 3),
        (WHOLE[1:], 21 + len(WHOLE), 3),
        (WHOLE, 23 + len(WHOLE), 3),
        (bytes(len(WHOLE)), 22 + len(WHOLE), 3),
        (tail((0, 10), (10, 5), (ABSENT, ABSENT)), 15 + len(WHOLE), 3),
        (tail((0, 10), (12, 5), (17, 5)), 22 + len(WHOLE), 3),
        (tail((0, 10), (0, 10), (10, 12)), 22 + len(WHOLE), 3),
    ],
    ids=["empty", "cut", "longer", "zeros", "a chunk is absent", "a gap", "an overlap"],
)
def test_anything_else_is_no_whole_shard(found, size, rows):
    assert not shard_index.fills(found, size, 3, rows)
