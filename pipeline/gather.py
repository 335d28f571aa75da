"""What one group's task does: probe, sample, find faces, choose the manipulated one, crop; every loss is recorded."""

import hashlib
import os
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import checksum, crops, frames, sampling
from pipeline.alignment import alignment, thumbnail
from pipeline.config import Recipe
from pipeline.errors import DecodeError
from pipeline.faces import choice, dlib
from pipeline.faces.tracks import Track, follow
from pipeline.manifest import REAL, Video
from pipeline.parts import Crops, Reject, Source

PROBED_PAIRS = 8  # frames compared to choose the manipulated face

Frame = NDArray[np.uint8]
Versions = tuple[Video, ...]  # the compressions of one video, least compressed first


@dataclass
class Draft:
    """Settings of a group's task, and what it has gathered so far."""

    root: Path
    recipe: Recipe
    crops: Crops
    device: str = "cpu"
    cropped: bool = False
    sources: list[Source] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def reject(self, video: Video, frame: int, stage: str, reason: str, rows: int = 1) -> None:
        """Record something that was asked for and cannot be had; where the dataset lies says nothing about it."""
        self.rejects.append(Reject(video, frame, stage, reason.replace(f"{self.root}{os.sep}", ""), rows))


@dataclass(frozen=True)
class Faces:
    """Where the faces of a video are; every version of it and of its fakes is cropped there."""

    frames: NDArray[np.int64]  # sampled, increasing
    tracks: tuple[Track, ...]
    width: int
    height: int
    unread: dict[int, str]  # sampled frames that did not decode -> reason

    def at(self, frame: int, used: Sequence[int]) -> list[tuple[int, NDArray[np.float32], float]]:
        """Return (track, box, score) of every used face in one frame."""
        found = []
        for number in used:
            track = self.tracks[number]
            place = int(np.searchsorted(track.frames, frame))
            if place < len(track.frames) and track.frames[place] == frame:
                found.append((number, track.boxes[place], float(track.scores[place])))
        return found


@dataclass(frozen=True)
class RealFrames:
    """What the fakes need of their real's frames: how each looked, and why some are gone."""

    thumbs: dict[tuple[str, int], Frame]  # by (compression, frame)
    lost: dict[int, str]  # frame -> reason


def gather(draft: Draft, reals: Versions, fakes: Sequence[Versions]) -> None:
    """Stage every usable row of one real video and its fakes, or of one fake without a real."""
    main = reals or fakes[0]
    opened = {video: source for video in main if (source := _open(draft, video))}
    if not opened:
        for video in (video for versions in fakes for video in versions if versions is not main):
            draft.reject(video, -1, "pair", f"its real video {main[0].path} cannot be read", _wanted(draft, video))
        return
    first = next(iter(opened.values()))
    count = min(source.frames for source in opened.values())
    chosen = sampling.choose(count, _wanted(draft, main[0]), draft.recipe.sampling, _seed(draft, main[0].id))
    faces = _find(draft, first, chosen)
    if not reals:
        _crop(draft, list(opened.values()), faces, chosen, choice.dominant(faces.tracks), None)
        return
    readable = {video: source for versions in fakes for video in versions if (source := _open(draft, video, opened))}
    used: dict[Versions, tuple[int, ...]] = {}
    for versions in fakes:
        sources = [readable[video] for video in versions if video in readable]
        if sources:
            used[versions] = _manipulated(draft, faces, sources[0], opened)
    everyone = sorted({track for chosen_tracks in used.values() for track in chosen_tracks})
    real = _crop(draft, list(opened.values()), faces, chosen, everyone or choice.dominant(faces.tracks), None)
    for versions, of_fake in used.items():
        _crop_fake(draft, [readable[video] for video in versions if video in readable], faces, of_fake, real)


