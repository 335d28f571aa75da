import json

import av
import cv2
import numpy as np
import pytest
from places import REAL_DATA, needs_real_data

from pipeline.errors import ConfigError
from pipeline.sample import make_sample
from pipeline.sample.actor import perform, track
from pipeline.sample.camera import Filmed, film
from pipeline.sample.footage import LONG_SIDE, Clip, Still, load_still, survey_clip, survey_still
from pipeline.sample.layout import shuffled
from pipeline.video.encode import write_video

FRAMES = 18


def read(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two clips with a face, the first beginning without one, and one clip without any."""
    folder = tmp_path_factory.mktemp("clips")
    one, other = perform(2, FRAMES, 5).frames, perform(6, FRAMES, 5).frames
    empty = [np.full_like(one[0], 90)] * 3
    write_video(folder / "a.mp4", [*empty, *one], fps=25, crf=10)
    write_video(folder / "b.mp4", other, fps=25, crf=10)
    write_video(folder / "nobody.mp4", [np.full_like(one[0], 90)] * 20, fps=25, crf=10)
    (folder / "text.mp4").write_text("not a video")
    (folder / "notes.txt").write_text("not looked at")
    return folder


def test_landmarks_are_found_where_they_are(clips):
    clip = survey_clip(clips / "a.mp4")
    assert isinstance(clip, Clip)
    assert clip.indexes == tuple(range(3, 3 + FRAMES))
    truth = track(2, FRAMES, 5)
    assert np.linalg.norm(clip.landmarks - truth, axis=2).mean() < 8  # pixels, of a face of 150


@pytest.mark.slow
def test_own_clips_become_a_dataset(clips, tmp_path):
    root = tmp_path / "own"
    summary = make_sample(root, videos=clips)
    assert (summary.identities, summary.fakes) == (2, 8)
    assert [sentence.split()[0] for sentence in summary.left_out if "nobody" in sentence] == ["nobody.mp4"]
    assert any("text.mp4" in sentence for sentence in summary.left_out)
    assert json.loads((root / "splits" / "train.json").read_text()) == [["000", "001"]]
    real = read(root / "original_sequences/youtube/raw/videos/000.mp4")
    assert len(real) == FRAMES
    which = json.loads((root / "sample.json").read_text())["summary"]["clips"]
    assert sorted(which.values()) == ["a.mp4", "b.mp4"]
    assert np.abs(real.astype(float) - read(clips / which["000"])[-FRAMES:]).mean() < 2  # grey levels: it is that clip
    for method in ("Warp", "Patch", "Expression", "Rerender"):
        fake = read(root / f"manipulated_sequences/{method}/raw/videos/000_001.mp4")
        mask = read(root / f"manipulated_sequences/{method}/masks/videos/000_001.mp4")[..., 0]
        changed = (fake != real).any(axis=3)
        assert not changed[mask == 0].any()
        assert changed[mask == 255].mean() > 0.9
        assert (mask == 255).any(axis=(1, 2)).all()
    assert make_sample(root, videos=clips).written == 0


@pytest.fixture(scope="module")
def portraits(tmp_path_factory):
    """Four small portraits, and a picture without a face."""
    folder = tmp_path_factory.mktemp("portraits")
    for number in range(4):
        picture = cv2.resize(perform(number, 1, 3).frames[0], (160, 160), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{number}.png"), picture[..., ::-1])
    cv2.imwrite(str(folder / "wall.png"), np.full((160, 160, 3), 120, np.uint8))
    return folder


def test_portraits_become_clips(portraits):
    still = survey_still(portraits / "2.png")
    clip, same, other = film(Filmed(still, 0, 1)), film(Filmed(still, 0, 1), [3, 7]), film(Filmed(still, 1, 1))
    assert np.array_equal(clip.frames[[3, 7]], same.frames)
    assert np.array_equal(clip.landmarks[[3, 7]], same.landmarks)
    assert not np.array_equal(clip.frames, other.frames)
    picture, points = load_still(still)
    for place in (0, 10, 20):
        back = cv2.estimateAffine2D(clip.landmarks[place], points)[0]
        assert np.allclose(clip.landmarks[place] @ back[:, :2].T + back[:, 2], points, atol=1e-6)  # moved as one
        upright = cv2.warpAffine(clip.frames[place], back, picture.shape[1::-1])
        inside = np.s_[30:-30, 30:-30]
        assert np.abs(upright[inside].astype(float) - picture[inside]).mean() < 6  # grey levels: light and noise


@pytest.mark.slow
def test_portraits_alone_become_a_dataset(portraits, tmp_path):
    root = tmp_path / "people"
    summary = make_sample(root, portraits=portraits, donors=2)
    assert summary.identities == 4
    assert [sentence.split()[0] for sentence in summary.left_out] == ["wall.png"]
    pairs = json.loads((root / "splits" / "train.json").read_text())
    assert len(pairs) == 4
    assert summary.fakes == 4 * 2 * 4  # methods, both ways of a pair, pairs
    fakes = {path.stem for path in (root / "manipulated_sequences/Warp/c23/videos").iterdir()}
    assert fakes == {f"{a}_{b}" for one in pairs for a, b in (one, one[::-1])}
    assert make_sample(root, portraits=portraits, donors=2).written == 0
    with pytest.raises(ConfigError, match="donors"):
        make_sample(root, portraits=portraits)


def test_clips_come_in_an_order_of_the_seed_alone():
    clips = list(range(12))
    orders = {seed: shuffled(clips, seed) for seed in range(5)}
    assert all(sorted(order) == clips for order in orders.values())
    assert orders == {seed: shuffled(clips, seed) for seed in range(5)}
    assert len({*map(tuple, orders.values()), tuple(clips)}) == 6


def test_one_face_is_not_enough(clips, tmp_path):
    folder = tmp_path / "few"
    folder.mkdir()
    (folder / "b.mp4").write_bytes((clips / "b.mp4").read_bytes())
    (folder / "text.mp4").write_text("not a video")
    with pytest.raises(ConfigError, match=r"two clips .* there is one\. .*text\.mp4"):
        make_sample(tmp_path / "own", videos=folder)
    assert not (tmp_path / "own").exists()  # free for another try


@pytest.mark.slow
@needs_real_data
def test_real_clips_and_portraits():
    nobody = survey_clip(REAL_DATA / "clips" / "no_face.mp4")
    assert isinstance(nobody, str)
    assert "no_face.mp4" in nobody
    talking = survey_clip(REAL_DATA / "clips" / "talking_1.mp4")
    assert isinstance(talking, Clip)
    assert len(talking.indexes) == 100
    assert max(talking.size) <= LONG_SIDE
    steps = np.linalg.norm(np.diff(talking.landmarks, axis=0), axis=2)
    assert np.median(steps) < 2
    stills = [survey_still(path) for path in sorted((REAL_DATA / "portraits").glob("*.jpg"))[:4]]
    assert all(isinstance(still, Still) for still in stills)
