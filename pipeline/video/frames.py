"""Probing of files and reading of frames. The one module that reads video: by PyAV or by decord.

Frame i is the i-th frame a player presents, from 0, whatever the container says. Both readers give equal pixels for
every file that both can read exactly. PyAV reads all files exactly and, decoding in order and converting only the
wanted frames, is the faster one: `auto` is PyAV. decord is held to what it does right: a file with an edit list, a
mirror, more than 8 bits, a doubtful index or damage is refused with the reason, and decord is asked for at most 16
frames at a time, all of them known to exist, since asking beyond the end can hang it for ever.

Frames come upright (the display matrix is applied) and with their pixels as coded: where those are not square, they
are not made square.
"""

import contextlib
import heapq
import importlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.errors import ConfigError, DecodeError, first_line
from pipeline.video import animations, archives, limits, packets, stills, watch
from pipeline.video.sampling import choose, subset
from pipeline.video.stills import LOSSLESS_SUFFIXES, is_lossless

__all__ = ["LOSSLESS_SUFFIXES", "Probe", "choose", "is_lossless", "probe", "rate", "read", "subset"]

TILED = frozenset({"heic", "heix", "heim", "heis", "mif1"})  # brands of HEIF still images (ISO/IEC 23008-12)
BLOCK = 16  # frames decord decodes in one call: bounds its memory and any stall
EIGHT_BITS = 8
LISTS = frozenset({"concat", "dash", "hls", "imf", "sdp"})  # formats that name other files to read
MAX_PIXELS = {"max_pixels": str(limits.PIXELS)}  # FFmpeg's own limit, also of frames that a header does not tell of


@dataclass(frozen=True)
class Probe:
    """Measured properties of a file; `frames` counts the presented frames that can be read, before any damage."""

    frames: int
    width: int  # pixels of the presented, upright first frame
    height: int
    damage: str = ""  # one sentence when the file was found to be cut off or broken after `frames`


def probe(path: Path, deep: bool = False) -> Probe:
    """Count the presented frames, without believing the container's own count, and measure the first.

    Where every packet is one whole frame by the rules of its codec and container, and the packets' own structure is
    intact, they are counted; in any doubt the whole file is decoded. Flipped bits inside a packet show only then.

    Parameters
    ----------
    path : Path
        A video, a still or animated image or a folder of images, also one in an archive (`archive.tar.gz#folder`).
    deep : bool
        Decode everything, to find damage that the packets do not show.

    Raises
    ------
    DecodeError
        Nothing can be read: no such file, no video, not one frame.
    """
    with watch.over(path):
        return _probed(path, deep)


def _probed(path: Path, deep: bool) -> Probe:
    if archives.split_path(path):
        return Probe(*archives.measure(path))
    if animations.is_animated(path):
        count, width, height = animations.measure(path)
        return Probe(sum(1 for _ in animations.read(path, range(count))) if deep else count, width, height)
    if stills.is_still(path):
        files = stills.members(path)
        height, width, _ = stills.load(files[0]).shape
        return Probe(_readable(files) if deep else len(files), width, height)
    counted = None if deep else _survey(path).frames
    count, size, damage = 0, (0, 0), ""
    try:
        for frame in _presented(path):
            if count == 0:
                size = _upright(np.empty((frame.height, frame.width), np.uint8), frame).shape
            count += 1
            if counted:
                break
    except DecodeError as error:
        if count == 0:
            raise
        damage = str(error)
    return Probe(counted or count, size[1], size[0], damage)


