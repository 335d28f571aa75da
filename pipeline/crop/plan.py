"""First step of a group's task: probe its files, choose frames, find faces, choose the manipulated one.

The plan says which faces are cropped from which frames of which files, before the first crop is made.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Recipe
from pipeline.crop import excluding, following, masks, reading
from pipeline.crop.kept import Kept
from pipeline.crop.reading import Context, Reader, check_there
from pipeline.crop.staging import Crops, Reject, Source
from pipeline.faces import choice, near, turn
from pipeline.faces.detected import Detected
from pipeline.faces.tracks import Track, follow
from pipeline.manifest import REAL, Video
from pipeline.video import checksum, frames, likeness, sampling
from pipeline.video.numbering import beside, numbering

Versions = tuple[Video, ...]  # the compressions of one video, least compressed first


@dataclass(frozen=True, eq=False)
class Found:
    """One face in one frame."""

    track: int  # counts in Faces.tracks
    box: NDArray[np.float32]  # as detected, shape (4,)
    score: float


@dataclass(frozen=True, eq=False)
class Faces:
    """The faces of a group's main video; its versions and its fakes are all cropped there."""

    frames: NDArray[np.int64]  # sampled, increasing, shape (n,)
    tracks: tuple[Track, ...]
    width: int  # of the video they were found in, pixels
    height: int
    unread: dict[int, str]  # sampled frames that did not decode -> reason
    prints: str = ""  # fingerprints of some of the frames
    kept: Kept | None = None  # what was cropped of that video already
    near: Mapping[int, Detected] = field(default_factory=dict)  # of some frames without a face: the best that is none

    def at(self, frame: int, used: Sequence[int]) -> list[Found]:
        """Return the faces of the tracks `used` that one frame shows."""
        found = []
        for number in used:
            track = self.tracks[number]
            place = int(np.searchsorted(track.frames, frame))
            if place < len(track.frames) and track.frames[place] == frame:
                found.append(Found(number, track.boxes[place], float(track.scores[place])))
        return found

    def boxes(self, used: Sequence[int]) -> dict[int, list[NDArray[np.float32]]]:
        """Return the boxes of the tracks `used`, by each frame that shows one of them."""
        found = {frame: [face.box for face in self.at(frame, used)] for frame in map(int, self.frames)}
        return {frame: boxes for frame, boxes in found.items() if boxes}


@dataclass(frozen=True, eq=False)
class Take:
    """One video in every compression that can be read, and the frames and faces to crop from each."""

    sources: tuple[Source, ...]  # least compressed first
    frames: NDArray[np.int64]  # increasing, shape (n,)
    tracks: tuple[int, ...]  # count in Faces.tracks
    dropped: Mapping[tuple[int, int], str] = field(default_factory=dict)  # (frame, track) that go -> reason

    def faces(self, faces: Faces, frame: int) -> list[Found]:
        """Return the faces to crop from one frame."""
        return [face for face in faces.at(frame, self.tracks) if (frame, face.track) not in self.dropped]


@dataclass(frozen=True, eq=False)
class Plan:
    """All that a group's task will crop."""

    sources: tuple[Source, ...]  # every file that can be read, in the group's order
    faces: Faces
    main: Take  # the real video, or the only fake of a group without one
    fakes: tuple[Take, ...]  # made from the main video


