"""Masks of fakes: which of their frames go with which frames of the video, and what their values mean."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.crop import reading
from pipeline.crop.reading import Context, Reader
from pipeline.crop.staging import Reject, Source
from pipeline.errors import DecodeError
from pipeline.faces.turn import turned
from pipeline.labels import mask as label
from pipeline.registration.mapping import IDENTITY, mapped, timing_of
from pipeline.video import archives, frames, watch
from pipeline.video.numbering import Numbering, beside, numbering

LOOKED = 2  # frames of a mask that show how its values are meant
WHITE = 127  # grey level above which a pixel counts as white
STRETCH = 0.02  # by which a mask's ratio of sides may be another one than its video's
MOSTLY = 0.5  # share of white from which a mask may be inverted


@dataclasses.dataclass(frozen=True)
class How:
    """How a mask is read: number of its frame 0, degrees clockwise to turn it, whether untouched pixels are white.

    A mask belongs to its fake's frames: where those are followed, it is.
    """

    first: int | None = 0  # None: as the mask's own names have it
    turn: int = 0
    inverted: bool = False
    course: tuple[float, ...] = (0.0, 1.0, 0.0)  # offset, rate and since of `mapping.Followed`
    transform: tuple[float, ...] = IDENTITY  # as there
    size: tuple[int, ...] = (0, 0)  # width and height of the fake as it is read


def read(path: Path, wanted: Sequence[int], how: How) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield index and grey levels, of shape (H, W), 255 = manipulated, of those wanted frames that a mask has.

    Parameters
    ----------
    path : Path
    wanted : sequence of int
        Frames of the video, of a followed fake those of its real.
    how : How

    Raises
    ------
    DecodeError
        It ends early, or cannot be read.
    """
    exact = frames.is_lossless(path)
    for index, picture in _pictures(path, wanted, how):
        yield index, _moved(label.levels(picture, exact, how.inverted), how)


def _pictures(path: Path, wanted: Sequence[int], how: How) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Give the mask's pictures for frames of the video, turned and not yet moved."""
    timing = timing_of(how.course)
    own = {number: frame for frame in wanted if (number := timing.shown_by(frame)) is not None}
    found = numbering(path, frames.probe(path).frames)
    found = found if how.first is None else found.starting(how.first)
    places = {place: own[number] for number, place in found.places(sorted(own)).items()}
    for place, picture in frames.read(path, list(places)):
        yield places[place], turned(picture, how.turn)


def _moved(grey: NDArray[np.uint8], how: How) -> NDArray[np.uint8]:
    if how.transform == IDENTITY:
        return grey
    return mapped(grey, how.transform, (how.size[0], how.size[1]), interpolation=cv2.INTER_LINEAR)


def how_of(fake: Source) -> How:
    """Return how a fake's mask is read."""
    how = How(fake.mask_first, fake.turn, fake.mask_inverted)
    if (followed := fake.followed) is None:
        return how
    course = (followed.offset, followed.rate, float(followed.since))
    return dataclasses.replace(how, course=course, transform=followed.transform, size=(fake.width, fake.height))


def marked(fake: Source, wanted: Sequence[int], context: Context) -> dict[int, NDArray[np.uint8]]:
    """Return where a fake's mask marks the wanted frames, uint8 of shape (H, W), 0 = untouched; none without a mask."""
    least = context.recipe.labelling.mask_threshold * label.WHITE
    found: dict[int, NDArray[np.uint8]] = {}
    if fake.video.mask:
        with contextlib.suppress(DecodeError):  # `lacking` says so
            for index, grey in read(context.root / fake.video.mask, wanted, how_of(fake)):
                found[index] = (grey > least).astype(np.uint8)
    return found


def understood(
    fakes: Sequence[Source], reals: Sequence[Source], context: Context
) -> tuple[tuple[Source, ...], list[Reject]]:
    """Find how the values of a fake's mask are meant, or refuse it with the reason.

    A mask that is mostly white is inverted where fake and real differ more under its black pixels than under its
    white ones.

    Parameters
    ----------
    fakes, reals : sequence of Source
        The compressions of a fake and of its real.
    context : Context

    Returns
    -------
    fakes : tuple of Source
        With `mask_inverted`; without its mask where that is no mask.
    rejects : list of Reject
        Why; no rows are lost.
    """
    known: dict[str, bool | str] = {}
    found: list[Source] = []
    rejects: list[Reject] = []
    for fake in fakes:
        mask = fake.video.mask
        if mask and mask not in known:
            known[mask] = _meaning(fake, reals, context)
        meaning = known[mask] if mask else False
        if isinstance(meaning, str):
            found.append(dataclasses.replace(fake, video=dataclasses.replace(fake.video, mask=None)))
            rejects.append(Reject(fake.video, -1, "mask", f"its mask {mask} {meaning}: no mask label", rows=0))
        else:
            found.append(dataclasses.replace(fake, mask_inverted=meaning))
    return tuple(found), rejects


