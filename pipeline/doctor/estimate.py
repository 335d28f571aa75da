"""Estimate of a run's time and disk space on this machine, from two small runs on one of the dataset's own pairs."""

import contextlib
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config import Counts, Recipe
from pipeline.crop import groups
from pipeline.errors import DecodeError, ForgeryPrepError
from pipeline.manifest import REAL, Dataset, Video
from pipeline.progress import Advance, Silent
from pipeline.stages import shards
from pipeline.stages.run import Job, run
from pipeline.store import open_group, read_columns
from pipeline.video import frames, sampling

FEW, MORE = 2, 12  # frames of a video in the two runs
LOOKED_AT = 8  # videos whose lengths stand for all


@dataclass(frozen=True)
class Estimate:
    """A run's size."""

    recipe: str
    workers: int
    samples: int
    bytes: int
    staged: int  # bytes of crops that lie beside the store as well, until all are in it
    seconds: float
    basis: str  # what it rests on


def estimate(dataset: Dataset, recipe: Recipe, workers: int, skip: Collection[str] = ()) -> Estimate | None:
    """Estimate samples, disk and time of a run.

    The time is that of decoding every file once and of treating every sample; both are measured on one real video and
    one fake of it, in a temporary folder.

    Parameters
    ----------
    dataset : Dataset
        What the run would take.
    recipe : Recipe
        Its settings.
    workers : int
        Its processes.
    skip : collection of str
        Paths known to be of no use.

    Returns
    -------
    Estimate or None
        None where no real video with a fake can be read.
    """
    usable = [video for video in dataset.videos if video.path not in skip]
    trial = _trial(usable)
    lengths = _lengths(dataset.root, usable)
    if not trial or not lengths:
        return None
    mean = round(sum(lengths) / len(lengths))
    samples = sum(_samples(video, mean, recipe) for video in usable)
    try:
        decoding = sum(_decode(dataset.root / video.path) for video in trial) / len(trial)
        few, more = (_measure(replace(dataset, videos=tuple(trial)), recipe, count) for count in (FEW, MORE))
    except ForgeryPrepError:
        return None
    if more.rows == few.rows:  # stills have no more frames to take
        few = replace(few, rows=0, bytes=0, seconds=0.0)
    rows = max(more.rows - few.rows, 1)
    each = max(more.seconds - few.seconds, 0.0) / rows
    size = max(more.bytes - few.bytes, 0) // rows
    files = len(usable) + len({video.mask for video in usable if video.mask})
    return Estimate(
        recipe=recipe.name,
        workers=workers,
        samples=samples,
        bytes=samples * size,
        staged=samples * 3 * recipe.cropping.size**2,
        seconds=(files * decoding + samples * each) / workers,
        basis=f"{1000 * each:.0f} ms and {size / 1000:.0f} kB a sample, {decoding:.2f} s to decode {mean} frames",
    )


@dataclass(frozen=True)
class _Measured:
    rows: int
    bytes: int
    seconds: float  # without what a run needs only once: starting processes, loading the detector


class _Stopwatch(Silent):
    """Adds up the time of every stage but the one that loads the detector."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextlib.contextmanager
    def stage(self, title: str, total: int) -> Iterator[Advance]:
        """Time one stage."""
        start = time.perf_counter()
        yield lambda steps, remark: None
        if title != shards.FACES:
            self.seconds += time.perf_counter() - start


def _trial(videos: Sequence[Video]) -> list[Video]:
    """Return a real video and a fake of it, of the same compression; without pairs, one of either class."""
    fakes = [video for video in videos if video.method != REAL]
    reals = {(video.id, video.compression): video for video in videos if video.method == REAL}
    for fake in fakes:
        real = reals.get((fake.target, fake.compression))
        if real:
            return [real, fake]
    return [*list(reals.values())[:1], *fakes[:1]]


def _lengths(root: Path, videos: Sequence[Video]) -> list[int]:
    step = max(1, len(videos) // LOOKED_AT)
    found = []
    for video in videos[::step]:
        try:
            found.append(frames.probe(root / video.path).frames)
        except DecodeError:
            continue
    return found


def _samples(video: Video, frames_of_each: int, recipe: Recipe) -> int:
    wanted = getattr(recipe.sampling.real if video.method == REAL else recipe.sampling.fake, video.split or "train")
    return len(sampling.choose(frames_of_each, wanted, recipe.sampling, 0))


def _decode(path: Path) -> float:
    last = frames.probe(path).frames - 1
    start = time.perf_counter()
    for _ in frames.read(path, [last]):
        pass
    return time.perf_counter() - start


def _measure(dataset: Dataset, recipe: Recipe, count: int) -> _Measured:
    counts = Counts(count, count, count)
    small = replace(recipe, sampling=replace(recipe.sampling, method="even", real=counts, fake=counts))
    with tempfile.TemporaryDirectory(prefix="forgery-prep-") as folder:
        location = f"{folder}/trial.zarr"
        watch = _Stopwatch()
        run(Job(dataset, small, location), workers=1, progress=watch)
        seconds = watch.seconds + _faces(dataset, small, Path(folder))
        rows = len(read_columns(open_group(location))["label"])
        size = sum(file.stat().st_size for file in Path(location).rglob("*") if file.is_file())
    return _Measured(rows, size, seconds)


def _faces(dataset: Dataset, recipe: Recipe, folder: Path) -> float:
    """Return the CPU seconds of finding and cropping the faces, once the detector is loaded."""
    seconds = 0.0
    for attempt in ("loads the detector", "is timed"):
        start = time.process_time()
        for group in groups.groups(dataset):
            groups.index_group(group, dataset.root, recipe, dataset.cropped, folder / attempt)
        seconds = time.process_time() - start
    return seconds
