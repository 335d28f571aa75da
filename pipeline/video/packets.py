"""Frame counts from a video's packets, without decoding: some milliseconds for hundreds of frames."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

CODECS = frozenset({"h264", "hevc", "mjpeg", "ffv1", "png", "huffyuv"})  # one packet is one frame, none is hidden
CONTAINERS = frozenset({"mov", "matroska"})  # they state the time of each frame; for others the demuxer makes it up
LENGTHS = {"h264": 4, "hevc": 21}  # where the configuration record says how wide the units' lengths are


@dataclass(frozen=True)
class Survey:
    """Number of presented frames (None when the packets leave a doubt), and whether an edit list hides others."""

    frames: int | None
    hidden: int


def timed(container: str) -> bool:
    """Tell whether a container, by its format's names, states each frame's time."""
    return not CONTAINERS.isdisjoint(container.split(","))


def survey(packets: Iterable[Any], codec: str, extradata: bytes, container: str) -> Survey:
    """Count the frames of a stream where each packet is provably one whole frame.

    Parameters
    ----------
    packets : iterable of packets or None
        In the file's order; None where the file itself breaks off.
    codec : str
        The codec's name.
    extradata : bytes
        The codec's configuration record.
    container : str
        Names of the container's format, separated by commas.

    Returns
    -------
    Survey
        `frames` is None unless codec and container are of the indexed kinds, all packets are whole, their times are
        known and all different, and none is presented before the first key frame.
    """
    whole, hidden, prefix = timed(container) and codec in CODECS, 0, _prefix(codec, extradata)
    first: Any = None
    times: list[int | None] = []
    for packet in packets:
        if packet is None or packet.is_corrupt or (packet.size and prefix and not _intact(bytes(packet), prefix)):
            whole = False
        elif packet.size:
            first = first or packet
            hidden += packet.is_discard
            times += [] if packet.is_discard else [packet.pts]
    known = {time for time in times if time is not None}
    whole = whole and len(known) == len(times) > 0
    # frames presented before the first key frame would refer to what was cut off: not all of them decode
    whole = whole and first.is_keyframe and (first.is_discard or min(known) >= first.pts)
    return Survey(len(known) if whole else None, hidden)


def _prefix(codec: str, extradata: bytes) -> int:
    """Return how many bytes state the length of each unit of an H.264 or HEVC packet; 0 when there are none.

    References
    ----------
    ISO/IEC 14496-15, sections 5.3.3.1 and 8.3.3.1: configuration records, whose version is 1.
    """
    position = LENGTHS.get(codec)
    if position is None or len(extradata) <= position or extradata[0] != 1:
        return 0
    return (extradata[position] & 3) + 1


def _intact(packet: bytes, prefix: int) -> bool:
    """Follow the units' lengths: they must end where the packet ends, and zeroed or foreign bytes do not."""
    position = 0
    while position + prefix <= len(packet):
        length = int.from_bytes(packet[position : position + prefix], "big")
        if length == 0:
            return False
        position += prefix + length
    return position == len(packet)
