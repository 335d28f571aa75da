"""Time training from a store: `python benchmarks/train.py STORE [--device cuda] [--precision bf16] [--size 128]`.

First its rows against the same crops and masks as PNG files behind PyTorch's DataLoader, read from the store row by row
by zarr-python, and as an uncompressed memory map, which is the limit. Then each detector's steps reading the store
against the same steps on one batch that never changes: what reading costs. All by wall clock: threads read.
"""

import argparse
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from timing import Row, Way, compare
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from models.data import augment, collate, sampler
from models.data.loader import THREADS, Loaded, Loading, ahead
from models.data.row_table import Choice, Table, choose
from models.data.store_reader import Reader, open_store
from models.detectors import DETECTORS
from models.detectors.base import Detector
from models.runtime import devices
from models.runtime.log import Log
from models.training.loop import update
from models.training.optimisation import start_phase
from models.training.setup import Job, prepare
from models.training.state import Run, State
from pipeline.errors import ForgeryPrepError
from pipeline.progress import Silent
from pipeline.store import array_of, open_group

ROUNDS = 5
BATCH = 32  # of the comparison with files
FILES = 512  # crops written as files, and read again and again
STEPS = 20  # of a round; several times as many as batches are read ahead
MAP = "mask"


class Files(Dataset[tuple[Tensor, Tensor]]):
    """Crops and masks in a folder of PNG files."""

    def __init__(self, folder: Path, count: int) -> None:
        self.paths = [(str(folder / f"{row}.png"), str(folder / f"{row}_{MAP}.png")) for row in range(count)]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        """Return the crop (H, W, 3) in RGB and its mask (H, W)."""
        image, mask = self.paths[row]
        pixels = cv2.cvtColor(cv2.imread(image, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        return torch.from_numpy(pixels), torch.from_numpy(cv2.imread(mask, cv2.IMREAD_GRAYSCALE))


def write_files(reader: Reader, table: Table, folder: Path) -> np.ndarray:
    """Write some rows' crops and masks, each as a PNG file and all as one array; return the rows."""
    rows = table.row[np.random.default_rng(0).permutation(len(table))[:FILES]]
    for number, row in enumerate(rows):
        image, mask = (reader.gather(name, [row])[0] for name in ("image", MAP))
        cv2.imwrite(str(folder / f"{number}.png"), image[..., ::-1])
        cv2.imwrite(str(folder / f"{number}_{MAP}.png"), mask)
    for name in ("image", MAP):
        np.save(folder / f"{name}.npy", reader.gather(name, rows))
    return rows


def against_files(location: str) -> list[Row]:
    """Compare a store's rows with other ways to keep them."""
    reader = open_store(location)
    table = choose([reader], Choice())
    loading = Loading([reader], (MAP,))
    group = open_group(location)
    arrays = {name: array_of(group, name) for name in ("image", MAP)}
    with tempfile.TemporaryDirectory() as folder:
        rows = write_files(reader, table, Path(folder))
        plain = {name: np.load(Path(folder) / f"{name}.npy", mmap_mode="r") for name in arrays}
        loader = DataLoader(
            Files(Path(folder), len(rows)),
            BATCH,
            shuffle=True,
            num_workers=THREADS,
            drop_last=True,
            persistent_workers=True,
        )
        steps = len(loader)

        def drawn(count: int) -> np.ndarray:
            return np.random.default_rng().permutation(count)[: steps * BATCH].reshape(steps, BATCH)

        def store() -> None:
            for _ in ahead(list(drawn(len(table))), lambda some: loading.load(table, some)):
                pass

        def zarr() -> None:
            for some in drawn(len(rows)):
                for array in arrays.values():
                    np.stack([array[int(row)] for row in rows[some]])

        def memory_map() -> None:
            for some in drawn(len(rows)):
                for values in plain.values():
                    values[some]

        return compare(
            f"{steps} batches of {BATCH} crops with a mask",
            Way("forgery-train's reader", store),
            [
                Way("PNG files, DataLoader with 2 workers", lambda: [None for _ in loader]),
                Way("zarr-python, row by row", zarr),
                Way("memory map, no compression", memory_map),
            ],
            "",
            ROUNDS,
            "wall",
        )


def against_nothing(job: Job) -> list[Row]:
    """Compare a detector's steps with the same steps on a batch that never changes."""
    fabric = devices.start(job.device, job.precision)
    data = prepare(job, fabric)
    plan = data.plan
    network = devices.settle(fabric, job.detector.build(job.settings, False))
    state = State(phase=len(plan.phases) - 1)
    run = Run(job, data, fabric, network, state, Log(Path(), ()), {}, Silent())
    run.optimisers = start_phase(network, run.phase)
    epochs = (sampler.batches(data.train, plan.epoch, plan.batch, [epoch]) for epoch in itertools.count())
    rows = itertools.chain.from_iterable(epochs)

    def load(some: np.ndarray) -> Loaded:
        return data.loading.load(data.train, some)

    def take(batches: Iterator[Loaded]) -> None:
        for number, loaded in enumerate(batches):
            ready = collate.to_device(loaded, plan.size, fabric.device)
            draws = augment.draw(plan.augmentations, len(loaded), [number])
            update(run, augment.augment(ready, plan.augmentations, draws))
        if fabric.device.type == "cuda":
            torch.cuda.synchronize()

    same = load(next(rows))
    return compare(
        f"{job.detector.name}: {STEPS} steps of {plan.batch}, {plan.size} pixels",
        Way("from the store", lambda: take(ahead(itertools.islice(rows, STEPS), load))),
        [Way("one batch that never changes", lambda: take(itertools.repeat(same, STEPS)))],
        "",
        ROUNDS,
        "wall",
    )


def rows(asked: argparse.Namespace) -> list[Row]:
    """Make both comparisons."""
    changes = [f"{key}={value}" for key in ("size", "batch") if (value := getattr(asked, key))]
    found = against_files(asked.store)
    for detector in DETECTORS.values():
        found += against_nothing(_job(detector, changes, asked))
    return found


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("store")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="32")
    parser.add_argument("--size", type=int, help="side of the input, pixels (default: the papers')")
    parser.add_argument("--batch", type=int, help="rows of a batch (default: the papers')")
    return parser.parse_args(words)


def _job(detector: Detector, changes: list[str], asked: argparse.Namespace) -> Job:
    more = ["two_steps=off"] if detector.name == "locate" else []
    settings = detector.parse([*changes, *more])
    return Job(
        (asked.store,), detector, settings, Path(), device=asked.device, precision=asked.precision, pretrained=False
    )


if __name__ == "__main__":
    try:
        rows(arguments())
    except ForgeryPrepError as error:
        raise SystemExit(f"Error: {error}") from None