def plan(
    reals: Versions, fakes: Sequence[Versions], context: Context, staged: Crops | None = None
) -> tuple[Plan | None, tuple[Reject, ...]]:
    """Plan the crops of one real video and its fakes, or of one fake without a real.

    Parameters
    ----------
    reals : tuple of Video
        Compressions of the real video; empty for a fake whose real is not known.
    fakes : sequence of tuple of Video
        One entry a fake, its compressions; exactly one where there is no real.
    context : Context
    staged : Crops, optional
        Takes crops of the faces as they are found.

    Returns
    -------
    plan : Plan or None
        None where no version of the main video can be read.
    rejects : tuple of Reject
        Files that cannot be used.
    """
    main = reals or fakes[0]
    others = [versions for versions in fakes if versions is not main]
    opened, rejects = _open(main, context)
    if not opened:
        whole = excluding.whole_file(main[0].path, context)
        reason = f"its real video {main[0].path} {'is excluded' if whole else 'cannot be read'}"
        lost = [_unusable(video, "pair", reason, context.recipe) for versions in others for video in versions]
        return None, (*rejects, *lost)
    there = _common(opened, context)
    settings, seed = context.recipe.sampling, _seed(context.recipe, main[0].id)
    chosen = there[sampling.choose(len(there), _wanted(context.recipe, main[0]), settings, seed)]
    faces = _find(opened[0], chosen, context, staged)
    if turn.rare(faces.tracks, len(chosen)) and (degrees := _turn(opened[0], faces, context)):
        opened = _turned(opened, degrees)
        faces = _find(opened[0], chosen, context, staged)
    faces = dataclasses.replace(faces, near=_near(opened[0], faces, context))
    followed = context.recipe.detection.registration == "follow" and not context.cropped
    originals = following.originals(opened, faces.boxes(range(len(faces.tracks))), context) if followed else {}
    takes: list[Take] = []
    for versions in others:
        readable, unreadable = _open(versions, context, opened)
        rejects += unreadable
        readable = _turned(readable, opened[0].turn)
        if readable and originals:
            readable, found = following.follow(readable, originals, context, _wanted(context.recipe, readable[0].video))
            rejects += found
        if readable:
            readable, refused = masks.understood(readable, opened, context)
            take, left = _fake(readable, opened, faces, context)
            takes.append(take)
            rejects += (*refused, *left)
    used = tuple(sorted({track for take in takes for track in take.tracks})) or choice.dominant(faces.tracks)
    people = choice.people(faces.tracks)
    about = "" if takes or people <= 1 else f"size: {len(used)} of {len(faces.tracks)} faces"
    opened = tuple(dataclasses.replace(source, people=people, chosen=about, prints=faces.prints) for source in opened)
    of_main = Take(opened, faces.frames, used)
    sources = opened + tuple(source for take in takes for source in take.sources)
    return Plan(sources, faces, *excluding.mark(of_main, takes, faces, context)), rejects


def _open(
    versions: Versions, context: Context, reals: Sequence[Source] | None = None
) -> tuple[tuple[Source, ...], tuple[Reject, ...]]:
    """Probe every compression of one video; return those that can be read, and what is wrong with the others."""
    opened: list[Source] = []
    rejects: list[Reject] = []
    for video in versions:
        first = [*(reals or opened)][:1]
        source, found = _probe(video, context, reals, first[0] if first else None)
        opened += [source] if source else []
        rejects += found
    return tuple(opened), tuple(rejects)


def _probe(
    video: Video, context: Context, reals: Sequence[Source] | None, reference: Source | None
) -> tuple[Source | None, list[Reject]]:
    """Probe one file, whose frames count as the reference's do; a fake needs a readable real of its compression."""
    if marked := excluding.whole_file(video.path, context):
        return None, [_unusable(video, excluding.STAGE, marked, context.recipe)]
    if reals is not None and not any(real.video.compression == video.compression for real in reals):
        reason = f"there is no readable real video in {video.compression}"
        return None, [_unusable(video, "pair", reason, context.recipe)]
    path = context.root / video.path
    try:
        probe = frames.probe(path)
        numbered = numbering(path, probe.frames)
        if reference:
            numbered = beside(numbered, reading.numbered(reference, context), video.path)
        size = (probe.width, probe.height)
        source = Source(video, numbered.end, *size, checksum.sha256(path), numbered.first)
    except OSError as error:  # DecodeError is one
        check_there(path, error)
        return None, [_unusable(video, "probe", str(error), context.recipe)]
    # of a damaged file all that can be read is used; the reject says that there should be more
    damage = [Reject(video, -1, "probe", probe.damage, rows=0)] if probe.damage else []
    source, refused = masks.numbered(source, reference, context)
    return source, damage + refused


def _common(versions: Sequence[Source], context: Context) -> NDArray[np.int64]:
    """Return the frames that every version of a video has, of shape (n,); folders may lack some."""
    indexes = [reading.numbered(source, context).indexes for source in versions]
    common = functools.reduce(np.intersect1d, indexes)
    return np.asarray(common[common >= 0])


def _unusable(video: Video, stage: str, reason: str, recipe: Recipe) -> Reject:
    return Reject(video, -1, stage, reason, _wanted(recipe, video))


def _wanted(recipe: Recipe, video: Video) -> int:
    return recipe.sampling.count(video.method == REAL, video.split)


