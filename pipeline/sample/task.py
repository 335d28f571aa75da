"""One target's share of the sample: its real clip, every fake of it and their masks, in every compression."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.sample.actor import RATE, Performance, perform, track
from pipeline.sample.camera import Filmed, film
from pipeline.sample.footage import Clip, Still, load_clip, load_still
from pipeline.sample.forgery import Donor, Shot, settle, shoot
from pipeline.sample.geometry import Points
from pipeline.sample.layout import CRF, fake_path, mask_path, real_path
from pipeline.sample.manipulations import MANIPULATIONS
from pipeline.video.encode import write_video

PRESETS = {"raw": "ultrafast", "c23": "medium", "c40": "medium"}  # lossless gains little from a longer search


@dataclass(frozen=True)
class Drawn:
    """A clip of an invented person."""

    number: int
    frames: int
    seed: int


Source = Drawn | Clip | Filmed


@dataclass(frozen=True)
class Task:
    """Everything one call of `make_target` needs; small and picklable."""

    root: Path
    name: str  # the target's number, three digits
    target: Source
    donors: tuple[tuple[str, Source | Still], ...]  # number and picture source of each


def make_target(task: Task) -> int:
    """Make the files of one target that are not there yet.

    Returns
    -------
    int
        Files written.
    """
    reals = {compression: task.root / real_path(task.name, compression) for compression in CRF}
    pending = [(name, source, method) for name, source in task.donors for method in MANIPULATIONS
               if not _complete(task.root, method, task.name, name)]  # fmt: skip
    if not pending and all(path.exists() for path in reals.values()):
        return 0
    target = _performance(task.target)
    written = _write_all(reals, target.frames)
    shots: dict[str, list[Shot]] = {}
    for name, source, method in pending:
        if name not in shots:
            shots = {name: _shots(target, _donor(source))}  # one donor at a time: shots are large
        fakes, masks = _forge(target, shots[name], method)
        mask = task.root / mask_path(method, task.name, name)
        written += _write_all({c: task.root / fake_path(method, task.name, name, c) for c in CRF}, fakes)
        if not mask.exists():
            write_video(mask, _as_frames(masks), fps=RATE, crf=CRF["raw"], preset=PRESETS["raw"])
            written += 1
    return written


def _shots(target: Performance, donor: Donor) -> list[Shot]:
    return [
        shoot(frame, points, donor, i)
        for i, (frame, points) in enumerate(zip(target.frames, target.landmarks, strict=True))
    ]


def _forge(
    target: Performance, shots: list[Shot], method: str
) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    settled = [
        settle(frame, shot, MANIPULATIONS[method](shot)) for frame, shot in zip(target.frames, shots, strict=True)
    ]
    return [fake for fake, _ in settled], [mask for _, mask in settled]


def _performance(source: Source) -> Performance:
    if isinstance(source, Clip):
        return load_clip(source)
    if isinstance(source, Filmed):
        return film(source)
    return perform(source.number, source.frames, source.seed)


def _donor(source: Source | Still) -> Donor:
    """Take the donor's picture from the frame in which it is most itself."""
    if isinstance(source, Still | Filmed):
        image, points = load_still(source.still if isinstance(source, Filmed) else source)
        return Donor(image, points, points[None])
    if isinstance(source, Drawn):
        points = track(source.number, source.frames, source.seed)
    else:
        points = source.landmarks.astype(np.float64)
    best = _best_frame(points)
    return Donor(_picture(source, best), points[best], points)


def _best_frame(points: Points) -> int:
    """Choose, among the half of the frames with the wider eyes, the one whose landmarks are most like their median.

    A hand before the face, a blink or a turned head is seen in the landmarks, which then are unlike all others.
    """
    centred = points - points.mean(axis=1, keepdims=True)
    centred = centred / np.linalg.norm(centred, axis=(1, 2), keepdims=True)
    opening = np.linalg.norm(centred[:, [37, 38, 43, 44]] - centred[:, [41, 40, 47, 46]], axis=2).mean(axis=1)
    unlike = np.linalg.norm(centred - np.median(centred, axis=0), axis=(1, 2))
    return int(np.argmin(np.where(opening >= np.median(opening), unlike, np.inf)))


def _picture(source: Drawn | Clip, frame: int) -> NDArray[np.uint8]:
    if isinstance(source, Clip):
        return np.asarray(load_clip(source, [frame]).frames[0])
    return np.asarray(perform(source.number, source.frames, source.seed, [frame]).frames[0])


def _write_all(paths: dict[str, Path], frames: NDArray[np.uint8] | list[NDArray[np.uint8]]) -> int:
    missing = {compression: path for compression, path in paths.items() if not path.exists()}
    for compression, path in missing.items():
        write_video(path, iter(frames), fps=RATE, crf=CRF[compression], preset=PRESETS[compression])
    return len(missing)


def _as_frames(masks: list[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    for mask in masks:
        yield np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)


def _complete(root: Path, method: str, target: str, donor: str) -> bool:
    files = [fake_path(method, target, donor, compression) for compression in CRF] + [mask_path(method, target, donor)]
    return all((root / file).exists() for file in files)
