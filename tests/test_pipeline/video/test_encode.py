import av
import numpy as np
import pytest

from pipeline.errors import WriteError
from pipeline.sample.actor import perform
from pipeline.video.encode import write_video


def moving(count=6, height=64, width=96, seed=0):
    rng = np.random.default_rng(seed)
    still = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return [np.roll(still, 2 * i, axis=1) for i in range(count)]


def decoded(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_black_and_white_survive_exactly(tmp_path):
    masks = [np.where(frame[..., :1] > 127, 255, 0).astype(np.uint8).repeat(3, axis=2) for frame in moving()]
    assert write_video(tmp_path / "mask.mp4", masks, fps=25, crf=0) == len(masks)
    np.testing.assert_array_equal(decoded(tmp_path / "mask.mp4"), np.stack(masks))


def test_lossless_is_lossless_for_grey(tmp_path):
    ramp = np.arange(256, dtype=np.uint8).reshape(8, 32).repeat(4, axis=0).repeat(4, axis=1)
    frames = [np.roll(ramp, 4 * i, axis=1)[..., None].repeat(3, axis=2) for i in range(4)]
    write_video(tmp_path / "grey.mp4", frames, fps=25, crf=0)
    # 256 grey levels travel as 220 levels of limited range
    assert np.abs(decoded(tmp_path / "grey.mp4").astype(int) - np.stack(frames)).max() <= 1


def test_decord_reads_the_same_pixels(tmp_path):
    decord = pytest.importorskip("decord")
    for crf in (0, 23):
        path = tmp_path / f"{crf}.mp4"
        write_video(path, moving(), fps=25, crf=crf)
        other = decord.VideoReader(str(path), num_threads=1).get_batch(list(range(6))).asnumpy()
        np.testing.assert_array_equal(other, decoded(path))


def test_a_change_of_whole_blocks_stays_in_them(tmp_path):
    real = moving()
    fake = [frame.copy() for frame in real]
    for frame in fake:
        frame[20:40, 30:50] = 255 - frame[20:40, 30:50]
    write_video(tmp_path / "real.mp4", real, fps=25, crf=0)
    write_video(tmp_path / "fake.mp4", fake, fps=25, crf=0)
    changed = (decoded(tmp_path / "real.mp4") != decoded(tmp_path / "fake.mp4")).any(axis=(0, 3))
    inside = np.zeros_like(changed)
    inside[20:40, 30:50] = True
    assert changed[inside].all()
    assert not changed[~inside].any()


def test_more_compression_means_fewer_bytes_and_more_error(tmp_path):
    frames = [np.clip(frame * 0.2 + 100, 0, 255).astype(np.uint8) for frame in moving()]
    sizes, errors = [], []
    for crf in (0, 23, 40):
        path = tmp_path / f"{crf}.mp4"
        write_video(path, frames, fps=25, crf=crf)
        sizes.append(path.stat().st_size)
        errors.append(np.abs(decoded(path).astype(int) - np.stack(frames)).mean())
    assert sizes[0] > sizes[1] > sizes[2]
    assert errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize("crf", [0, 23, 40])
def test_same_frames_same_bytes(tmp_path, crf):
    """Between the calls other things come to lie in the memory that the encoder is given."""
    rng, frames, seen = np.random.default_rng(0), perform(0, 6, 0).frames, set()
    for _ in range(6):
        litter = [rng.integers(0, 256, int(size), dtype=np.uint8) for size in rng.integers(1_000, 600_000, 30)]
        del litter
        write_video(tmp_path / "clip.mp4", frames, fps=25, crf=crf, preset="medium")
        seen.add((tmp_path / "clip.mp4").read_bytes())
    assert len(seen) == 1


def test_an_interrupted_file_never_appears(tmp_path):
    def interrupted():
        yield from moving(3)
        raise KeyboardInterrupt

    write_video(tmp_path / "old.mp4", moving(), fps=25, crf=23)
    before = (tmp_path / "old.mp4").read_bytes()
    for name in ("old.mp4", "new.mp4"):
        with pytest.raises(KeyboardInterrupt):
            write_video(tmp_path / name, interrupted(), fps=25, crf=23)
    assert [path.name for path in tmp_path.iterdir()] == ["old.mp4"]
    assert (tmp_path / "old.mp4").read_bytes() == before


def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteError, match="clip"):
        write_video(tmp_path / "file" / "clip.mp4", moving(), fps=25, crf=23)


@pytest.mark.parametrize("frames", [[], [np.zeros((15, 16, 3), np.uint8)]])
def test_nothing_and_odd_sides_are_refused(tmp_path, frames):
    with pytest.raises(ValueError, match=r"odd|even|no frame"):
        write_video(tmp_path / "clip.mp4", frames, fps=25, crf=23)
    assert not list(tmp_path.iterdir())
