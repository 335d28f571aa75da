"""One hash over values, the same for every chunking, machine and version of the software."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def row_digests(values: NDArray[Any]) -> bytes:
    """Return the SHA-256 of each row of an array of shape (rows, ...), joined; text in UTF-8, numbers little-endian."""
    if values.dtype.kind in "OTU":
        return b"".join(hashlib.sha256(str(value).encode()).digest() for value in values)
    whole = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    length = whole.itemsize * math.prod(whole.shape[1:])
    content = whole.reshape(-1).view(np.uint8)
    rows = (content[row * length : (row + 1) * length] for row in range(len(whole)))
    return b"".join(hashlib.sha256(row.data).digest() for row in rows)


def row_digest(row: NDArray[Any]) -> bytes:
    """Return the digest of one row of numbers, as `row_digests` has it."""
    return row_digests(row[None])


def type_name(values: NDArray[Any]) -> str:
    """Return a column's type as digests name it."""
    return "string" if values.dtype.kind in "OTU" else str(values.dtype)


def array_digest(name: str, dtype: str, shape: Sequence[int], rows: Iterable[bytes]) -> str:
    """Combine the digests of an array's rows: the same for every chunking."""
    total = hashlib.sha256(f"{name} {dtype} {list(shape)}".encode())
    for part in rows:
        total.update(part)
    return total.hexdigest()


def combined_digest(digests: Mapping[str, str]) -> str:
    """Combine the digests of all arrays into one, in the order of their names."""
    return hashlib.sha256("".join(f"{name} {digests[name]}\n" for name in sorted(digests)).encode()).hexdigest()


def column_digest(path: str, values: NDArray[Any]) -> str:
    """Return the digest of an array that is in memory."""
    return array_digest(path, type_name(values), values.shape, [row_digests(values)])
