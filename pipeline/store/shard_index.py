"""The index at the end of a shard: offset and length of each of its chunks, then a checksum. Pure bytes, no I/O."""

import numpy as np

ENTRY, CHECKSUM = 16, 4  # bytes: two numbers a chunk; CRC-32C of them all
ABSENT = np.iinfo(np.uint64).max  # both numbers of a chunk that is not there


def size(chunks: int) -> int:
    """Return the length in bytes of the index of a shard of so many chunks."""
    return chunks * ENTRY + CHECKSUM


def fills(tail: bytes, file_size: int, chunks: int, rows: int) -> bool:
    """Tell whether a shard has one chunk for each of its rows, and these fill its file up to the index.

    Parameters
    ----------
    tail : bytes
        The last `size(chunks)` bytes of the file.
    file_size : int
        Bytes.
    chunks, rows : int
        Chunks in a shard, and how many of them this one holds: the last shard of an array may have fewer rows.
    """
    if len(tail) != size(chunks):
        return False
    index = np.frombuffer(tail[:-CHECKSUM], "<u8").reshape(chunks, 2)
    offsets, lengths = index[:rows].T
    ordered = np.argsort(offsets)
    starts, ends = offsets[ordered], (offsets + lengths)[ordered]
    return bool(
        (index[rows:] == ABSENT).all()
        and (lengths > 0).all()
        and (starts == np.concatenate([[0], ends[:-1]])).all()
        and int(ends[-1]) + len(tail) == file_size
    )
