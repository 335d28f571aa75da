"""Time reading sampled frames against what one would write instead: `python benchmarks/decode.py [VIDEO...]`.

Every way reads the same frames of the same file on one thread. Bare decoding converts no frame: nothing can be faster
on the same decoder. Without a video, a 1280x720 one is made.
"""

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import decord
import numpy as np
from numpy.typing import NDArray
from skimage import data
from timing import Row, Way, compare

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


def bare(path: Path, wanted: list[int]) -> Iterator[Frame]:
    """Decode up to the last wanted frame and convert none."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for number, _ in enumerate(container.decode(stream)):
            if number == wanted[-1]:
                return
    yield from ()


RIVALS: dict[str, Callable[[Path, list[int]], Iterable[Frame]]] = {
    "bare decoding": bare,
    "OpenCV, read all": opencv_loop,
    "OpenCV, grab and retrieve": opencv_grab,
    "decord, one call": decord_at_once,
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


def read(way: Callable[[Path, list[int]], Iterable[Frame]], path: Path, wanted: list[int]) -> Way:
    """Read all wanted frames and touch each, as a user of them would."""

    def work() -> None:
        for frame in way(path, wanted):
            frame[0, 0, 0] += 0

    return Way(next((name for name, other in RIVALS.items() if other is way), "forgery-prep"), work)


def equal(name: str, path: Path, wanted: list[int]) -> str:
    """Tell whether a rival gives the pixels that ours does."""
    if name == "bare decoding":
        return "no pixels"
    few = wanted[:: max(1, len(wanted) // 5)]
    pairs = zip(RIVALS[name](path, few), frames.read(path, few), strict=True)
    return "equal pixels" if all(np.array_equal(theirs, mine) for theirs, (_, mine) in pairs) else "OTHER PIXELS"


def rows(paths: Sequence[Path] = ()) -> list[Row]:
    """Compare on some videos, or on one made here."""
    cv2.setNumThreads(1)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for path in paths or [made_video(Path(folder))]:
            probe = frames.probe(path)
            for asked in COUNTS:
                wanted = frames.choose(probe.frames, asked, Sampling(), 0).tolist()
                found += compare(
                    f"{len(wanted)} of {probe.frames} frames of {probe.width}x{probe.height}",
                    read(ours("auto"), path, wanted),
                    [read(way, path, wanted) for way in RIVALS.values()],
                    lambda way, path=path, wanted=wanted: equal(way.name, path, wanted),
                    ROUNDS,
                )
    return found


if __name__ == "__main__":
    rows([Path(name) for name in sys.argv[1:]])
