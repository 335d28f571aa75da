"""Everything that only a GPU can show: `python benchmarks/gpu.py STORE PICTURES [--out FOLDER]`, about ten minutes.

1. Reading: rows a second that the store gives to batches, by the number of reading threads.
2. Training: each detector at its paper's size and batch. Steps a second on one batch that never changes, in 32-bit and
   in bfloat16, with kernels in channels-last and in the default layout, compiled or not; the most memory taken; and for
   the first two, steps a second from the store, the two in turn, as a ratio: what reading costs.
3. Detection: frames a second through MTCNN, on one CPU thread and on the device by the number of frames at once, with
   the overlap (intersection over union) of each face's box with the CPU's.

STORE needs every label, blends and the compressions c23 and c40; a small one will do: its rows are repeated. PICTURES
is a folder of frames, of one size or of several. Every figure goes to FOLDER/gpu.csv as soon as it is known. Without a
GPU the same script runs with `--device cpu --size 64 --batch 4 --steps 2`, which shows that it works.
"""

import argparse
import csv
import dataclasses
import gc
import itertools
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from models.data import augment, collate, sampler
from models.data.loader import THREADS, Loaded, ahead
from models.detectors import DETECTORS
from models.detectors.base import Detector
from models.runtime import devices
from models.runtime.log import Log
from models.training.loop import update
from models.training.optimisation import start_phase
from models.training.setup import Data, Job, prepare
from models.training.state import Run, State
from pipeline.faces import mtcnn
from pipeline.faces.detected import Detected
from pipeline.faces.tracks import overlaps
from pipeline.progress import Silent

ROUNDS = 3
WARM = 5  # steps before the clock starts
BATCHES = 8  # an epoch has at least as many
AT_ONCE = {"cpu": (1, 4), "cuda": (1, 4, 16, 64)}  # frames


@dataclass(frozen=True)
class Variant:
    """A way to run a step."""

    name: str
    precision: str = "32"
    channels_last: bool = True
    compiled: bool = False
    reading: bool = False  # compared with the store


VARIANTS = (
    Variant("fp32", reading=True),
    Variant("bf16", "bf16", reading=True),
    Variant("fp32, default layout", channels_last=False),
    Variant("bf16, default layout", "bf16", channels_last=False),
    Variant("bf16, compiled", "bf16", compiled=True),
)


class Figures:
    """Figures, printed and written as they come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("what,variant,figure,value\n")

    def add(self, what: str, variant: str, **figures: float) -> None:
        """Keep some figures of one thing."""
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerows([what, variant, name, f"{value:.4g}"] for name, value in figures.items())
        shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {what:<32}{variant:<24}{shown}\n")
        sys.stdout.flush()


def reading(data: Data, figures: Figures, rows: int) -> None:
    """Time batches in memory, without a step."""
    for threads in (1, 2, 4, 8, 16):
        batches = _epochs(data)
        wanted = [next(batches) for _ in range(max(4, rows // data.plan.batch))]
        rates = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for _loaded in ahead(wanted, lambda some: data.loading.load(data.train, some), threads):
                pass
            rates.append(len(wanted) * data.plan.batch / (time.perf_counter() - start))
        maps = ", ".join(("image", *data.plan.maps, *(["twin"] if data.plan.twin else [])))
        figures.add("reading", f"{threads} threads: {maps}", rows_a_second=statistics.median(rates))


def training(job: Job, variant: Variant, figures: Figures, steps: int) -> None:
    """Time one detector's steps."""
    fabric = devices.start(job.device, variant.precision)
    data = _repeated(prepare(job, fabric))
    plan, device = data.plan, fabric.device
    network = job.detector.build(job.settings, False)
    network = devices.settle(fabric, network) if variant.channels_last else network.to(device)
    if variant.compiled:
        network.compile()
    run = Run(job, data, fabric, network, State(phase=len(plan.phases) - 1), Log(Path(), ()), {}, Silent())
    run.optimisers = start_phase(network, run.phase)
    rows = _epochs(data)

    def load(some: np.ndarray) -> Loaded:
        return data.loading.load(data.train, some)

    def take(batches: Iterator[Loaded]) -> None:
        for number, loaded in enumerate(batches):
            ready = collate.to_device(loaded, plan.size, device)
            draws = augment.draw(plan.augmentations, len(loaded), [number])
            update(run, augment.augment(ready, plan.augmentations, draws))
        _finish(device)

    same = load(next(rows))
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    take(itertools.repeat(same, WARM))
    figures.add(job.detector.name, variant.name, batch=plan.batch, size=plan.size, warm_s=time.perf_counter() - start)
    still, moving = [], []
    for _ in range(ROUNDS):
        still.append(_rate(steps, lambda: take(itertools.repeat(same, steps))))
        if variant.reading:
            moving.append(_rate(steps, lambda: take(ahead(itertools.islice(rows, steps), load, THREADS))))
    found = {"steps_a_second": statistics.median(still), "rows_a_second": plan.batch * statistics.median(still)}
    if moving:
        found["from_store"] = statistics.median(moving)
        found["ratio"] = statistics.median(one / other for one, other in zip(moving, still, strict=True))
    if device.type == "cuda":
        found["peak_GB"] = torch.cuda.max_memory_allocated() / 1e9
    figures.add(job.detector.name, variant.name, **found)


