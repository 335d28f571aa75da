"""SHA-256 of a dataset's files."""

import hashlib
from pathlib import Path

from pipeline.video import archives


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, or of a folder's files with their names, in the order of the names.

    A folder inside an archive has its archive's.
    """
    path = archives.file_of(path)
    if path.is_dir():
        total = hashlib.sha256()
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            total.update(f"{file.relative_to(path).as_posix()} {sha256(file)}\n".encode())
        return total.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