def read(
    path: Path, wanted: Sequence[int] | NDArray[np.int64], decoder: str = "auto"
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Stream the wanted frames; never more than a few are in memory.

    Parameters
    ----------
    path : Path
        A video, an animated image, a still (frame 0) or a folder of images in natural order (they may differ in size).
    wanted : sequence of int
        Presented-frame indexes, increasing.
    decoder : str
        `auto`, `pyav` or `decord`; for videos only.

    Yields
    ------
    tuple of int and ndarray of shape (H, W, 3), uint8
        Frame index and RGB pixels, in increasing order of the index.

    Raises
    ------
    DecodeError
        A wanted frame cannot be given: the sentence names the first one. All before it have been yielded.
    ConfigError
        decord is asked for where it is not installed.
    """
    indexes = [int(index) for index in wanted]
    if any(after <= before for before, after in zip([-1, *indexes], indexes, strict=False)):
        raise ValueError(f"Wanted frames must be increasing indexes from 0, not {indexes[:5]}.")
    if not indexes:
        return iter(())
    return watch.taking(path, _frames(path, indexes, decoder), indexes, decoder)


def _frames(path: Path, indexes: list[int], decoder: str) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    if archives.split_path(path):
        yield from archives.read(path, indexes)
    elif animations.is_animated(path):
        yield from animations.read(path, indexes)
    elif stills.is_still(path):
        yield from stills.read(path, indexes)
    else:
        yield from READERS[decoder](path, indexes)


def rate(path: Path) -> float:
    """Return the frames per second that a video or animation states; 0 for stills, folders and where none are."""
    with watch.over(path):
        return _rate(path)


def _rate(path: Path) -> float:
    if archives.split_path(path) or path.is_dir():
        return 0.0
    if animations.is_animated(path):
        return animations.rate(path)
    if stills.is_still(path):
        return 0.0
    with _open(path) as container:
        return float(_video(container, path).guessed_rate or 0)


def _read_pyav(path: Path, wanted: list[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    reformatter, remaining = VideoReformatter(), iter(wanted)
    following = next(remaining)
    count = 0
    try:
        for count, frame in enumerate(_presented(path), 1):
            if count - 1 == following:
                pixels = np.asarray(reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray(), np.uint8)
                yield following, np.ascontiguousarray(_upright(pixels, frame))
                if (ahead := next(remaining, None)) is None:
                    return
                following = ahead
    except DecodeError as error:
        raise DecodeError(f"{error} Frame {following} cannot be given.") from error
    raise DecodeError(f"{path} presents {count} frames; frame {following} does not exist.")


def _read_decord(path: Path, wanted: list[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    decord = _decord()
    exact = _exact_for_decord(path)
    given = [index for index in wanted if index < exact]
    try:
        reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
        for start in range(0, len(given), BLOCK):
            block = given[start : start + BLOCK]
            yield from zip(block, reader.get_batch(block).asnumpy(), strict=True)
    except (decord.DECORDError, RuntimeError) as error:
        raise DecodeError(f"{path} cannot be read by decord: {first_line(error)}. Use the decoder auto.") from error
    if len(given) < len(wanted):
        raise DecodeError(f"{path} presents {exact} frames; frame {wanted[len(given)]} does not exist.")


READERS: dict[str, Callable[[Path, list[int]], Iterator[tuple[int, NDArray[np.uint8]]]]] = {
    "auto": _read_pyav,
    "pyav": _read_pyav,
    "decord": _read_decord,
}


def _presented(path: Path) -> Generator[VideoFrame, None, None]:
    """Decode in presentation order, up to the end or the first damage (DecodeError)."""
    with _open(path) as container:
        stream = _video(container, path)
        stream.codec_context.options = MAX_PIXELS
        stream.codec_context.thread_count = 1  # workers are processes; threads on top of them cost more than they give
        timed = packets.timed(container.format.name)
        count, size = 0, None
        due: list[int] = []  # times of the packets that went in and have not come out
        for packet in _packets(container, stream):
            if timed and packet is not None and packet.pts is not None and not packet.is_discard:
                heapq.heappush(due, packet.pts)
            frames, broken = _decode(packet, stream, timed)
            for frame in frames:
                while count == 0 and due and frame.pts is not None and due[0] < frame.pts:
                    heapq.heappop(due)  # leading frames of an open first group refer to what was cut off
                lost = bool(due) and due[0] != frame.pts
                if lost or frame.is_corrupt or (size and size != (frame.width, frame.height)):
                    broken = True
                    break
                if due:
                    heapq.heappop(due)
                size, count = (frame.width, frame.height), count + 1
                yield frame
            if broken:
                raise DecodeError(f"{path} is damaged after {count} frames.")
        if count == 0:
            raise DecodeError(f"{path} holds not one frame that can be decoded.")
        if due:
            raise DecodeError(f"{path} is damaged after {count} frames.")


def _decode(packet: Any, stream: VideoStream, timed: bool) -> tuple[list[VideoFrame], bool]:
    """Return the frames that come out, and whether the packet was broken."""
    if packet is not None and not packet.is_corrupt:
        with contextlib.suppress(av.FFmpegError):
            return packet.decode(), False
    # The decoder still holds frames from before the damage. With their times known, the caller takes those that are
    # due next and stops at the first gap; without, a gap could not be seen.
    with contextlib.suppress(av.FFmpegError):
        return stream.codec_context.decode(None) if timed else [], True
    return [], True


def _open(path: Path) -> InputContainer:
    limits.check_regular(path)
    try:
        # `file:` and the whitelist: neither a name nor what a file holds may lead to another file or a server
        container = av.open(f"file:{path}", options={**MAX_PIXELS, "protocol_whitelist": "file"})
    except FileNotFoundError:
        raise DecodeError(f"The video {path} does not exist.") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DecodeError(f"{path} is no video that can be read: {first_line(error)}.") from error
    if named := LISTS.intersection(container.format.name.split(",")):
        container.close()
        raise DecodeError(f"{path} is no video but a list of others ({min(named)}): name those.")
    return container


def _video(container: InputContainer, path: Path) -> VideoStream:
    """Return the largest of a file's video streams, the first of equals."""
    streams = _films(container)
    if not streams:
        raise DecodeError(f"{path} has no video stream.")
    if any(getattr(stream, "codec_context", None) is None for stream in streams):  # PyAV's word for a broken codec tag
        raise DecodeError(f"{path} is coded in a way that no decoder here knows; its header may be damaged.")
    if len(streams) > 1 and container.metadata.get("major_brand", "").strip() in TILED:
        raise DecodeError(
            f"{path} is a HEIC image of {len(streams)} tiles, which is not put together here: save it as PNG."
        )
    largest = max(streams, key=lambda stream: stream.codec_context.width * stream.codec_context.height)
    limits.check_size(path, largest.codec_context.width, largest.codec_context.height)
    return largest


def _films(container: InputContainer) -> list[VideoStream]:
    """Return the video streams; a song's cover is none."""
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Any]:
    """Give the packets, the empty last one that flushes the decoder included, or None where the file itself breaks."""
    try:
        for packet in container.demux(stream):
            watch.alive()
            yield packet
    except av.FFmpegError:
        yield None


