"""Prediction of files: several are searched side by side, judged here as they come, and drawn side by side."""

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.prediction import judging, pictures, tables
from models.prediction.finding import Found, Search, find, sampled
from models.prediction.inputs import Input
from models.prediction.judging import OVERLAYS, Panel
from models.prediction.pictures import Drawing, Marked
from models.prediction.verdicts import Verdict, conclude
from pipeline.crew import RunAll, one_by_one
from pipeline.errors import ConfigError
from pipeline.progress import Advance, Progress, Silent
from pipeline.store.writing import writing

AHEAD = 4  # files of a batch, for each that is worked on at a time
EVERY = 30.0  # seconds after which the tables are written, with what there is until then


@dataclass(frozen=True)
class Request:
    """How files are judged.

    Attributes
    ----------
    frames : int
        Taken of each video, evenly spaced; 0: all.
    given : float
        The pictures are face crops already, that many times as large as the detector's box; 0: faces are to be found.
    out : Path or None
        Folder for tables and pictures.
    overlay : str
        One of `judging.OVERLAYS`, or `auto`; of the first checkpoint.
    draw : bool
        Whether pictures are made.
    """

    frames: int = 32
    given: float = 0.0
    out: Path | None = None
    overlay: str = judging.AUTO
    draw: bool = True


@dataclass(frozen=True)
class Prediction:
    """Verdicts in the order of the files, and what it took."""

    verdicts: tuple[Verdict, ...]
    seconds: float

    @property
    def frames(self) -> int:
        """Frames looked at."""
        return sum(verdict.frames for verdict in self.verdicts)

    @property
    def crops(self) -> int:
        """Faces judged, one of each frame it is seen in."""
        return sum(len(face.frames) for verdict in self.verdicts for face in verdict.faces)

    @property
    def scored(self) -> int:
        """Files with a score."""
        return sum(verdict.score is not None for verdict in self.verdicts)


def check_crops(panel: Panel, given: float) -> str:
    """Say how crops that are given are taken.

    Raises
    ------
    ConfigError
        They show less around the face than the detectors were trained on.
    """
    scales = {cropping.scale for cropping in panel.croppings}
    if given < max(scales):
        raise ConfigError(
            f"The faces were cropped at {given:g} times the detector's box, and the detector was trained on "
            f"{max(scales):g} times: what is missing around them cannot be made up. Crop wider, or give whole pictures "
            "without --cropped."
        )
    first = panel.croppings[0]
    part = "judged whole" if given == first.scale else f"cut down to the middle {first.scale / given:.0%} of its sides"
    return (
        f"Each picture is taken for a face cropped at {given:g} times the detector's box and {part}, resized to "
        f"{first.size} pixels as in training ({first.scale:g} times the box, {first.fit})."
    )


def predict(
    panel: Panel,
    inputs: Sequence[Input],
    request: Request,
    run_all: RunAll = one_by_one,
    together: int = 1,
    progress: Progress | None = None,
) -> Prediction:
    """Judge files.

    Parameters
    ----------
    panel : Panel
    inputs : sequence of Input
    request : Request
    run_all : callable
        Maps a function over tuples of arguments and yields an `Outcome` for each, in any order.
    together : int
        Files that it works on at a time.
    progress : Progress, optional

    Raises
    ------
    CheckpointError
        A detector's score of a face is no number.
    WriteError
        A result cannot be written.
    """
    shown = progress or Silent()
    overlay = judging.overlay_of(panel.judges[0], request.overlay) if request.out and request.draw else "none"
    start = saved = time.monotonic()
    verdicts: list[Verdict] = []
    size = AHEAD * together
    try:
        with shown.stage("files", len(inputs)) as advance:
            for low in range(0, len(inputs), size):
                work = _Batch(panel, request, overlay, run_all, low)
                verdicts += work.judge(inputs[low : low + size], advance)
                if request.out and time.monotonic() - saved > EVERY:
                    tables.write(request.out, verdicts, panel.paths, time.monotonic() - start)
                    saved = time.monotonic()
    finally:
        seconds = time.monotonic() - start
        if request.out and verdicts:
            tables.write(request.out, verdicts, panel.paths, seconds)
    return Prediction(tuple(verdicts), seconds)


