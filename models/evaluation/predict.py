"""Scores of new videos and images: faces found, cropped and judged as the detector's training data was."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from PIL import Image

from models.data import corruptions
from models.data.collate import to_device
from models.data.corruptions import Perturbation
from models.data.loader import Loaded, Part
from models.detectors.base import Network
from models.detectors.spec import Plan
from models.evaluation.visualise import overlay
from models.runtime import checkpoint, devices
from pipeline.config import Cropping, Recipe, Sampling
from pipeline.config import overlay as over
from pipeline.crop import crops
from pipeline.errors import CheckpointError, DecodeError, FaceError
from pipeline.faces.tracks import Track, follow
from pipeline.faces.turn import TRIED, rare, seen, turn_of, turned
from pipeline.progress import Progress, Silent
from pipeline.store.writing import writing
from pipeline.video import frames

SHARE = 0.25  # of the longest track's frames: shorter ones are passers-by and false alarms
BATCH = 32
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Judge:
    """A detector ready for new files: its checkpoint, its network, and how its training data was made."""

    path: Path
    network: Network
    plan: Plan
    recipe: Recipe
    fabric: Fabric
    process: tuple[Perturbation, ...]


@dataclass(frozen=True)
class Face:
    """One person in a file.

    Attributes
    ----------
    frames : list of int
    boxes : list of list of float
        Left, top, right, bottom of what was judged, in the frame's pixels.
    scores : list of float
        Probability of fake in each frame.
    score : float
        Their mean.
    """

    frames: list[int]
    boxes: list[list[float]]
    scores: list[float]
    score: float


@dataclass(frozen=True)
class Verdict:
    """One file: its faces, the most suspicious first, and its score, which is that face's; or why there is none."""

    path: str
    score: float | None
    faces: list[Face]
    problem: str = ""
    turn: int = 0  # degrees clockwise by which its frames were turned, as upright they show no face; boxes are of those


def load(path: Path, device: str = "auto", precision: str = "32") -> Judge:
    """Read a detector from its checkpoint.

    Raises
    ------
    CheckpointError
        It cannot be read, or does not say how its data was made.
    """
    fabric = devices.start(device, precision)
    saved = checkpoint.load(path)
    if "recipe" not in saved.about:
        raise CheckpointError(f"{path} does not say how faces were cropped for its training.")
    plan = saved.detector.plan(saved.settings)
    network = devices.settle(fabric, saved.build()).eval()
    recipe = over(Recipe(), saved.about["recipe"], str(path))
    return Judge(path, network, plan, recipe, fabric, tuple(corruptions.parse(text) for text in plan.process))


def predict(
    judge: Judge, paths: Sequence[Path], wanted: int, pictures: Path | None = None, progress: Progress | None = None
) -> list[Verdict]:
    """Judge files.

    Parameters
    ----------
    judge : Judge
    paths : sequence of Path
        Videos, images, or folders of images.
    wanted : int
        Frames taken of each video, evenly spaced.
    pictures : Path, optional
        Folder for a picture of each file: its most suspicious frame's crop with the predicted map over it.
    progress : Progress, optional

    Returns
    -------
    list of Verdict
        In the files' order. A file that does not decode or shows no face has no score, and says why.

    Raises
    ------
    CheckpointError
        The detector's score of a face is no number.
    """
    verdicts = []
    with (progress or Silent()).stage("files", len(paths)) as advance:
        for number, path in enumerate(paths):
            try:
                verdict = _judge_file(judge, path, wanted, pictures and pictures / f"{number:03}_{path.stem}.png")
            except (DecodeError, FaceError) as error:
                verdict = Verdict(str(path), None, [], str(error))
            verdicts.append(verdict)
            advance(1, "")
    return verdicts


def _judge_file(judge: Judge, path: Path, wanted: int, picture: Path | None) -> Verdict:
    chosen = frames.choose(frames.probe(path).frames, wanted, Sampling(), 0)
    tracks, turn = _tracks(judge, path, chosen)
    if not tracks:
        raise FaceError(f"No face was found in {len(chosen)} frames.")
    longest = max(len(track.frames) for track in tracks)
    kept = [track for track in tracks if len(track.frames) >= SHARE * longest]
    faces, worst = [], (-1.0, np.empty(0, np.uint8), None)
    cut = _crops(path, turn, kept, judge.recipe.cropping)
    for track, (boxes, images) in zip(kept, cut, strict=True):
        scores, maps = _scores(judge, images)
        if not np.isfinite(scores).all():
            frame, count = track.frames[np.flatnonzero(~np.isfinite(scores))[0]], int((~np.isfinite(scores)).sum())
            raise CheckpointError(
                f"{judge.path} gives no number as the score of {count} of {len(scores)} crops of {path}, the first in "
                f"frame {frame}: its weights have left every range. Take an earlier checkpoint."
            )
        faces.append(Face(track.frames.tolist(), boxes.tolist(), scores.tolist(), float(scores.mean())))
        if picture and scores.max() > worst[0]:
            most = int(scores.argmax())
            worst = (float(scores[most]), images[most], None if maps is None else maps[most])
    if picture:
        _draw(picture, worst[1], worst[2])
    faces.sort(key=lambda face: -face.score)
    return Verdict(str(path), faces[0].score, faces, turn=turn)


