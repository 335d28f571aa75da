"""Write H.264 video by libx264. Only samples and tests write video; everything else reads it."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from pipeline.errors import WriteError, first_line
from pipeline.files import replacing

# With macroblock trees and B-frames libx264's AVX code makes other bytes of the same frames from call to call
# (measured: eight results in twelve calls; a single one without the trees, or with its assembly limited to SSE).
STEADY = "mbtree=0"


def write_video(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    *,
    fps: float,
    crf: int,
    preset: str = "veryfast",
    keyframes: int = 50,
) -> int:
    """Encode frames to an MP4 file that appears under its name only when it is complete.

    Parameters
    ----------
    path : Path
        File to make; folders are made as needed. A file of that name is replaced.
    frames : iterable of ndarray of shape (H, W, 3), uint8
        RGB, all of one size, both sides even.
    fps : float
        Frames per second.
    crf : int
        Constant rate factor, 0 (lossless) to 51.
    preset : str
        libx264's trade of time for size.
    keyframes : int
        At most so many frames from one keyframe to the next.

    Returns
    -------
    int
        Frames written.

    Raises
    ------
    WriteError
        The disk is full, or the folder cannot be written.
    ValueError
        No frame at all, or an odd side.

    Notes
    -----
    Colour is stored at half resolution (yuv420p, BT.601), which every player and decoder reads. Grey values survive
    CRF 0 exactly, colours up to that halving. The bytes depend on the frames and settings alone: one encoder thread,
    no time stamps, no version strings.
    """
    try:
        with replacing(path) as part:
            return _encode(part, frames, Fraction(fps).limit_denominator(1001), crf, preset, keyframes)
    except (OSError, FFmpegError) as error:
        raise WriteError(f"{path} cannot be written: {first_line(error)}.") from error


def _encode(
    part: Path, frames: Iterable[NDArray[np.uint8]], rate: Fraction, crf: int, preset: str, keyframes: int
) -> int:
    written = 0
    with av.open(str(part), "w", format="mp4", options={"fflags": "+bitexact", "movflags": "+faststart"}) as container:
        stream = None
        for pixels in frames:
            if stream is None:
                height, width = pixels.shape[:2]
                if height % 2 or width % 2:
                    raise ValueError(f"{part.name}: both sides must be even, not {width}x{height}.")
                stream = container.add_stream("libx264", rate=rate)
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                stream.gop_size = keyframes
                stream.thread_count = 1
                stream.options = {"crf": str(crf), "preset": preset, "x264-params": STEADY, "flags": "+bitexact"}
            written += 1
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", interpolation="AREA")))
        if stream is None:
            raise ValueError(f"{part.name}: there is no frame to write.")
        container.mux(stream.encode(None))
    return written
