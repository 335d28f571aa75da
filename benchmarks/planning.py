"""What a run plans before and between its tasks, by the number of rows: `python benchmarks/planning.py [ROWS...]`.

A made-up dataset in FaceForensics++'s shape (a real video and five fakes, three compressions, ten rows a file) is
planned as a run plans a real one; no video is decoded and no crop is written. Every step runs in a process of its own,
whose peak of memory is thereby the step's, what it is given included.
"""

import json
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timing

from pipeline import store
from pipeline.config import Recipe, load_recipe
from pipeline.crop import groups
from pipeline.crop.staging import COLUMNS, Part, Source, in_blocks
from pipeline.inspect.info import summary
from pipeline.manifest import REAL, Dataset, Video, load_manifest
from pipeline.stages import blending, labelling, layout
from pipeline.stages.finalize import usable_of
from pipeline.stages.run import Job
from pipeline.store import stored_names

ROWS = (1_000, 10_000, 100_000, 1_000_000)
A_FILE = 10  # rows
METHODS = (REAL, "Deepfakes", "Face2Face", "FaceShifter", "FaceSwap", "NeuralTextures")
LEVELS = ("raw", "c23", "c40")
SPLITS = ("train",) * 7 + ("val", "test", "train")  # of ten people


@dataclass(frozen=True)
class Step:
    """Cost of one step.

    Attributes
    ----------
    step : str
    rows : int
    seconds : float
        Processor time, imports not counted.
    peak : float
        Greatest memory of its process, MiB: the interpreter, its libraries and what the step is given included.
    message : float
        Mean size of the pickled message of a task, kB; 0 for a step that sends none.
    tasks : int
    """

    step: str
    rows: int
    seconds: float
    peak: float
    message: float = 0.0
    tasks: int = 0


