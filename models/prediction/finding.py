"""Faces of one file: found, followed and cropped as a run does it with a real video, in a process of its own."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Counts, Cropping, Recipe, Sampling
from pipeline.crop import crops
from pipeline.crop.plan import Faces, plan
from pipeline.crop.reading import Context, Reader
from pipeline.crop.staging import Source
from pipeline.errors import RejectError, SourceError
from pipeline.faces import near
from pipeline.faces.tracks import Track
from pipeline.manifest.records import NATIVE, REAL, Video
from pipeline.store.writing import writing
from pipeline.video import frames

SHARE = 0.25  # of the longest track's frames: shorter ones are passers-by and false alarms
WHOLE = -1  # in place of a frame: the whole file
Boxes = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Search:
    """What a process needs to find and crop the faces of one file.

    Attributes
    ----------
    path : Path
    staged : Path
        Folder for the crops; the process makes it.
    recipe : Recipe
        Detection and sampling; from `sampled`.
    croppings : tuple of Cropping
        The kinds of crop that are needed.
    given : float
        The pictures are face crops already, that many times as large as the detector's box; 0: faces are to be found.
    device : str
        For the detector.
    """

    path: Path
    staged: Path
    recipe: Recipe
    croppings: tuple[Cropping, ...]
    given: float = 0.0
    device: str = "cpu"

    @property
    def context(self) -> Context:
        """Settings under which a group's videos are read."""
        return Context(Path(), self.recipe, self.device, cropped=self.given > 0)

    def crops_of(self, kind: int) -> Path:
        """Return the file of the crops of one kind: raw uint8, (rows, size, size, 3)."""
        return self.staged / f"crops-{kind}.raw"


@dataclass(frozen=True, eq=False)
class Person:
    """One person in a file; n frames show the face.

    Attributes
    ----------
    frames : ndarray of shape (n,), int64
        Increasing.
    detection : ndarray of shape (n,), float32
        The detector's score.
    boxes : ndarray of shape (kinds, n, 4), float32
        What was cropped, for each kind of crop: left, top, right, bottom in pixels of the frame.
    rows : ndarray of shape (n,), int64
        Places of the crops in the staged files.
    """

    frames: Ints
    detection: NDArray[np.float32]
    boxes: Boxes
    rows: Ints


@dataclass(frozen=True, eq=False)
class Found:
    """Faces of one file.

    Attributes
    ----------
    people : tuple of Person
        The most important one first.
    asked : ndarray of shape (n,), int64
        Frames that were sampled.
    lost : tuple of (int, str)
        Frames without a face, or -1 for the whole file, and why.
    source : Source or None
        The file as it is read; None where it cannot be.
    rate : float
        Frames per second; 0 where the file states none.
    problem : str
        Why there is nobody.
    """

    people: tuple[Person, ...] = ()
    asked: Ints = dataclasses.field(default_factory=lambda: np.empty(0, np.int64))
    lost: tuple[tuple[int, str], ...] = ()
    source: Source | None = None
    rate: float = 0.0
    problem: str = ""


def sampled(recipe: Recipe, wanted: int) -> Recipe:
    """Return a recipe that takes so many frames of every video, evenly spaced; 0: all."""
    counts = Counts(*[max(wanted, 1)] * 3)
    method = "even" if wanted else "all"
    sampling = Sampling(method=method, real=counts, fake=counts, decoder=recipe.sampling.decoder)
    return dataclasses.replace(recipe, sampling=sampling)


def find(search: Search) -> Found:
    """Find and follow the faces of one file and stage their crops.

    The file is planned as a real video of a run is, so that frames, boxes and turn are those that a run would store.
    """
    video = Video(str(search.path), str(search.path), REAL, NATIVE, "test", "", str(search.path))
    try:
        planned, rejects = plan((video,), (), search.context)
    except (RejectError, SourceError) as error:
        return Found(problem=str(error))
    damage = tuple((WHOLE, reject.reason) for reject in rejects)
    if planned is None:
        return Found(problem=rejects[0].reason if rejects else f"{search.path} cannot be read.")
    source, faces = planned.sources[0], planned.faces
    kept, passers_by = _lasting(faces.tracks)
    lost, problem = _missed(search, faces, kept)
    people = tuple(_stage(search, source, kept)) if kept else ()
    rate = frames.rate(search.path)
    return Found(people, faces.frames, (*damage, *passers_by, *lost), source, rate, problem)


