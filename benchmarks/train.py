"""Time training from a store: `python benchmarks/train.py STORE [--device cuda] [--precision bf16] [--size 128]`.

First its rows against the same crops and masks as PNG files behind PyTorch's DataLoader, which is what one would use
instead: both give shuffled batches in memory by two readers. Then each detector's steps reading the store against the
same steps on one batch that never changes: what reading costs. Both sides of a row are timed in turn, round after
round; the row shows the medians and the median of the per-round ratios with its extremes.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
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


def write_files(reader: Reader, table: Table, folder: Path) -> int:
    """Write some rows' crops and masks; return how many."""
    rows = table.row[np.random.default_rng(0).permutation(len(table))[:FILES]]
    for number, row in enumerate(rows):
        image, mask = (reader.gather(name, [row])[0] for name in ("image", MAP))
        cv2.imwrite(str(folder / f"{number}.png"), image[..., ::-1])
        cv2.imwrite(str(folder / f"{number}_{MAP}.png"), mask)
    return len(rows)


def compare(name: str, units: int, ours: Callable[[], object], theirs: Callable[[], object]) -> None:
    """Time two ways to do the same in turn, and print how many units a second each does."""
    times: list[tuple[float, float]] = []
    ours(), theirs()  # what is done once is done
    for _ in range(ROUNDS):
        first = time.perf_counter()
        ours()
        second = time.perf_counter()
        theirs()
        times.append((second - first, time.perf_counter() - second))
    rates = [units / statistics.median(side) for side in zip(*times, strict=True)]
    ratios = sorted(other / own for own, other in times)
    middle = statistics.median(ratios)
    span = f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
    say(f"{name:<42}{rates[0]:>9.1f}/s{rates[1]:>9.1f}/s{middle:>8.2f}x  {span}")


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def against_files(location: str) -> None:
    """Compare a store's rows with PNG files."""
    reader = open_store(location)
    table = choose([reader], Choice())
    loading = Loading([reader], (MAP,))
    with tempfile.TemporaryDirectory() as folder:
        count = write_files(reader, table, Path(folder))
        loader = DataLoader(
            Files(Path(folder), count),
            BATCH,
            shuffle=True,
            num_workers=THREADS,
            drop_last=True,
            persistent_workers=True,
        )
        steps = len(loader)

        def store() -> None:
            rows = np.random.default_rng().permutation(len(table))[: steps * BATCH].reshape(steps, BATCH)
            for _ in ahead(list(rows), lambda some: loading.load(table, some)):
                pass

        compare("rows of the store; PNG files", steps * BATCH, store, lambda: [None for _ in loader])


def against_nothing(job: Job) -> None:
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
    name = f"{job.detector.name}, {plan.batch} of {plan.size} pixels; no reading"
    compare(
        name,
        STEPS * plan.batch,
        lambda: take(ahead(itertools.islice(rows, STEPS), load)),  # opened anew: nothing is read in the other's time
        lambda: take(itertools.repeat(same, STEPS)),
    )


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("store")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="32")
    parser.add_argument("--size", type=int, help="side of the input, pixels (default: the papers')")
    parser.add_argument("--batch", type=int, help="rows of a batch (default: the papers')")
    asked = parser.parse_args()
    changes = [f"{key}={value}" for key in ("size", "batch") if (value := getattr(asked, key))]
    say(f"{'ours; instead':<42}{'ours':>11}{'instead':>11}{'ratio':>9}")
    against_files(asked.store)
    for detector in DETECTORS.values():
        against_nothing(_job(detector, changes, asked))


def _job(detector: Detector, changes: list[str], asked: argparse.Namespace) -> Job:
    more = ["two_steps=off"] if detector.name == "locate" else []
    settings = detector.parse([*changes, *more])
    return Job(
        (asked.store,), detector, settings, Path(), device=asked.device, precision=asked.precision, pretrained=False
    )


if __name__ == "__main__":
    try:
        main()
    except ForgeryPrepError as error:
        raise SystemExit(f"Error: {error}") from None