def _meaning(fake: Source, reals: Sequence[Source], context: Context) -> bool | str:
    """Tell whether a fake's mask is inverted, or why it is none."""
    path = context.root / str(fake.video.mask)
    if reason := watch.refusal(path):  # whoever makes labels does not know of it
        return f"is not read ({reason.rstrip('.')})"
    exact = frames.is_lossless(path)
    try:
        indexes = numbering_of(path, fake.mask_first).indexes
        indexes = indexes[(indexes >= 0) & (indexes < fake.frames)]
        if fake.followed:
            shown = [fake.followed.timing.at(index) for index in indexes.tolist()]
            indexes = np.unique([frame for frame in shown if frame >= 0]).astype(np.int64)
        if not len(indexes):
            return False
        some = indexes[[round(place) for place in np.linspace(0, len(indexes) - 1, LOOKED + 2)[1:-1]]]
        pictures = dict(_pictures(path, np.unique(some).tolist(), how_of(fake)))
    except DecodeError:
        return False  # `lacking` says so
    for picture in pictures.values():
        if reason := _stretched(picture, fake) or label.unreadable(picture, exact):
            return reason
    how = how_of(fake)
    white = {index: _moved(label.levels(picture, exact), how) > WHITE for index, picture in pictures.items()}
    if not white or min(float(marked.mean()) for marked in white.values()) <= MOSTLY:
        return False
    real = next(source for source in reals if source.video.compression == fake.video.compression)
    pairs = zip(Reader(context, fake, list(white)), Reader(context, real, list(white)), strict=False)
    told = [
        _darker_differs(white[index], ours, theirs)
        for (index, ours), (other, theirs) in pairs
        if index == other and not white[index].all()
    ]
    return bool(told) and all(told)


def _stretched(mask: NDArray[np.uint8], fake: Source) -> str:
    """Return that a mask's picture is of another shape than its fake's, so that nobody knows what goes where."""
    (height, width), (wide, high) = mask.shape[:2], fake.followed.size if fake.followed else (fake.width, fake.height)
    if abs(width * high - wide * height) <= STRETCH * wide * height + max(wide, high):  # rounded to whole pixels
        return ""
    return f"is of {width}x{height} pixels, which is not the shape of {wide}x{high}"


def _darker_differs(white: NDArray[np.bool_], fake: NDArray[np.uint8], real: NDArray[np.uint8]) -> bool:
    size = white.shape[::-1]
    ours, theirs = (cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (fake, real))
    difference = cv2.absdiff(ours, theirs).mean(axis=2, dtype=np.float32)
    return bool(difference[~white].mean() > difference[white].mean())


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
    own = {frame: number for frame in kept if (number := fake.own(frame)) is not None}
    try:
        found = numbering_of(context.root / mask, fake.mask_first)
        end, reason = found.end, f"its mask {mask} has only {found.end} frame{'s' * (found.end != 1)}"
        there = set(found.places(own.values()))
    except DecodeError as error:
        end, reason, there = 0, str(error), set()
    absent = {frame: number for frame, number in own.items() if number not in there}
    between = [frame for frame, number in absent.items() if number < end]
    after = [frame for frame, number in absent.items() if number >= end]
    told = [(between, f"its mask {mask} has no image of {len(between)} of the kept frames, this one first")]
    told += [(after, f"{reason.rstrip('.')}: no mask label from here on")]
    return [Reject(fake.video, places[0], "mask", text, rows=0) for places, text in told if places]


def numbering_of(path: Path, first: int) -> Numbering:
    """Return which frames a mask has; raises DecodeError where nothing of it can be read."""
    return numbering(path, frames.probe(path).frames).starting(first)


def _folder(path: Path) -> bool:
    return path.is_dir() or archives.split_path(path) is not None