def dataset(rows: int) -> Dataset:
    """Return a made-up dataset of `rows / 10` files, groups cut short where the rows ask for it."""
    files = [(method, level) for method in METHODS for level in LEVELS]
    videos = []
    for number in range(rows // A_FILE):
        group, place = divmod(number, len(files))
        method, level = files[place]
        name, other = f"{group:06d}", f"{group + 1:06d}"
        own = name if method == REAL else f"{name}_{other}"
        path = f"{method}/{level}/videos/{own}.mp4"
        split, donor = SPLITS[group % len(SPLITS)], "" if method == REAL else other
        videos.append(Video(own, path, method, level, split, name, name, donor))
    return Dataset("made_up", Path("made_up"), tuple(videos), load_manifest("ffpp"))


def parts(made_up: Dataset) -> list[Part]:
    """Return what a run has staged when all faces are found: faces that differ from person to person and in pose."""
    mean = np.random.default_rng(0).uniform(64, 192, (68, 2)).astype(np.float32)
    return in_blocks(_part(group, mean) for group in groups.groups(made_up))


def _part(group: groups.Group, mean: np.ndarray[Any, Any]) -> Part:
    rng = np.random.default_rng(group.number)
    videos = len(group.videos)
    features = np.repeat(rng.normal(0, 3, (17, 2)), 4, axis=0)  # neighbouring landmarks vary together
    person = mean + features + rng.normal(0, 0.5, mean.shape)
    turns = rng.normal(0, 0.06, (A_FILE, 2, 2)) + np.eye(2)
    frames = (person - 128) @ turns + 128 + rng.normal(0, 3, (A_FILE, 1, 2)) + rng.normal(0, 0.7, (A_FILE, *mean.shape))
    rows = videos * A_FILE
    values = {
        "video": np.repeat(np.arange(videos), A_FILE),
        "frame": np.tile(np.arange(A_FILE) * 30, videos),
        "offset": np.arange(rows),
        "landmarks": np.tile(frames, (videos, 1, 1)),
    }
    columns = {
        name: np.asarray(values.get(name, np.zeros((rows, *shape))), kind) for name, (kind, shape) in COLUMNS.items()
    }
    sources = tuple(Source(video, 300, 1280, 720, f"{hash(video.path) & (2**64 - 1):064x}") for video in group.videos)
    return Part(sources, (), columns)


def lay_out(rows: int, location: str) -> None:
    """Make the store of a made-up dataset: all columns, no crop."""
    made_up = dataset(rows)
    recipe = load_recipe("bigarts")
    job = Job(made_up, recipe, location, known_sizes={})
    settings = json.loads(json.dumps(job.settings()))
    found = parts(made_up)
    table = layout.lay_out(location, made_up, settings, recipe.chunking, found, {})
    group = store.open_group(location, "r+")
    store.write_column(group, "label", table.columns["method"] != 0)
    group.attrs.update({"complete": True, "counts": {}, "digests": {}})


def _given(location: str) -> tuple[dict[str, Any], Any, Recipe]:
    group = store.open_group(location)
    return store.read_columns(group), group, load_recipe("bigarts")


def _groups(rows: int, _: str) -> Iterator[tuple[float, int]]:
    made_up = dataset(rows)
    yield 0.0, 0
    found = groups.groups(made_up)
    yield _size(found[:100]), len(found)


def _rows(rows: int, _: str) -> Iterator[tuple[float, int]]:
    made_up = dataset(rows)
    found = parts(made_up)
    yield 0.0, 0
    layout.tables(made_up, found)
    yield 0.0, 0


def _open(_: int, location: str) -> Iterator[tuple[float, int]]:
    yield 0.0, 0
    _given(location)
    yield 0.0, 0


def _info(_: int, location: str) -> Iterator[tuple[float, int]]:
    yield 0.0, 0
    summary(location)
    yield 0.0, 0


def _labels(rows: int, location: str) -> Iterator[tuple[float, int]]:
    columns, group, recipe = _given(location)
    names = stored_names(group)
    yield 0.0, 0
    table = labelling.rows_of(columns, names)
    step = recipe.chunking.shard
    sizes = []
    for low in range(0, rows, step):  # a run makes a task when it is given out
        span = low, min(low + step, rows)
        task = labelling.LabelTask((), span, table.take(*span), recipe.labelling, recipe.cropping, Path())
        sizes.append(len(pickle.dumps(task)))
    yield sum(sizes) / len(sizes) / 1000, len(sizes)


def _blends(_: int, location: str) -> Iterator[tuple[float, int]]:
    columns, _, recipe = _given(location)
    yield 0.0, 0
    blending.plan(columns, usable_of(columns, None), recipe)
    yield 0.0, 0


def _epoch(_: int, location: str) -> Iterator[tuple[float, int]]:
    from models.data.row_table import Choice, choose
    from models.data.sampler import batches
    from models.data.store_reader import columns_of
    from models.detectors.spec import Epoch

    yield 0.0, 0
    found = batches(choose([columns_of(location)], Choice("train")), Epoch(), 32, [0])
    yield 0.0, len(found)


STEPS: dict[str, Callable[[int, str], Iterator[tuple[float, int]]]] = {
    "groups of files": _groups,
    "table of rows": _rows,
    "columns of a store": _open,
    "`info`": _info,
    "tasks of labels": _labels,
    "plan of blends": _blends,
    "batches of an epoch": _epoch,
}


def _size(messages: list[Any]) -> float:
    """Return the mean size of pickled messages, kB."""
    return sum(len(pickle.dumps(each)) for each in messages) / max(1, len(messages)) / 1000


def measure(name: str, rows: int, location: str) -> Step:
    """Do one step in this process; what is before its first `yield` is not timed."""
    step = STEPS[name](rows, location)
    next(step)
    start = time.process_time()
    message, tasks = next(step)
    seconds = time.process_time() - start
    return Step(name, rows, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, message, tasks)


def rows(numbers: tuple[int, ...] = ROWS) -> list[Step]:
    """Return the cost of every step at several sizes, and print it."""
    found = []
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            location = f"{folder}/made_up.zarr"
            _alone("store", number, location)
            for name in STEPS:
                found.append(Step(**json.loads(_alone(name, number, location))))
                line = "{rows:9} {step:22} {seconds:8.2f} s {peak:6.0f} MiB {message:8.1f} kB"
                timing.say(line.format(**asdict(found[-1])))
    return found


def _alone(*arguments: object) -> str:
    """Do one step in a process of its own and return what it prints."""
    command = [sys.executable, __file__, "--step", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Measure what is asked for, or one step of it."""
    if sys.argv[1:2] != ["--step"]:
        timing.save("planning", rows(tuple(map(int, sys.argv[1:])) or ROWS))
        return
    _, _, name, number, location = sys.argv
    if name == "store":
        lay_out(int(number), location)
    else:
        timing.say(json.dumps(asdict(measure(name, int(number), location))))


if __name__ == "__main__":
    main()
