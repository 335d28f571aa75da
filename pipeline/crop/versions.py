"""The same faces cropped from every version of one video; a frame that one version lacks is kept of none."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Recipe
from pipeline.crop import crops
from pipeline.crop.alignment import alignment, thumbnail
from pipeline.crop.staging import Crops, Reject, Source
from pipeline.errors import DecodeError
from pipeline.faces import dlib
from pipeline.faces.tracks import Track
from pipeline.manifest import REAL, Video
from pipeline.video import frames

Frame = NDArray[np.uint8]


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


class Reader:
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


def crop_versions(
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
        reader = Reader(draft, source, [frame for frame in map(int, wanted) if frame not in lost])
        for frame, picture in reader:
            thumbs[source.video.compression, frame] = thumb = thumbnail(picture)
            pair = real.thumbs[source.video.compression, frame] if real else None
            rows += [_row(draft, source, frame, picture, face, faces, (thumb, pair)) for face in faces.at(frame, used)]
        for frame in map(int, wanted):
            if frame not in reader.got:
                lost.setdefault(
                    frame, reader.reason if len(sources) == 1 else f"{source.video.compression}: {reader.reason}"
                )
    draft.rows += [row for row in rows if row["frame"] not in lost]
    stage = "faces" if real is None else "pair"
    for source in sources:
        for frame in (frame for frame in map(int, wanted) if frame in lost):
            draft.reject(source.video, frame, stage, lost[frame])
    return RealFrames(thumbs, lost)


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
