"""SHA-256 of a dataset's files."""

import hashlib
from pathlib import Path

from pipeline.video import archives, limits, watch

BLOCK = 1 << 20  # bytes read at once


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, or of a folder's files with their names, in the order of the names.

    A folder inside an archive has its archive's. Raises OSError where it cannot be read.
    """
    path = archives.file_of(path)
    if path.is_dir():
        total = hashlib.sha256()
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            total.update(f"{file.relative_to(path).as_posix()} {sha256(file)}\n".encode())
        return total.hexdigest()
    total = hashlib.sha256()
    with watch.over(path):
        limits.check_regular(path)
        with path.open("rb", buffering=0) as stream:
            while block := stream.read(BLOCK):
                total.update(block)
                watch.alive()
    return total.hexdigest()