@dataclass(frozen=True)
class _Batch:
    """Files whose crops and maps are on disk at one time."""

    panel: Panel
    request: Request
    overlay: str
    run_all: RunAll
    first: int  # number of its first file

    def judge(self, inputs: Sequence[Input], advance: Advance) -> list[Verdict]:
        verdicts = {number: Verdict(str(one.path), None, [], one.problem) for number, one in enumerate(inputs)}
        with tempfile.TemporaryDirectory(prefix="forgery-predict-") as folder:
            there = [number for number, one in enumerate(inputs) if not one.problem]
            advance(len(inputs) - len(there), "")
            searches = {number: self._search(inputs[number].path, Path(folder) / str(number)) for number in there}
            drawings: dict[int, Drawing] = {}
            for outcome in self.run_all(find, [(searches[number],) for number in there]):
                number = there[outcome.number]
                if outcome.failure:
                    verdicts[number] = replace(
                        verdicts[number], problem=f"It could not be searched: {outcome.failure}."
                    )
                else:
                    verdicts[number], drawing = self._conclude(self.first + number, searches[number], outcome.value)
                    if drawing:
                        drawings[number] = drawing
                advance(int(number not in drawings), "")
            numbers = list(drawings)
            for outcome in self.run_all(pictures.draw, [(drawings[number],) for number in numbers]):
                number = numbers[outcome.number]
                verdict = verdicts[number]
                failed = f"its picture could not be made: {outcome.failure}"
                verdicts[number] = (
                    verdict.failed(failed) if outcome.failure else replace(verdict, picture=outcome.value)
                )
                advance(1, "")
        return list(verdicts.values())

    def _search(self, path: Path, staged: Path) -> Search:
        recipe = sampled(self.panel.recipe, self.request.frames)
        device = self.panel.fabric.device.type
        return Search(path, staged, recipe, self.panel.croppings, self.request.given, device)

    def _conclude(self, number: int, search: Search, found: Found) -> tuple[Verdict, Drawing | None]:
        """Score the staged crops, and say what is to be drawn."""
        scores: dict[str, NDArray[np.float64]] = {}
        heat = search.staged / "heat.raw"
        for judge in self.panel.judges if found.people else ():
            kind = self.panel.croppings.index(judge.recipe.cropping)
            side = judge.recipe.cropping.size
            images = np.memmap(search.crops_of(kind), dtype=np.uint8, mode="r").reshape(-1, side, side, 3)
            drawn = self.overlay != "none" and judge is self.panel.judges[0]
            with writing(str(heat)), heat.open("ab") as file:
                scores[judge.name] = judging.score(self.panel, judge, images, self.overlay, file if drawn else None)
        verdict = conclude(str(search.path), found, scores, self.panel.paths)
        if not (self.request.out and self.request.draw and found.people):
            shutil.rmtree(search.staged, ignore_errors=True)
            return verdict, None
        return verdict, self._drawing(number, search, found, verdict, scores, heat if heat.stat().st_size else None)

    def _drawing(
        self, number: int, search: Search, found: Found, verdict: Verdict, scores: dict[str, NDArray[np.float64]],
        heat: Path | None,
    ) -> Drawing:  # fmt: skip
        assert self.request.out is not None
        assert found.source is not None
        mean = np.mean(list(scores.values()), axis=0)
        people = sorted(found.people, key=lambda person: -float(mean[person.rows].mean()))
        faces = tuple(Marked(one.frames, one.boxes[0], mean[one.rows], one.rows) for one in people)
        cropping = self.panel.judges[0].recipe.cropping
        path = self.request.out / f"{number:03}_{search.path.stem}"
        lines = (f"{search.path.name}: {verdict.score:.2f}", *self._legend())
        return Drawing(search, found.source, found.asked, faces, cropping, heat, lines, found.rate, path)

    def _legend(self) -> Iterator[str]:
        names = self.panel.names
        by = f"the mean of {', '.join(names)}" if len(names) > 1 else names[0]
        yield f"1: 0.93 = face 1 is fake with probability 0.93, by {by}"
        if self.overlay != "none":
            yield f"colour: {OVERLAYS[self.overlay].about}, by {names[0]}"