def detection(pictures: Path, device: str, figures: Figures) -> None:
    """Time MTCNN, and compare the boxes."""
    paths = sorted(path for path in pictures.iterdir() if path.suffix in (".png", ".jpg"))
    frames = [cv2.imread(str(path))[..., ::-1].copy() for path in paths]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    start = time.perf_counter()
    expected = [mtcnn.detect(frame) for frame in frames]
    rate = len(frames) / (time.perf_counter() - start)
    figures.add("MTCNN, whole frames", "CPU, 1 thread", frames_a_second=rate)
    torch.set_num_threads(threads)
    for count in AT_ONCE[device]:
        searches = [mtcnn.Search(frame) for frame in itertools.islice(itertools.cycle(frames), count)]
        found = mtcnn.detect_many(searches, device=device)
        times = [_rate(count, lambda searches=searches: mtcnn.detect_many(searches, device=device)) for _ in range(5)]
        shared, lost, more = _agreement(found, list(itertools.islice(itertools.cycle(expected), count)))
        figures.add(
            "MTCNN, whole frames", f"{device}, {count} at once", frames_a_second=statistics.median(times),
            least_overlap=min(shared, default=0.0), lost=lost, more=more,
        )  # fmt: skip
        around = [_around(search.frame, faces) for search, faces in zip(searches, found, strict=True) if faces]
        if not around:
            continue
        mtcnn.detect_many(around, device=device)
        times = [_rate(len(around), lambda around=around: mtcnn.detect_many(around, device=device)) for _ in range(5)]
        figures.add(
            "MTCNN, around the last face", f"{device}, {count} at once", frames_a_second=statistics.median(times)
        )


def _around(frame: np.ndarray, faces: list[Detected]) -> mtcnn.Search:
    left, top, right, bottom = faces[0].box.tolist()
    side, height, width = max(right - left, bottom - top), *frame.shape[:2]
    x, y = (left + right) / 2, (top + bottom) / 2
    region = (
        max(x - 1.25 * side, 0.0),
        max(y - 1.25 * side, 0.0),
        min(x + 1.25 * side, width),
        min(y + 1.25 * side, height),
    )
    return mtcnn.Search(frame, region, side)


def _agreement(found: list[list[Detected]], expected: list[list[Detected]]) -> tuple[list[float], int, int]:
    """Return each face's overlap with the CPU's, and how many faces are missing or new."""
    shared, lost, more = [], 0, 0
    for ours, theirs in zip(found, expected, strict=True):
        lost, more = lost + max(0, len(theirs) - len(ours)), more + max(0, len(ours) - len(theirs))
        if ours and theirs:
            every = overlaps(np.stack([face.box for face in theirs]), np.stack([face.box for face in ours]))
            shared += every.max(1).tolist()
    return shared, lost, more


def _repeated(data: Data) -> Data:
    """Repeat the rows of training until an epoch has some batches."""
    times = -(-BATCHES * data.plan.batch // len(data.train))
    return dataclasses.replace(data, train=data.train.take(np.tile(np.arange(len(data.train)), times)))


def _epochs(data: Data) -> Iterator[np.ndarray]:
    plan = data.plan
    return itertools.chain.from_iterable(
        sampler.batches(data.train, plan.epoch, plan.batch, [epoch]) for epoch in itertools.count()
    )


def _rate(count: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _job(detector: Detector, asked: argparse.Namespace) -> Job:
    changes = [f"{key}={value}" for key in ("size", "batch") if (value := getattr(asked, key))]
    more = {"locate": ["two_steps=off"]}.get(detector.name, [])
    settings = detector.parse([*changes, *more])
    return Job((asked.store,), detector, settings, Path(), device=asked.device, pretrained=False)


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("store")
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", type=int, help="side of the input, pixels (default: the papers')")
    parser.add_argument("--batch", type=int, help="rows of a batch (default: the papers')")
    parser.add_argument("--steps", type=int, default=20, help="of a round")
    parser.add_argument("--parts", default="reading,detection,training")
    parser.add_argument("--variants", default=",".join(str(number) for number in range(len(VARIANTS))))
    asked = parser.parse_args()
    figures = Figures(asked.out / "gpu.csv")
    card = torch.cuda.get_device_name() if asked.device == "cuda" else platform.processor() or "CPU"
    sys.stdout.write(f"{card}, torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    if "reading" in asked.parts:
        for name in ("grnet", "locate"):
            job = _job(DETECTORS[name], asked)
            reading(_repeated(prepare(job, devices.start(asked.device))), figures, 2048 if not asked.batch else 16)
    if "detection" in asked.parts:
        detection(asked.pictures, asked.device, figures)
    for number in asked.variants.split(",") if "training" in asked.parts else ():
        for detector in DETECTORS.values():
            try:
                training(_job(detector, asked), VARIANTS[int(number)], figures, asked.steps)
            except Exception as error:  # noqa: BLE001 - the others are still worth measuring
                sys.stdout.write(f"{detector.name}, {VARIANTS[int(number)].name}: {error}\n")
            gc.collect()


if __name__ == "__main__":
    main()