def _open(draft: Draft, video: Video, reals: dict[Video, Source] | None = None) -> Source | None:
    """Probe one file; a fake whose real of the same compression is gone is none either."""
    if reals is not None and not any(real.compression == video.compression for real in reals):
        draft.reject(
            video, -1, "pair", f"there is no readable real video in {video.compression}", _wanted(draft, video)
        )
        return None
    path = draft.root / video.path
    try:
        probe = frames.probe(path)
        source = Source(video, probe.frames, probe.width, probe.height, checksum.sha256(path))
    except OSError as error:  # DecodeError is one
        draft.reject(video, -1, "probe", str(error), _wanted(draft, video))
        return None
    if probe.damage:  # what can be read is used; that there should be more is not forgotten
        draft.reject(video, -1, "probe", probe.damage, rows=0)
    draft.sources.append(source)
    return source


def _wanted(draft: Draft, video: Video) -> int:
    return draft.recipe.sampling.count(video.method == REAL, video.split)


def _seed(draft: Draft, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{draft.recipe.seed}/{name}".encode()).digest()[:8], "big")


def _find(draft: Draft, source: Source, chosen: NDArray[np.int64]) -> Faces:
    """Follow every person through the sampled frames; a picture that is a crop already is one face."""
    if draft.cropped:
        box = np.array([0, 0, source.width, source.height], dtype=np.float32)
        whole = Track(chosen, np.tile(box, (len(chosen), 1)), np.ones(len(chosen), dtype=np.float32))
        return Faces(chosen, (whole,), source.width, source.height, {})
    reader = _Reader(draft, source, chosen)
    tracks = follow(reader, draft.recipe.detection, draft.device)
    unread = {frame: reader.reason for frame in map(int, chosen) if frame not in reader.got}
    return Faces(chosen, tracks, source.width, source.height, unread)


class _Reader:
    """Iterates over the frames that decode, and keeps the reason why the others do not."""

    def __init__(self, draft: Draft, source: Source, wanted: Sequence[int] | NDArray[np.int64]) -> None:
        self.path = draft.root / source.video.path
        self.wanted = [int(frame) for frame in wanted if frame < source.frames]
        self.decoder = draft.recipe.sampling.decoder
        self.reason = f"the video has only {source.frames} frame{'s' * (source.frames != 1)}"
        self.got: set[int] = set()

    def __iter__(self) -> Iterator[tuple[int, Frame]]:
        try:
            for frame, picture in frames.read(self.path, self.wanted, self.decoder):
                self.got.add(frame)
                yield frame, picture
        except DecodeError as error:
            self.reason = str(error)


def _manipulated(draft: Draft, faces: Faces, fake: Source, reals: dict[Video, Source]) -> tuple[int, ...]:
    """Choose the face that differs from the real's; with one person there is nothing to choose."""
    if len(faces.tracks) <= 1:
        return tuple(range(len(faces.tracks)))
    real = next(source for video, source in reals.items() if video.compression == fake.video.compression)
    both = faces.frames[faces.frames < min(fake.frames, real.frames)]
    probed = sampling.subset(both, PROBED_PAIRS)
    pairs = zip(_Reader(draft, fake, probed), _Reader(draft, real, probed), strict=False)  # a damaged file ends both
    return choice.choose(faces.tracks, ((index, ours, theirs) for (index, ours), (_, theirs) in pairs)).tracks


def _crop_fake(draft: Draft, sources: list[Source], faces: Faces, used: tuple[int, ...], real: RealFrames) -> None:
    """Crop one fake in every compression, where its real was cropped; refuse it whole when it is no pair."""
    video = sources[0].video
    counted = draft.recipe.sampling.method in ("even", "random")
    wanted = sampling.subset(faces.frames, _wanted(draft, video)) if counted else faces.frames
    before = len(draft.rows)
    _crop(draft, sources, faces, wanted, used, real)
    new = draft.rows[before:]
    if not new:
        return
    score = statistics.median(row["alignment"] for row in new)
    if score < draft.recipe.detection.min_alignment:
        del draft.rows[before:]
        reason = (
            f"its background does not match {video.target}'s: SSIM {score:.3f}, at least "
            f"{draft.recipe.detection.min_alignment} is needed"
        )
        for source in sources:
            if lost := sum(draft.sources[row["video"]] is source for row in new):
                draft.reject(source.video, -1, "pair", reason, lost)
        return
    _check_mask(draft, video, sorted({row["frame"] for row in new}))


def _check_mask(draft: Draft, video: Video, kept: list[int]) -> None:
    """Record what a fake's mask lacks; its rows stay, without that label."""
    if not video.mask:
        return
    try:
        count = frames.probe(draft.root / video.mask).frames
        reason = f"its mask {video.mask} has only {count} frame{'s' * (count != 1)}"
    except DecodeError as error:
        count, reason = 0, str(error)
    if lost := [frame for frame in kept if frame >= count]:
        draft.reject(video, lost[0], "mask", f"{reason.rstrip('.')}: no mask label from here on", rows=0)


def _crop(
    draft: Draft,
    sources: list[Source],
    faces: Faces,
    wanted: NDArray[np.int64],
    used: Sequence[int],
    real: RealFrames | None,
) -> RealFrames:
    """Crop every version of one video and keep the frames that all versions have."""
    thumbs: dict[tuple[str, int], Frame] = {}
    lost: dict[int, str] = dict(real.lost) if real else dict(faces.unread)
    for frame in map(int, wanted):
        if not faces.at(frame, used):
            lost.setdefault(frame, "no face was found" if not faces.tracks else "the face was not found")
    rows: list[dict[str, Any]] = []
    for source in sources:
        reader = _Reader(draft, source, [frame for frame in map(int, wanted) if frame not in lost])
        for frame, picture in reader:
            thumbs[source.video.compression, frame] = thumb = thumbnail(picture)
            pair = real.thumbs[source.video.compression, frame] if real else None
            rows += [_row(draft, source, frame, picture, face, faces, (thumb, pair)) for face in faces.at(frame, used)]
        for frame in map(int, wanted):
            if frame not in reader.got:
                lost.setdefault(
                    frame, reader.reason if len(sources) == 1 else f"{source.video.compression}: {reader.reason}"
                )
    stage = "faces" if real is None else "pair"
    draft.rows += [row for row in rows if row["frame"] not in lost]
    for source in sources:
        _reject_frames(draft, source.video, [frame for frame in map(int, wanted) if frame in lost], lost, stage)
    return RealFrames(thumbs, lost)


def _reject_frames(draft: Draft, video: Video, gone: list[int], reasons: dict[int, str], stage: str) -> None:
    for frame in gone:
        draft.reject(video, frame, stage, reasons[frame])


def _row(
    draft: Draft,
    source: Source,
    frame: int,
    picture: Frame,
    face: tuple[int, NDArray[np.float32], float],
    faces: Faces,
    thumbs: tuple[Frame, Frame | None],
) -> dict[str, Any]:
    """Crop one face and describe it."""
    track, detected, score = face
    settings = draft.recipe.cropping
    enlarged = detected if draft.cropped else crops.enlarge(detected, faces.width, faces.height, settings)
    sizes = (faces.width, faces.height), (source.width, source.height)
    box = crops.rescale(enlarged, *sizes)
    crop = crops.crop(picture, box, settings)
    paired = thumbs[1] is not None
    if paired:
        match = alignment(thumbs[0], thumbs[1], enlarged, faces.width)  # type: ignore[arg-type]
    else:
        match = 1.0 if source.video.method == REAL else float("nan")
    return {
        "video": draft.sources.index(source),
        "frame": frame,
        "track": track,
        "offset": draft.crops.append(crop),
        "box": box,
        "score": score,
        "alignment": match,
        "landmarks": _landmarks(draft, crop, crops.to_crop(crops.rescale(detected, *sizes), box, settings)),
    }


def _landmarks(draft: Draft, crop: Frame, detected: NDArray[np.float32]) -> NDArray[np.float32]:
    """Place the landmarks from the detection; in a picture that was a crop already, from one made now."""
    if not draft.cropped:
        return dlib.landmarks(crop, detected, draft.recipe.detection.detector)
    found = dlib.detect(crop)
    return dlib.landmarks(crop, found[0].box) if found else np.full((dlib.POINTS, 2), np.nan, dtype=np.float32)
