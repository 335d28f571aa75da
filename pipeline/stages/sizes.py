"""Sizes of a dataset's files: by them a changed dataset is noticed."""

from pathlib import Path

from pipeline.crop.record import Sizes
from pipeline.manifest import Dataset
from pipeline.video import archives


def of_dataset(dataset: Dataset) -> Sizes:
    """Return the sizes of a dataset's videos and masks, by their paths."""
    paths = {path for video in dataset.videos for path in (video.path, video.mask) if path}
    return {path: size_of(dataset.root / path) for path in sorted(paths)}


def size_of(path: Path) -> tuple[int, ...]:
    """Return a file's bytes, or how many entries a folder has; empty where nothing can be read."""
    path = archives.file_of(path)
    try:
        return (sum(1 for _ in path.iterdir()) if path.is_dir() else path.stat().st_size,)
    except OSError:
        return ()
