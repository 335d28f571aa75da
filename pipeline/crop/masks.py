"""Masks of fakes by frame: which of its frames go with which frames of the video."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from pipeline.crop import reading
from pipeline.crop.reading import Context
from pipeline.crop.staging import Reject, Source
from pipeline.errors import DecodeError
from pipeline.video import archives, frames
from pipeline.video.numbering import Numbering, beside, numbering


def numbered(fake: Source, reference: Source | None, context: Context) -> tuple[Source, list[Reject]]:
    """Find which number of a fake's mask is frame 0: as in the fake's folder, or in its real's where that is one.

    Parameters
    ----------
    fake : Source
    reference : Source or None
        The real video; None for a video without one.
    context : Context

    Returns
    -------
    fake : Source
        With `mask_first`; without its mask where that cannot be told.
    rejects : list of Reject
        Why; no rows are lost.
    """
    mask = fake.video.mask
    if not mask:
        return fake, []
    videos = [reading.numbered(source, context) for source in (fake, reference) if source]
    like = next((each for each in videos if each.named), videos[0])
    if not like.named and not _folder(context.root / mask):
        return fake, []
    try:
        own = numbering(context.root / mask, frames.probe(context.root / mask).frames)
        return dataclasses.replace(fake, mask_first=beside(own, like, mask).first), []
    except DecodeError as error:
        without = dataclasses.replace(fake, video=dataclasses.replace(fake.video, mask=None))
        return without, [Reject(fake.video, -1, "mask", f"{str(error).rstrip('.')}: no mask label", rows=0)]


def lacking(fake: Source, kept: Sequence[int], context: Context) -> list[Reject]:
    """Return which kept frames of a fake have no mask; their rows stay, without that label.

    Parameters
    ----------
    fake : Source
    kept : sequence of int
        Frames, increasing.
    context : Context

    Returns
    -------
    list of Reject
        One for the frames that its mask lacks between others, one from its end on; no rows are lost.
    """
    mask = fake.video.mask
    if not mask:
        return []
    try:
        found = numbering_of(context.root / mask, fake.mask_first)
        end, reason = found.end, f"its mask {mask} has only {found.end} frame{'s' * (found.end != 1)}"
        there = set(found.places(kept))
    except DecodeError as error:
        end, reason, there = 0, str(error), set()
    absent = [frame for frame in kept if frame not in there]
    between = [frame for frame in absent if frame < end]
    told = [(between, f"its mask {mask} has no image of {len(between)} of the kept frames, this one first")]
    told += [([frame for frame in absent if frame >= end], f"{reason.rstrip('.')}: no mask label from here on")]
    return [Reject(fake.video, places[0], "mask", text, rows=0) for places, text in told if places]


def numbering_of(path: Path, first: int) -> Numbering:
    """Return which frames a mask has; raises DecodeError where nothing of it can be read."""
    return numbering(path, frames.probe(path).frames).starting(first)


def _folder(path: Path) -> bool:
    return path.is_dir() or archives.split_path(path) is not None
