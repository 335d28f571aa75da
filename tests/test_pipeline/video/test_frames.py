"""Frames: exact counts, one meaning of the index, equal pixels from both readers, damage named."""

import dataclasses
import gc
import importlib.util
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from places import REAL_DATA, needs_real_data

from pipeline.config import Sampling
from pipeline.errors import DecodeError
from pipeline.video import frames, packets, stills

needs_decord = pytest.mark.skipif(not importlib.util.find_spec("decord"), reason="decord has no wheel for this machine")
DECODERS = ["auto", pytest.param("decord", marks=needs_decord)]

CLIPS = sorted((REAL_DATA / "clips").glob("*.mp4"))
COUNT, WIDTH, HEIGHT = 24, 96, 64
STEP = 512  # time units of one frame in what this FFmpeg's MP4 writer makes of 25 frames a second


def picture(number, width=WIDTH, height=HEIGHT):
    """A moving pattern whose column of blocks tells the frame's number in binary."""
    y, x = np.mgrid[:height, :width]
    frame = np.stack([128 + 90 * np.sin(x / 9 + number / 3), 128 + 90 * np.cos(y / 7 - number / 4), (x + y) % 256], -1)
    for bit in range(6):
        frame[8 * bit : 8 * bit + 8, :8] = 255 * (number >> bit & 1)
    return np.clip(frame, 0, 255).astype(np.uint8)


def number_of(frame):
    return sum(int(frame[8 * bit + 4, 4].mean() > 127) << bit for bit in range(6))