def _lasting(tracks: Sequence[Track]) -> tuple[list[Track], tuple[tuple[int, str], ...]]:
    """Return the tracks that are somebody, and what to tell of the others."""
    longest = max((len(track.frames) for track in tracks), default=0)
    kept = [track for track in tracks if len(track.frames) >= SHARE * longest]
    told = tuple(
        (int(track.frames[0]), f"a face is seen in {len(track.frames)} frames, this one first: too few to be judged")
        for track in tracks
        if len(track.frames) < SHARE * longest
    )
    return kept, told


def _missed(search: Search, faces: Faces, kept: Sequence[Track]) -> tuple[tuple[tuple[int, str], ...], str]:
    """Say of every sampled frame without a face why, and of a file without any what to tell of it."""
    shown = np.unique(np.concatenate([track.frames for track in kept])) if kept else np.empty(0, np.int64)
    without = np.setdiff1d(faces.frames, shown)
    read = np.array([frame for frame in without.tolist() if frame not in faces.unread], np.int64)
    settings = search.recipe.detection
    lost = tuple(
        (frame, faces.unread.get(frame, f"no face was found{near.told(faces.near.get(frame), settings)}"))
        for frame in without.tolist()
    )
    if kept:
        return lost, ""
    if not len(read):
        return lost, next(iter(faces.unread.values()), "It holds no frame.")
    most = max(faces.near.values(), key=lambda face: face.score, default=None)
    several = f"{len(read)} frames" if len(read) > 1 else "it"
    return lost, f"No face was found in {several}{near.told(most, settings)}."


def _stage(search: Search, source: Source, tracks: Sequence[Track]) -> Iterator[Person]:
    """Cut every track's boxes out in one pass over the frames, and write the crops in the order of the frames."""
    wanted = np.unique(np.concatenate([track.frames for track in tracks]))
    places: list[list[int]] = [[] for _ in tracks]
    boxes: list[list[list[Boxes]]] = [[] for _ in tracks]
    rows: list[list[int]] = [[] for _ in tracks]
    count = 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(writing(str(search.staged)))
        search.staged.mkdir(parents=True, exist_ok=True)
        files = [stack.enter_context(search.crops_of(kind).open("wb")) for kind in range(len(search.croppings))]
        for index, frame in Reader(search.context, source, wanted):
            for number, track in enumerate(tracks):
                for place in np.flatnonzero(track.frames == index).tolist():
                    boxes[number].append(_crop(search, frame, track.boxes[place], files))
                    places[number].append(place)
                    rows[number].append(count)
                    count += 1
    for number, track in enumerate(tracks):
        if rows[number]:
            some = np.array(places[number])
            cut = np.asarray(boxes[number], np.float32).swapaxes(0, 1)
            yield Person(track.frames[some], track.scores[some], cut, np.array(rows[number], np.int64))


def _crop(search: Search, frame: NDArray[np.uint8], detected: Boxes, files: Sequence[BinaryIO]) -> list[Boxes]:
    """Write the crop of each kind of one face, and return what was cropped."""
    height, width = frame.shape[:2]
    boxes = []
    for settings, file in zip(search.croppings, files, strict=True):
        if search.given:
            box = _middle(detected, settings.scale / search.given)
        else:
            box = crops.enlarge(detected, width, height, settings)
        file.write(crops.crop(frame, box, settings).tobytes())
        boxes.append(box)
    return boxes


def _middle(box: Boxes, share: float) -> Boxes:
    """Return the middle of a box, (4,): what is left of a crop that was cut wider than in training."""
    centre, half = (box[:2] + box[2:]) / 2, share * (box[2:] - box[:2]) / 2
    return np.concatenate([centre - half, centre + half]).astype(np.float32)
