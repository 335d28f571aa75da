"""Plans: frames, faces and files are decided before the first crop; what is no pair is refused after it."""

import dataclasses

import numpy as np
import pytest

from pipeline.config import Counts, Detection, Recipe, Sampling
from pipeline.crop import plan as planning
from pipeline.crop.pairs import Pairs
from pipeline.crop.plan import Faces, Plan, Take, plan
from pipeline.crop.reading import Context
from pipeline.crop.staging import Row, Source
from pipeline.crop.versions import Cropped, RealFrames
from pipeline.errors import DecodeError
from pipeline.faces.tracks import Track
from pipeline.manifest import REAL, Video
from pipeline.video.frames import Probe

FRAMES = {"real/raw": 40, "real/c23": 38, "fake/raw": 40, "fake/c23": 5}
COUNTS = Sampling(real=Counts(8, 8, 8), fake=Counts(4, 4, 4))


def video(name, method=REAL):
    return Video("a" if method == REAL else "a_b", name, method, name.partition("/")[2], "train", "a", "a")


REALS = (video("real/raw"), video("real/c23"))
FAKES = ((video("fake/raw", "Swap"), video("fake/c23", "Swap")),)


@pytest.fixture
def context(monkeypatch, tmp_path):
    """Return the settings of a task over files that only say how long they are."""
    for name in FRAMES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def probe(path):
        name = path.relative_to(tmp_path).as_posix()
        if name not in FRAMES:
            raise DecodeError(f"{path} is no video.")
        return Probe(frames=FRAMES[name], width=64, height=48)

    monkeypatch.setattr(planning.frames, "probe", probe)
    monkeypatch.setattr(planning.checksum, "sha256", lambda path: path.name)
    return Context(tmp_path, dataclasses.replace(Recipe(), sampling=COUNTS), cropped=True)


def test_frames_are_chosen_once_and_a_fake_takes_a_part_of_them(context):
    found, rejects = plan(REALS, FAKES, context)
    assert rejects == ()
    assert [source.video for source in found.sources] == [*REALS, *FAKES[0]]
    assert len(found.main.frames) == 8
    assert found.main.frames.max() == 37, "the shorter compression decides"
    (fake,) = found.fakes
    assert len(fake.frames) == 4
    assert set(fake.frames) <= set(found.main.frames)
    assert fake.tracks == found.main.tracks == (0,)


def test_a_fake_needs_a_readable_real_of_its_compression(context, monkeypatch):
    monkeypatch.delitem(FRAMES, "real/c23")
    found, rejects = plan(REALS, FAKES, context)
    assert [(reject.video.path, reject.stage, reject.rows) for reject in rejects] == [
        ("real/c23", "probe", 8),
        ("fake/c23", "pair", 4),
    ]
    assert [source.video.compression for source in found.fakes[0].sources] == ["raw"]


def test_without_any_readable_real_nothing_is_planned(context, monkeypatch):
    for name in ("real/raw", "real/c23"):
        monkeypatch.delitem(FRAMES, name)
    found, rejects = plan(REALS, FAKES, context)
    assert found is None
    assert [(reject.video.path, reject.stage) for reject in rejects] == [
        ("real/raw", "probe"), ("real/c23", "probe"), ("fake/raw", "pair"), ("fake/c23", "pair"),
    ]  # fmt: skip


def test_a_fake_without_a_real_is_the_main_video(context):
    found, rejects = plan((), FAKES, context)
    assert (found.fakes, rejects) == ((), ())
    assert [source.video for source in found.main.sources] == list(FAKES[0])


@pytest.mark.parametrize(("scores", "kept"), [((0.9, 0.9, 0.1), 3), ((0.9, 0.1, 0.1), 0)])
def test_the_median_background_decides_for_all_rows_of_a_fake(tmp_path, scores, kept):
    context = Context(tmp_path, Recipe())
    source = Source(video("fake/raw", "Swap"), 9, 64, 48, "")
    frames = np.arange(3)
    track = Track(frames, np.zeros((3, 4), np.float32), np.ones(3, np.float32))
    take = Take((source,), frames, (0,))
    planned = Plan((source,), Faces(frames, (track,), 64, 48, {}), take, (take,))
    box, points = np.array([0, 0, 48, 48], np.float32), np.zeros((68, 2), np.float32)
    rows = tuple(Row(0, frame, 0, frame, box, 1.0, score, points) for frame, score in enumerate(scores))
    nothing = RealFrames({}, {})
    unregistered = dataclasses.replace(context, recipe=Recipe(detection=Detection(registration="off")))
    judged = Pairs(planned, unregistered, nothing).judge(Cropped(rows, ()), nothing, take)
    assert len(judged.rows) == kept
    assert sum(reject.rows for reject in judged.rejects) == 3 - kept