def _tracks(judge: Judge, path: Path, chosen: NDArray[np.int64]) -> tuple[tuple[Track, ...], int]:
    """Follow the faces of a file; return also by how many degrees it was turned, where upright it hardly shows any."""
    settings, device = judge.recipe.detection, judge.fabric.device.type
    tracks = follow(frames.read(path, chosen), settings, device)
    if not rare(tracks, len(chosen)):
        return tracks, 0
    tried = frames.subset(chosen, TRIED)
    some = [frame for _, frame in frames.read(path, tried)]
    if not (degrees := turn_of(some, settings, device, seen(tracks, tried))):
        return tracks, 0
    upright = ((index, turned(frame, degrees)) for index, frame in frames.read(path, chosen))
    return follow(upright, settings, device), degrees


def _crops(
    path: Path, degrees: int, tracks: Sequence[Track], settings: Cropping
) -> list[tuple[NDArray[np.float32], Pixels]]:
    """Cut every track's boxes out in one pass over the frames; memory holds the crops, never the frames."""
    wanted = np.unique(np.concatenate([track.frames for track in tracks]))
    boxes: list[list[NDArray[np.float32]]] = [[] for _ in tracks]
    images: list[list[Pixels]] = [[] for _ in tracks]
    for index, coded in frames.read(path, wanted):
        frame = turned(coded, degrees)
        for number, track in enumerate(tracks):
            for place in np.flatnonzero(track.frames == index):
                box = crops.enlarge(track.boxes[place], frame.shape[1], frame.shape[0], settings)
                boxes[number].append(box)
                images[number].append(crops.crop(frame, box, settings))
    return [(np.stack(box), np.stack(image)) for box, image in zip(boxes, images, strict=True)]


def _scores(judge: Judge, images: Pixels) -> tuple[NDArray[np.float64], NDArray[np.float32] | None]:
    """Return the score of every crop, and its map where the detector draws one."""
    scores, maps = [], []
    for low in range(0, len(images), BATCH):
        some = images[low : low + BATCH].copy()
        for step in judge.process:
            some = np.stack([step(image, row) for row, image in enumerate(some)])
        batch = to_device(_loaded(some), judge.plan.size, judge.fabric.device)
        with torch.no_grad(), judge.fabric.autocast():
            outputs = judge.network(batch)
        scores.append(judge.network.score(outputs).cpu().numpy())
        drawn = judge.network.localise(outputs, images.shape[1])
        if drawn is not None:
            maps.append(drawn[:, 0].float().cpu().numpy())
    return np.concatenate(scores).astype(np.float64), np.concatenate(maps) if maps else None


def _loaded(images: Pixels) -> Loaded:
    """Return crops as a batch without labels."""
    count, side = len(images), images.shape[1]
    none = torch.zeros(count, dtype=torch.int64)
    content = np.tile(np.array([0, 0, side, side], np.float32), (count, 1))
    places = np.arange(count, dtype=np.int64)
    return Loaded(places, none, none, none, [Part(places, {"image": torch.from_numpy(images)}, content)])


def _draw(path: Path, image: Pixels, heat: NDArray[np.float32] | None) -> None:
    picture = image if heat is None else np.concatenate([image, overlay(image, heat)], axis=1)
    with writing(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)


def lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Say the verdicts for a screen."""
    for each in verdicts:
        if each.score is None:
            yield f"     -  {each.path}: {each.problem}"
        else:
            shown = sum(len(face.frames) for face in each.faces)
            yield f"{each.score:.4f}  {each.path}: {len(each.faces)} faces, {shown} crops judged"


def plain(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain values, numbers rounded for reading."""
    faces = [
        replace(
            face,
            boxes=[[round(edge, 1) for edge in box] for box in face.boxes],
            scores=[round(score, 6) for score in face.scores],
            score=round(face.score, 6),
        )
        for face in verdict.faces
    ]
    score = None if verdict.score is None else round(verdict.score, 6)
    return vars(verdict) | {"score": score, "faces": [vars(face) for face in faces]}
