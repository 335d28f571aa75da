"""Make the sample dataset: decide its people, pairs and splits, then have every target's files made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.crew import RunAll, one_by_one
from pipeline.errors import ConfigError, ForgeryPrepError
from pipeline.files import write_json
from pipeline.progress import Progress, Silent
from pipeline.sample import layout, marker
from pipeline.sample.camera import Filmed
from pipeline.sample.footage import Clip, Still, survey_clip, survey_still
from pipeline.sample.task import Drawn, Source, Task, make_target
from pipeline.sample.traits import PEOPLE

FRAMES = 48  # of a drawn clip
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
FIRST_PORTRAIT = 900  # portraits count from here, as donors beside the clips


@dataclass(frozen=True)
class Summary:
    """Result of `make_sample`."""

    identities: int
    fakes: int  # per compression
    written: int  # files; 0 when everything was there
    left_out: tuple[str, ...]  # a sentence for each clip or portrait that could not be used


def make_sample(
    root: Path,
    *,
    seed: int = 0,
    videos: Path | None = None,
    portraits: Path | None = None,
    frames: int = FRAMES,
    people: int = PEOPLE,
    donors: int = 1,
    run_all: RunAll = one_by_one,
    progress: Progress | None = None,
) -> Summary:
    """Make a dataset in FaceForensics++'s layout.

    Parameters
    ----------
    root : Path
        Folder to make it in. What an earlier, interrupted call with the same settings left there is kept.
    seed : int
        Same seed, same bytes, whatever `run_all` does; decides the order of clips, and so their splits, as well.
    videos : Path, optional
        Folder of real clips to use instead of the photograph: each one with a face becomes an identity.
    portraits : Path, optional
        Folder of still portraits that serve as donors beside the clips; without clips, every portrait becomes an
        identity, in a clip where nothing but the camera moves.
    frames : int
        Length of each drawn clip.
    people : int
        How many people are drawn, an even number up to 20.
    donors : int
        How many others of the split give each identity their faces, as far as there are so many.
    run_all : callable
        Maps a function over tuples of arguments and yields an `Outcome` for each, in any order.
    progress : Progress, optional

    Raises
    ------
    ConfigError
        The folder holds something else, or there are not enough faces.
    WriteError
        The folder cannot be written.
    """
    if not 2 <= people <= PEOPLE or people % 2:
        raise ConfigError(f"The photograph gives an even number of people from 2 to {PEOPLE}, not {people}.")
    settings = marker.settings(
        seed, frames, people, donors, _listed(videos, VIDEO_SUFFIXES), _listed(portraits, IMAGE_SUFFIXES)
    )
    if (made := marker.start(root, settings)) is not None:
        return Summary(made["identities"], made["fakes"], 0, tuple(made["left_out"]))
    left_out: list[str] = []
    stills: list[Still] = _surveyed(survey_still, _listed(portraits, IMAGE_SUFFIXES), run_all, left_out)
    if videos is not None:
        clips = _surveyed(survey_clip, _listed(videos, VIDEO_SUFFIXES), run_all, left_out)
        shown: list[Source] = layout.shuffled(clips, seed)
    elif portraits is not None:
        shown = [Filmed(still, i, seed) for i, still in enumerate(layout.shuffled(stills, seed))]
        stills = []
    else:
        shown = [Drawn(i, frames, seed) for i in range(people)]
    if len(shown) < 2:
        marker.release(root)
        there = "is one" if shown else "is none"
        reasons = " ".join(["", *left_out])
        raise ConfigError(f"At least two clips or portraits with a face are needed; there {there}.{reasons}")
    sources = {f"{i:03d}": source for i, source in enumerate(shown)}
    splits, cast = _cast(sources, stills, donors)
    tasks = [Task(root, name, sources[name], tuple(cast[name])) for name in sources]
    written = _make(tasks, run_all, progress or Silent())
    for split, pairs in splits.items():
        write_json(root / "splits" / f"{split}.json", [list(pair) for pair in pairs])
    fakes = sum(len(each) for each in cast.values()) * len(marker.METHODS)
    summary = Summary(len(sources), fakes, written, tuple(left_out))
    named = {name: source.path.name for name, source in sources.items() if isinstance(source, Clip | Filmed)}
    marker.finish(root, settings, named, summary.identities, summary.fakes, summary.left_out)
    return summary


def _make(tasks: list[Task], run_all: RunAll, progress: Progress) -> int:
    written = 0
    with progress.stage("sample", len(tasks)) as advance:
        for outcome in run_all(make_target, [(task,) for task in tasks]):
            if outcome.failure:
                raise ForgeryPrepError(f"The clips of {tasks[outcome.number].name} were not made: {outcome.failure}.")
            written += outcome.value
            advance(1, "")
    return written


def _cast(
    sources: dict[str, Source], stills: Sequence[Still], rounds: int
) -> tuple[dict[str, layout.Pairs], dict[str, list[tuple[str, Source | Still]]]]:
    """Decide who is swapped with whom: others of one split, and portraits that no other split uses."""
    splits = {split: layout.pair_up(names, rounds) for split, names in layout.divide(list(sources)).items()}
    donors: dict[str, list[tuple[str, Source | Still]]] = {name: [] for name in sources}
    for pairs in splits.values():
        for one, other in pairs:
            donors[one].append((other, sources[other]))
            donors[other].append((one, sources[one]))
    for place, (name, still) in enumerate(zip(sources, stills, strict=False)):
        number = f"{FIRST_PORTRAIT + place:03d}"
        donors[name].append((number, still))
        next(pairs for pairs in splits.values() if any(name in pair for pair in pairs)).append((name, number))
    return splits, donors


def _surveyed(survey: Callable[[Path], Any], paths: Sequence[Path], run_all: RunAll, left_out: list[str]) -> list[Any]:
    outcomes = sorted(run_all(survey, [(path,) for path in paths]), key=lambda outcome: outcome.number)
    results = [
        outcome.value if not outcome.failure else f"{paths[outcome.number].name} {outcome.failure}."
        for outcome in outcomes
    ]
    left_out += [result for result in results if isinstance(result, str)]
    return [result for result in results if isinstance(result, Clip | Still)]


def _listed(folder: Path | None, suffixes: tuple[str, ...]) -> list[Path]:
    if folder is None:
        return []
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder.")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    if not files:
        raise ConfigError(f"{folder} holds no file ending in {', '.join(suffixes)}.")
    return files