def _seed(recipe: Recipe, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{recipe.seed}/{name}".encode()).digest()[:8], "big")


def _find(source: Source, chosen: NDArray[np.int64], context: Context, staged: Crops | None) -> Faces:
    """Follow every person through the sampled frames; a picture that is a crop already is one face."""
    if context.cropped:
        box = np.array([0, 0, source.width, source.height], dtype=np.float32)
        whole = Track(chosen, np.tile(box, (len(chosen), 1)), np.ones(len(chosen), dtype=np.float32))
        return Faces(chosen, (whole,), source.width, source.height, {})
    reader = Reader(context, source, chosen)
    prints: list[str] = []
    kept = Kept(staged, context.recipe.cropping) if staged else None
    pictures = likeness.watched(reader, chosen, prints)
    tracks = follow(pictures, context.recipe.detection, context.device, kept.add if kept else None)
    unread = {frame: reader.why(frame) for frame in map(int, chosen) if frame not in reader.got}
    return Faces(chosen, tracks, source.width, source.height, unread, "".join(prints), kept)


def _near(source: Source, faces: Faces, context: Context) -> dict[int, Detected]:
    """Find what was almost a face in some of the frames in which none was found."""
    some = near.searched(faces.frames, [track.frames for track in faces.tracks], faces.unread)
    return near.best_below(Reader(context, source, some), context.recipe.detection, context.device) if len(some) else {}


def _turn(source: Source, faces: Faces, context: Context) -> int:
    """Return by how many degrees a video that hardly shows an upright face has to be turned; 0 for none."""
    tried = sampling.subset(faces.frames, turn.TRIED)
    pictures = [picture for _, picture in Reader(context, source, tried)]
    return turn.turn_of(pictures, context.recipe.detection, context.device, turn.seen(faces.tracks, tried))


def _turned(sources: tuple[Source, ...], degrees: int) -> tuple[Source, ...]:
    """Return files whose frames are turned when they are read."""
    across = degrees % 180 != 0
    sizes = [(one.height, one.width) if across else (one.width, one.height) for one in sources]
    return tuple(
        dataclasses.replace(one, turn=degrees, width=width, height=height)
        for one, (width, height) in zip(sources, sizes, strict=True)
    )


def _fake(
    sources: tuple[Source, ...], reals: Sequence[Source], faces: Faces, context: Context
) -> tuple[Take, list[Reject]]:
    """Plan one fake: fewer frames than its real where the recipe says so, and the manipulated faces alone.

    The rejects tell of faces that are not taken although they were changed.
    """
    counted = context.recipe.sampling.method in ("even", "random")
    wanted = _wanted(context.recipe, sources[0].video)
    shown = np.array([frame for frame in faces.frames.tolist() if _shown(sources, frame)], np.int64)
    enough = len(shown) >= wanted  # else those that it does not show are asked for as well, and told as missing
    chosen = sampling.subset(shown if enough else faces.frames, wanted) if counted else faces.frames
    if len(faces.tracks) <= 1:  # nothing to choose
        told = tuple(dataclasses.replace(source, people=choice.people(faces.tracks)) for source in sources)
        return Take(told, chosen, tuple(range(len(faces.tracks)))), []
    found = _manipulated(sources[0], reals, faces, context)
    people = choice.people(faces.tracks)
    about = found.describe() if people > 1 else ""
    told = tuple(dataclasses.replace(source, people=people, chosen=about) for source in sources)
    return Take(told, chosen, found.tracks), _left_out(told, chosen, faces, found)


def _left_out(sources: Sequence[Source], chosen: NDArray[np.int64], faces: Faces, found: choice.Choice) -> list[Reject]:
    """Return a reject for each changed face that is seen too rarely, and one, of no rows, for unchanged people."""
    rejects = []
    for number in found.left:
        frames_of = np.intersect1d(faces.tracks[number].frames, chosen)
        reason = "another face, changed as well, is seen in too few frames to be a person; this one first"
        rejects += [
            Reject(source.video, int(frames_of[0]), "faces", reason, len(frames_of))
            for source in sources
            if len(frames_of)
        ]
    if choice.people(faces.tracks) > 1 and len(found.tracks) + len(found.left) < len(faces.tracks):
        reason = "it shows other faces, which are not those of manipulated people: not cropped"
        rejects += [Reject(source.video, -1, "faces", reason, rows=0) for source in sources]
    return rejects


def _manipulated(fake: Source, reals: Sequence[Source], faces: Faces, context: Context) -> choice.Choice:
    """Choose the manipulated faces, by the fake's mask where it has one, else by what differs from the real."""
    real = next(source for source in reals if source.video.compression == fake.video.compression)
    both = np.array([frame for frame in faces.frames.tolist() if frame < real.frames and fake.own(frame) is not None])
    probed = choice.probed(faces.tracks, both.astype(np.int64))
    compared = reading.side_by_side(Reader(context, fake, probed), Reader(context, real, probed))
    return choice.choose(faces.tracks, compared, masks.marked(fake, probed.tolist(), context))


def _shown(fakes: Sequence[Source], frame: int) -> bool:
    return all(fake.followed is None or fake.own(frame) is not None for fake in fakes)
