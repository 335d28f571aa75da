"""Run the benchmarks that need no GPU, write docs/benchmarks.md: `python benchmarks/everything.py STORE [NAME...]`.

NAME is one of codecs, labels, decode, detect, train, planning and whole; all of them by default, about half an hour
on two cores. VIDEOS in the environment names clips with faces for decode and detect; without, a clip of the sample is
taken. ROOT names the dataset of `whole` (`data/sample`), SIZE and BATCH the input of `train`, which on a CPU is not
the papers'.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import codecs_of_stores
import decode
import detect
import labels
import page
import planning
import timing
import train
import whole

ROOT = Path(os.environ.get("ROOT", "data/sample"))
CLIP = ROOT / "original_sequences/youtube/c23/videos/000.mp4"
VIDEOS = [Path(name) for name in os.environ.get("VIDEOS", "").split()]


def _train(store: str) -> list[timing.Row]:
    small = ["--size", os.environ.get("SIZE", "96"), "--batch", os.environ.get("BATCH", "8")]
    return train.rows(train.arguments([store, "--device", "cpu", *small]))


BENCHMARKS: dict[str, Callable[[str], Sequence[Any]]] = {
    "codecs": codecs_of_stores.rows,
    "labels": lambda _: labels.rows(),
    "decode": lambda _: decode.rows(VIDEOS),
    "detect": lambda _: detect.rows(VIDEOS or [CLIP]),
    "train": _train,
    "planning": lambda _: planning.rows(),
    "whole": lambda _: whole.rows(ROOT, int(os.environ.get("FRAMES", "12"))),
}


def main() -> None:
    """Run what is asked for."""
    if len(sys.argv) < 2 or set(sys.argv[2:]) - set(BENCHMARKS):
        sys.exit(f"everything.py STORE [NAME...], where NAME is one of {', '.join(BENCHMARKS)}.")
    for name in sys.argv[2:] or BENCHMARKS:
        timing.say(f"\n{name}")
        timing.save(name, BENCHMARKS[name](sys.argv[1]))
        page.write()


if __name__ == "__main__":
    main()
