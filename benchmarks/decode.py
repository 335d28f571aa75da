"""Time reading sampled frames against what one would write instead: `python benchmarks/decode.py [VIDEO...]`.

Every way reads the same frames of the same file on one thread, in turn, round after round; a row shows the median CPU
seconds and the median, least and greatest of the per-round ratios to the plain OpenCV loop (more than 1 is faster).
Pixels are compared with ours before anything is timed. Without a video, a 1280x720 one is made.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import decord
import numpy as np
from numpy.typing import NDArray
from skimage import data

from pipeline.config import Sampling
from pipeline.video import frames

ROUNDS = 5
COUNTS = (32, 100, 270)
Frame = NDArray[np.uint8]


def opencv_loop(path: Path, wanted: list[int]) -> Iterator[Frame]:
    """Decode and convert every frame, keep the wanted ones."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    keep = set(wanted)
    for index in range(wanted[-1] + 1):
        _, frame = capture.read()
        if index in keep:
            yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))


def opencv_grab(path: Path, wanted: list[int]) -> Iterator[Frame]:
    """Decode every frame, convert the wanted ones."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    keep = set(wanted)
    for index in range(wanted[-1] + 1):
        capture.grab()
        if index in keep:
            yield np.asarray(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))


def decord_at_once(path: Path, wanted: list[int]) -> Iterator[Frame]:
    """Ask decord for everything in one call."""
    yield from decord.VideoReader(str(path), num_threads=1).get_batch(wanted).asnumpy()


def ours(decoder: str) -> Callable[[Path, list[int]], Iterator[Frame]]:
    """Read by this project."""
    return lambda path, wanted: (frame for _, frame in frames.read(path, wanted, decoder))


WAYS: dict[str, Callable[[Path, list[int]], Iterable[Frame]]] = {
    "OpenCV, read all": opencv_loop,
    "OpenCV, grab and retrieve": opencv_grab,
    "decord, one call": decord_at_once,
    "ours, decord": ours("decord"),
    "ours, auto": ours("auto"),
}


def made_video(folder: Path, count: int = 500) -> Path:
    """Write a moving, noisy 1280x720 clip."""
    photograph = cv2.resize(data.astronaut(), (1440, 1440), interpolation=cv2.INTER_CUBIC)
    random = np.random.default_rng(0)
    noise = [random.normal(0, 2.5, (720, 1280, 3)).astype(np.float32) for _ in range(8)]
    path = folder / "made.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.options = {"crf": "23", "preset": "veryfast", "bf": "2"}
        for number in range(count):
            left, top = round(80 + 79 * np.sin(number / 20)), round(300 + 290 * np.cos(number / 33))
            picture = photograph[top : top + 720, left : left + 1280] + noise[number % len(noise)]
            frame = av.VideoFrame.from_ndarray(np.clip(picture, 0, 255).astype(np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def seconds(way: Callable[[Path, list[int]], Iterable[Frame]], path: Path, wanted: list[int]) -> float:
    """Return the CPU time of reading all wanted frames."""
    start = time.process_time()
    for frame in way(path, wanted):
        frame[0, 0, 0] += 0  # touched, as a user of it would
    return time.process_time() - start


def equal(way: Callable[[Path, list[int]], Iterable[Frame]], path: Path, wanted: list[int]) -> bool:
    """Tell whether a way gives the pixels that ours does."""
    few = wanted[:: max(1, len(wanted) // 5)]
    pairs = zip(way(path, few), frames.read(path, few), strict=True)
    return all(np.array_equal(theirs, mine) for theirs, (_, mine) in pairs)


def compare(path: Path, asked: int) -> None:
    """Time every way on one file."""
    probe = frames.probe(path)
    wanted = frames.choose(probe.frames, asked, Sampling(), 0).tolist()
    sys.stdout.write(f"\n{path.name}, {probe.width}x{probe.height}: {len(wanted)} of {probe.frames} frames\n")
    same = {name: equal(way, path, wanted) for name, way in WAYS.items()}
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name, way in WAYS.items():
            times[name].append(seconds(way, path, wanted))
    base = times["OpenCV, read all"]
    for name, taken in times.items():
        ratios = [first / second for first, second in zip(base, taken, strict=True)]
        sys.stdout.write(
            f"{name:28}{statistics.median(taken):8.3f} s  x{statistics.median(ratios):.2f} "
            f"[{min(ratios):.2f}-{max(ratios):.2f}]  {'equal pixels' if same[name] else 'OTHER PIXELS'}\n"
        )


def main() -> None:
    """Compare on the videos named, or on one made here."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        for path in [Path(name) for name in sys.argv[1:]] or [made_video(Path(folder))]:
            for asked in COUNTS:
                compare(path, asked)


if __name__ == "__main__":
    main()
