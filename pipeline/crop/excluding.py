"""Faces and files that a list of exclusions names: they are planned as rejects, whatever they show."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.crop import crops
from pipeline.crop.reading import Context
from pipeline.crop.staging import Reject, Source
from pipeline.exclusions import Exclusion

if TYPE_CHECKING:
    from pipeline.crop.plan import Faces, Found, Take

STAGE = "exclude"
Dropped = Mapping[tuple[int, int], str]  # (frame, track) -> reason


def whole_file(path: str, context: Context) -> str:
    """Return why a file is not used at all; empty where no line names the whole of it."""
    return next((_reason(line) for line in context.exclude if line.video == path and line.frame is None), "")


def mark(main: "Take", takes: "Sequence[Take]", faces: "Faces", context: Context) -> "tuple[Take, tuple[Take, ...]]":
    """Note in what is planned which faces go: in every version of their video, of a real in its fakes too."""
    gone = _named(main, faces, context)
    of_real = {face: "its real face is excluded" for face in gone}
    marked = []
    for take in takes:
        here = {face: reason for face, reason in of_real.items() if face[1] in take.tracks and face[0] in take.frames}
        marked.append(dataclasses.replace(take, dropped={**here, **_named(take, faces, context)}))
    return dataclasses.replace(main, dropped=gone), tuple(marked)


def rejects(take: "Take") -> list[Reject]:
    """Return a reject for each face that goes, of each version."""
    return [
        Reject(source.video, frame, STAGE, why) for source in take.sources for (frame, _), why in take.dropped.items()
    ]


def _named(take: "Take", faces: "Faces", context: Context) -> Dropped:
    found: dict[tuple[int, int], str] = {}
    for source in take.sources:
        for line in context.exclude:
            if line.video == source.video.path and line.frame is not None and line.frame in take.frames:
                for face in faces.at(line.frame, take.tracks):
                    if line.shows(line.frame, _box(face, faces, source, context)):
                        found[line.frame, face.track] = _reason(line)
    return dict(sorted(found.items()))


def _box(face: "Found", faces: "Faces", source: Source, context: Context) -> NDArray[np.float32]:
    """Return the box to crop in a version's own pixels, but for what registration moves it by."""
    enlarged = crops.enlarge(face.box, faces.width, faces.height, context.recipe.cropping)
    return crops.rescale(
        face.box if context.cropped else enlarged, (faces.width, faces.height), (source.width, source.height)
    )


def _reason(line: Exclusion) -> str:
    return f"marked bad{f': {line.note}' if line.note else ''}"
