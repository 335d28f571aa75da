"""Judgement of cropped fakes: every file by itself."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.config import Detection, Recipe
from pipeline.crop.pairs import Pairs
from pipeline.crop.plan import Faces, Plan, Take
from pipeline.crop.reading import Context
from pipeline.crop.staging import Row, Source
from pipeline.crop.versions import Cropped, RealFrames
from pipeline.manifest import Video

LEVELS = ("raw", "c23", "c40")


def source(level: str, method: str = "swap") -> Source:
    name = "000" if method == "real" else "000_001"
    video = Video(name, f"{method}/{level}/{name}.mp4", method, level, "train", "000", target="000")
    return Source(video, 10, 200, 100, "")


def judged(alignments: dict[str, float], side: float = 50.0) -> Cropped:
    """Judge a fake whose files have so good a background, in three frames each."""
    sources = tuple(source(level) for level in alignments)
    rows = tuple(
        Row(
            number, frame, 0, 0, np.array([0, 0, side, side], np.float32), 1.0, alignment, np.zeros((68, 2), np.float32)
        )
        for number, alignment in enumerate(alignments.values())
        for frame in range(3)
    )
    take = Take(sources, np.arange(3), (0,))
    plan = Plan(sources, Faces(np.arange(3), (), 200, 100, {}), take, (take,))
    nothing = RealFrames({}, {})
    recipe = Recipe(detection=Detection(registration="off"))
    return Pairs(plan, Context(Path(), recipe), nothing).judge(Cropped(rows, ()), nothing, take)


def test_true_pairs_stay_whole():
    kept = judged({"raw": 0.97, "c23": 0.9, "c40": 0.8})
    assert len(kept.rows) == 9
    assert kept.rejects == ()


@pytest.mark.parametrize("wrong", LEVELS)
def test_one_wrong_file_is_refused_and_its_twins_are_not(wrong):
    kept = judged({level: 0.2 if level == wrong else 0.95 for level in LEVELS})
    assert {LEVELS[row.video] for row in kept.rows} == set(LEVELS) - {wrong}
    ((reject),) = kept.rejects
    assert (reject.video.compression, reject.frame, reject.stage, reject.rows) == (wrong, -1, "pair", 3)
    assert reject.reason == "its background does not match 000's: SSIM 0.200, at least 0.5 is needed"


def test_a_fake_of_a_few_pixels_is_no_pair():
    kept = judged({"raw": 0.9}, side=0.5)
    assert kept.rows == ()
    assert kept.rejects[0].reason == "its faces are 0.5 pixels wide, at least 20 are needed"