def _survey(path: Path) -> packets.Survey:
    with _open(path) as container:
        stream = _video(container, path)
        context = stream.codec_context
        found = _packets(container, stream)
        return packets.survey(found, context.name, context.extradata or b"", container.format.name)


def _matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Return the display matrix (a, b, c, d): x' = a x + c y, y' = b x + d y, in units of 1 / 65536."""
    # A container of our own: the frame keeps the one that it gives as `frame.side_data`, which keeps the frame: a cycle
    # that holds the decoder's buffers (43 MB a video of 720p) until the garbage collector happens to run.
    container: Any = SideDataContainer  # its type says neither what it is made from nor that it is a sequence
    for data in container(frame):
        if data.type is SideDataType.DISPLAYMATRIX:
            a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
            return a, b, c, d
    return 1, 0, 0, 1


def _upright(pixels: NDArray[np.uint8], frame: VideoFrame) -> NDArray[np.uint8]:
    """Turn by right angles and mirror, as the display matrix says."""
    a, b, c, d = _matrix(frame)
    if abs(b) > abs(a):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def _exact_for_decord(path: Path) -> int:
    """Count the frames of a file that decord reads exactly; DecodeError says why it would not."""
    survey = _survey(path)
    with _open(path) as container:
        several = len(_films(container)) > 1
    with contextlib.closing(_presented(path)) as frames:
        first = next(frames)
    a, b, c, d = _matrix(first)
    reasons = {
        "its packets leave the number of frames in doubt": survey.frames is None,
        "an edit list hides some of its frames": survey.hidden > 0,
        "it has several video streams": several,
        "it is mirrored": a * d - b * c < 0,
        "it has more than 8 bits": max(component.bits for component in first.format.components) > EIGHT_BITS,
    }
    if survey.frames is None or any(reasons.values()):
        told = " and ".join(reason for reason, holds in reasons.items() if holds)
        raise DecodeError(f"decord would not read {path} exactly: {told}. Use the decoder auto.")
    return survey.frames


def _decord() -> Any:
    try:
        return importlib.import_module("decord")
    except ImportError as error:  # no wheels but for x86-64 Linux and Windows
        raise ConfigError("decord is not installed on this machine; use the decoder auto or pyav.") from error


def _readable(files: list[Path]) -> int:
    for file in files:
        stills.load(file)
    return len(files)
