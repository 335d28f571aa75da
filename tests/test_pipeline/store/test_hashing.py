"""Digests that know nothing of chunks, byte order or machines."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.store.hashing import array_digest, column_digest, combined_digest, row_digests


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from(["uint8", "int16", "float32", "int64"]))
def test_digests_do_not_know_how_rows_are_cut(one, other, kind):
    values = np.random.default_rng(one).normal(0, 50, (12, 3)).astype(kind)

    def cut(size):
        return [row_digests(values[low : low + size]) for low in range(0, 12, size)]

    assert array_digest("a", kind, (12, 3), cut(one)) == array_digest("a", kind, (12, 3), cut(other))
    assert row_digests(values) == row_digests(values.astype(values.dtype.newbyteorder(">")))
    changed = values.copy()
    changed[one - 1, 0] += 1
    assert row_digests(values) != row_digests(changed)
    assert array_digest("a", kind, (12, 3), cut(one)) != array_digest("b", kind, (12, 3), cut(one))
    assert array_digest("a", kind, (12, 3), cut(one)) != array_digest("a", kind, (3, 12), cut(one))


def test_text_is_told_by_its_letters():
    words = np.array(["", "Ж", "a"], dtype=object)
    assert row_digests(words) == b"".join(hashlib.sha256(word.encode()).digest() for word in words)
    assert column_digest("a", words) == column_digest("a", words.astype("U3"))
    assert column_digest("a", words) != column_digest("a", words[::-1])


def test_the_order_in_which_arrays_are_named_does_not_matter():
    assert combined_digest({"a": "1", "b": "2"}) == combined_digest({"b": "2", "a": "1"})
    assert combined_digest({"a": "1", "b": "2"}) != combined_digest({"a": "2", "b": "1"})