def write(path, *, count=COUNT, width=WIDTH, height=HEIGHT, codec="libx264", pixels="yuv420p", times=None, **settings):
    space, full, turn, mirror = (settings.pop(name, None) for name in ("space", "full", "turn", "mirror"))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.options = {name: str(value) for name, value in settings.items()}
        colours = {}
        if space is not None:
            stream.codec_context.colorspace = colours["dst_colorspace"] = space
        if full is not None:
            stream.codec_context.color_range = colours["dst_color_range"] = full
        if turn is not None or mirror:
            stream.set_display_rotation(turn or 0, hflip=bool(mirror))
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(number, width, height), format="rgb24")
            frame = frame.reformat(format=pixels, **colours)
            frame.pts, frame.time_base = number if times is None else times[number], Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def copy_packets(source, target, *, shift=0, options=None):
    """Copy a stream without decoding it; a shift of frames leaves those before time 0 to an edit list."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=options or {}) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.pts -= shift * STEP
                packet.dts -= shift * STEP
                packet.stream = stream
                new.mux(packet)
    return target


def numbers(path, wanted, decoder="auto"):
    return [(index, number_of(frame)) for index, frame in frames.read(path, wanted, decoder)]


def until_error(path, wanted, decoder="auto"):
    got = []
    try:
        for index, frame in frames.read(path, wanted, decoder):
            got.append((index, number_of(frame)))
    except DecodeError as error:
        return got, str(error)
    raise AssertionError("every frame was given")


FORMATS = {
    "no_b_frames": {"bf": 0},
    "b_frames": {"bf": 3, "crf": 23},
    "short_groups": {"bf": 2, "g": 6},
    "strongly_compressed": {"crf": 40},
    "lossless": {"crf": 0},
    "lossless_444": {"crf": 0, "pixels": "yuv444p"},
    "422": {"pixels": "yuv422p"},
    "bt709": {"space": Colorspace.ITU709},
    "bt601": {"space": Colorspace.ITU601},
    "full_range": {"pixels": "yuvj420p", "full": ColorRange.JPEG},
    "full_range_bt709": {"space": Colorspace.ITU709, "full": ColorRange.JPEG},
    "odd_444": {"pixels": "yuv444p", "width": 97, "height": 65},
    "not_a_multiple_of_16": {"width": 102, "height": 70},
    "variable_rate": {"times": [int(1.7 * number) for number in range(COUNT)]},
    "turned_90": {"turn": 90},
    "turned_180": {"turn": 180},
    "turned_270": {"turn": 270},
}


@needs_decord
@pytest.mark.parametrize("name", FORMATS)
def test_both_readers_give_equal_pixels(tmp_path, name):
    path = write(tmp_path / "clip.mp4", **FORMATS[name])
    assert frames.probe(path).frames == COUNT
    for wanted in (range(COUNT), [0, 7, 8, 19, 23], [13]):
        ours, theirs = (list(frames.read(path, list(wanted), decoder)) for decoder in ("pyav", "decord"))
        assert [index for index, _ in ours] == [index for index, _ in theirs] == list(wanted)
        for (_, one), (_, other) in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


@needs_decord
@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.stem)
def test_both_readers_give_equal_pixels_of_real_clips(clip):
    probe = frames.probe(clip)
    wanted = frames.choose(probe.frames, 5, Sampling(), 0)
    if clip.stem == "no_face":  # cut by an edit list: decord counts 98 frames, 95 are presented
        assert probe.frames == 95
        with pytest.raises(DecodeError, match="edit list"):
            list(frames.read(clip, wanted, "decord"))
        return
    for (_, one), (_, other) in zip(frames.read(clip, wanted), frames.read(clip, wanted, "decord"), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.shape == (probe.height, probe.width, 3)


@needs_real_data
def test_counting_packets_agrees_with_decoding_real_clips():
    for clip in CLIPS[-3:]:
        assert frames.probe(clip) == frames.probe(clip, deep=True)


@pytest.mark.parametrize("name", ["b_frames", "short_groups", "variable_rate"])
def test_index_is_the_presented_position(tmp_path, name):
    path = write(tmp_path / "clip.mp4", **FORMATS[name])
    assert numbers(path, range(COUNT)) == [(index, index) for index in range(COUNT)]


@pytest.mark.parametrize("suffix", ["mkv", "avi", "ts"])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_other_containers(tmp_path, suffix, codec):
    path = write(tmp_path / f"clip.{suffix}", codec=codec)
    assert frames.probe(path) == frames.Probe(COUNT, WIDTH, HEIGHT)
    assert numbers(path, [0, 9, 23]) == [(0, 0), (9, 9), (23, 23)]


@pytest.mark.parametrize(("turn", "quarters"), [(90, 1), (180, 2), (270, 3)])
def test_turned_videos_come_upright(tmp_path, turn, quarters):
    plain, turned = write(tmp_path / "plain.mp4", crf=0), write(tmp_path / "turned.mp4", crf=0, turn=turn)
    [(_, one)], [(_, other)] = frames.read(plain, [3]), frames.read(turned, [3])
    np.testing.assert_array_equal(np.rot90(one, quarters), other)
    probe = frames.probe(turned)
    assert (probe.height, probe.width) == other.shape[:2]


@needs_decord
@pytest.mark.parametrize("turn", [None, 90])
def test_decoders_are_freed_without_the_garbage_collector(tmp_path, turn):
    path = tmp_path / "video.mp4"
    write(path, turn=turn)  # libx264 leaves side data of its own in the first frame
    gc.collect()
    gc.disable()
    try:
        before = {id(each) for each in gc.get_objects() if type(each) is av.VideoFrame}
        for _ in range(5):
            assert frames.probe(path, deep=True).frames == COUNT
            assert len(list(frames.read(path, [0, 3, COUNT - 1]))) == 3
            assert next(frames.read(path, [1]))[0] == 1
        kept = [each for each in gc.get_objects() if type(each) is av.VideoFrame and id(each) not in before]
    finally:
        gc.enable()
    assert not kept


def test_mirrored_video(tmp_path):
    plain, mirrored = write(tmp_path / "plain.mp4", crf=0), write(tmp_path / "mirrored.mp4", crf=0, mirror=True)
    [(_, one)], [(_, other)] = frames.read(plain, [3]), frames.read(mirrored, [3])
    np.testing.assert_array_equal(one[:, ::-1], other)
    with pytest.raises(DecodeError, match="mirrored"):
        list(frames.read(mirrored, [3], "decord"))


def test_frames_cut_by_an_edit_list_do_not_count(tmp_path):
    whole = write(tmp_path / "whole.mp4", bf=2)
    cut = copy_packets(whole, tmp_path / "cut.mp4", shift=10, options={"avoid_negative_ts": "disabled"})
    with av.open(str(cut)) as container:
        assert container.streams.video[0].frames == COUNT  # what the container claims
    assert frames.probe(cut).frames == frames.probe(cut, deep=True).frames == COUNT - 10
    assert numbers(cut, range(COUNT - 10)) == [(index, index + 10) for index in range(COUNT - 10)]
    with pytest.raises(DecodeError, match=f"presents {COUNT - 10} frames; frame {COUNT - 10} does not exist"):
        list(frames.read(cut, [0, COUNT - 10]))


@needs_decord
def test_more_than_eight_bits_is_not_for_decord(tmp_path):
    path = write(tmp_path / "deep.mp4", pixels="yuv420p10le")
    assert numbers(path, [5]) == [(5, 5)]
    with pytest.raises(DecodeError, match="more than 8 bits"):
        list(frames.read(path, [5], "decord"))


@pytest.mark.parametrize("decoder", DECODERS)
def test_frame_beyond_the_end(tmp_path, decoder):
    path = write(tmp_path / "clip.mp4")
    got, error = until_error(path, [0, 5, COUNT + 1, COUNT + 9], decoder)
    assert got == [(0, 0), (5, 5)]
    assert f"frame {COUNT + 1} does not exist" in error


def test_truncated_file_gives_what_is_before_the_cut(tmp_path):
    whole = write(tmp_path / "whole.mp4", movflags="faststart", crf=10)
    moved = copy_packets(whole, tmp_path / "moved.mp4", options={"movflags": "faststart"})
    content = moved.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(content[: int(0.7 * len(content))])
    probe = frames.probe(cut)
    assert 0 < probe.frames < COUNT
    assert probe.damage.endswith(f"is damaged after {probe.frames} frames.")
    got, error = until_error(cut, [*range(probe.frames), COUNT - 1])
    assert got == [(index, index) for index in range(probe.frames)]
    assert error.endswith(f"damaged after {probe.frames} frames. Frame {COUNT - 1} cannot be given.")


def test_hole_in_the_middle_gives_what_is_before_it(tmp_path):
    path = write(tmp_path / "clip.mp4", crf=5)
    good = dict(frames.read(path, range(COUNT)))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    probe = frames.probe(path)
    assert 0 < probe.frames < COUNT
    assert "damaged" in probe.damage
    for index, frame in frames.read(path, range(probe.frames)):
        np.testing.assert_array_equal(frame, good[index])


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>" * 50], ids=["zero_bytes", "text"])
def test_no_video_at_all(tmp_path, content, decoder):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    for attempt in (lambda: frames.probe(path), lambda: list(frames.read(path, [0], decoder))):
        with pytest.raises(DecodeError, match=r"clip\.mp4 is no video that can be read: [^\n]+\.$"):
            attempt()


def test_missing_index_of_a_cut_off_download(tmp_path):
    path = write(tmp_path / "clip.mp4")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DecodeError, match="no video that can be read"):
        frames.probe(path)


def test_missing_file(tmp_path):
    for name in ("gone.mp4", "gone.png"):
        with pytest.raises(DecodeError, match="does not exist"):
            frames.probe(tmp_path / name)


def test_sound_alone(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.float32), format="flt", layout="mono")
        sound.rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(DecodeError, match="has no video stream"):
        frames.probe(path)


def test_wanted_frames_must_increase(tmp_path):
    path = write(tmp_path / "clip.mp4", count=4)
    assert list(frames.read(path, [])) == []
    for wanted in ([2, 1], [1, 1], [-1, 0]):
        with pytest.raises(ValueError, match="increasing"):
            frames.read(path, wanted)


def test_still_image_is_one_frame(tmp_path):
    path = tmp_path / "still.png"
    Image.fromarray(picture(9)).save(path)
    assert frames.probe(path) == frames.Probe(1, WIDTH, HEIGHT)
    [(index, frame)] = frames.read(path, [0])
    np.testing.assert_array_equal(frame, picture(9))
    assert index == 0
    with pytest.raises(DecodeError, match="frame 1 does not exist"):
        list(frames.read(path, [0, 1]))


def test_orientation_tag_is_applied(tmp_path):
    path = tmp_path / "photo.png"
    tags = Image.Exif()
    tags[0x0112] = 6  # to be turned clockwise
    Image.fromarray(picture(9)).save(path, exif=tags)
    assert frames.probe(path) == frames.Probe(1, HEIGHT, WIDTH)
    np.testing.assert_array_equal(stills.load(path), np.rot90(picture(9), -1))


def test_grey_deep_and_transparent_stills(tmp_path):
    grey = picture(3)[..., 0]
    cv2.imwrite(str(tmp_path / "deep.png"), grey.astype(np.uint16) * 257)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(np.dstack([picture(3), grey])).save(tmp_path / "clear.png")
    for name in ("deep", "grey"):
        np.testing.assert_array_equal(stills.load(tmp_path / f"{name}.png"), np.dstack([grey] * 3))
    np.testing.assert_array_equal(stills.load(tmp_path / "clear.png"), picture(3))


def test_truncated_still(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.fromarray(picture(3)).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DecodeError, match=r"photo\.jpg cannot be read"):
        frames.probe(path)


def test_folder_in_natural_order(tmp_path):
    for number in (0, 1, 2, 10, 11):
        Image.fromarray(picture(number)).save(tmp_path / f"frame{number}.png")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_bytes(b"")
    assert frames.probe(tmp_path, deep=True) == frames.Probe(5, WIDTH, HEIGHT)
    assert numbers(tmp_path, range(5)) == [(0, 0), (1, 1), (2, 2), (3, 10), (4, 11)]
    (tmp_path / "frame2.png").write_bytes(b"broken")
    got, error = until_error(tmp_path, range(5))
    assert got == [(0, 0), (1, 1)]
    assert "frame2.png cannot be read" in error


def test_folder_without_images(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(DecodeError, match="holds no image"):
        frames.probe(tmp_path)


def test_what_counts_as_lossless(tmp_path):
    for name in ("a.PNG", "b.tif", "c.bmp"):
        assert frames.is_lossless(Path(name))
    for name in ("a.jpg", "b.webp", "c.mp4"):
        assert not frames.is_lossless(Path(name))
    Image.fromarray(picture(0)).save(tmp_path / "0.png")
    assert frames.is_lossless(tmp_path)
    Image.fromarray(picture(0)).save(tmp_path / "1.jpg")
    assert not frames.is_lossless(tmp_path)


@dataclasses.dataclass
class Packet:
    pts: int | None
    is_keyframe: bool = False
    is_discard: bool = False
    is_corrupt: bool = False
    size: int = 4


@pytest.mark.parametrize(
    "broken",
    [
        [Packet(0), Packet(1)],  # does not begin with a key frame
        [Packet(2, is_keyframe=True), Packet(0), Packet(1)],  # shows frames from before it
        [Packet(0, is_keyframe=True), Packet(0)],  # two at one time
        [Packet(0, is_keyframe=True), Packet(None)],
        [Packet(0, is_keyframe=True), Packet(1, is_corrupt=True)],
        [Packet(0, is_keyframe=True), None],  # the file breaks off
        [],
    ],
)
def test_packets_that_leave_a_doubt_are_not_counted(broken):
    assert packets.survey(broken, "mjpeg", b"", "mov,mp4").frames is None


def test_packets_are_counted_only_where_each_is_a_frame():
    whole = [Packet(0, is_keyframe=True), Packet(2), Packet(1), Packet(3, is_discard=True), Packet(None, size=0)]
    assert packets.survey(whole, "mjpeg", b"", "mov,mp4") == packets.Survey(3, 1)
    assert packets.survey(whole, "vp9", b"", "mov,mp4").frames is None
    assert packets.survey(whole, "mjpeg", b"", "avi").frames is None


@given(st.integers(1, 400), st.integers(1, 400))
def test_even_frames_span_the_video_without_duplicates(count, wanted):
    chosen = frames.choose(count, wanted, Sampling(), 0)
    assert len(chosen) == min(count, wanted)
    steps = np.diff(chosen)
    assert (steps >= 1).all()
    assert len(steps) == 0 or steps.max() - steps.min() <= 1
    if len(chosen) > 1:
        assert (chosen[0], chosen[-1]) == (0, count - 1)
    else:
        assert 0 <= chosen[0] < count


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**63))
def test_random_frames(count, wanted, seed):
    random = Sampling(method="random")
    chosen = frames.choose(count, wanted, random, seed)
    np.testing.assert_array_equal(chosen, frames.choose(count, wanted, random, seed))
    assert len(np.unique(chosen)) == min(count, wanted)
    assert chosen.min() >= 0
    assert chosen.max() < count


def test_random_frames_differ_with_the_seed():
    random = Sampling(method="random")
    assert not np.array_equal(frames.choose(300, 20, random, 1), frames.choose(300, 20, random, 2))


def test_stride_and_all():
    np.testing.assert_array_equal(frames.choose(10, 3, Sampling(method="all"), 0), np.arange(10))
    np.testing.assert_array_equal(frames.choose(10, 1, Sampling(method="stride", stride=4), 0), [0, 4, 8])


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=1), st.integers(1, 50))
def test_subset_is_of_the_frames_given(given_frames, wanted):
    chosen = np.array(sorted(given_frames), np.int64)
    taken = frames.subset(chosen, wanted)
    assert len(taken) == min(len(chosen), wanted)
    assert np.isin(taken, chosen).all()
    assert (np.diff(taken) > 0).all()


def test_the_larger_of_two_video_streams_is_read(tmp_path):
    path = tmp_path / "two.mp4"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=25) for _ in range(2)]
        for stream, (width, height) in zip(streams, ((32, 32), (WIDTH, HEIGHT)), strict=True):
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(3):
            for stream in streams:
                shown = av.VideoFrame.from_ndarray(picture(number, stream.width, stream.height), format="rgb24")
                container.mux(stream.encode(shown))
        for stream in streams:
            container.mux(stream.encode())
    found = frames.probe(path)
    assert (found.frames, found.width, found.height) == (3, WIDTH, HEIGHT)
    assert [frame.shape for _, frame in frames.read(path, [0, 2])] == [(HEIGHT, WIDTH, 3)] * 2


@needs_decord
def test_decord_is_not_asked_which_of_two_streams(tmp_path):
    test_the_larger_of_two_video_streams_is_read(tmp_path)
    with pytest.raises(DecodeError, match="several video streams"):
        list(frames.read(tmp_path / "two.mp4", [0], "decord"))


def test_a_tiled_heic_image_is_refused_and_not_read_as_one_tile(tmp_path):
    path = tmp_path / "tiles.mp4"
    test_two = tmp_path / "two.mp4"
    test_the_larger_of_two_video_streams_is_read(tmp_path)
    content = test_two.read_bytes()
    assert content[4:8] == b"ftyp"
    path.write_bytes(content[:8] + b"heic" + content[12:])
    with pytest.raises(DecodeError, match="HEIC image of 2 tiles"):
        frames.probe(path)
