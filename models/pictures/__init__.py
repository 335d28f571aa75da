"""Pictures as the papers print them, of any evaluation: one function a file, and `PICTURES` with their names."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from models.evaluation.evaluate import Evaluation
from models.pictures import features, maps, noise, residuals
from pipeline.errors import ConfigError
from pipeline.store.writing import writing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Picture(NamedTuple):
    """A picture: what it shows, where a paper has it, and what draws it."""

    about: str
    source: str
    draw: Callable[[Evaluation], "Figure"]


PICTURES: Mapping[str, Picture] = {
    "noise": Picture("mean and variance of each face's noise, by method and compression", "locate, 3", noise.scatter),
    "sigma": Picture("how well a face's noise tells fakes, over the filter's sigma", "locate, 4", noise.sweep),
    "maps": Picture(
        "mean predicted map of each method, and its difference from the mean of all", "locate, 5", maps.mean
    ),
    "features": Picture("t-SNE of the network's features, by method", "locate, 6", features.embedding),
    "residuals": Picture(
        "residuals of a face of each method by every filter, five times enlarged, and the network's features",
        "grnet, 4, 5 and 10",
        residuals.grid,
    ),
}
ALL = "all"


def check(names: Sequence[str]) -> list[str]:
    """Return the names of pictures asked for, `all` for every one; raises ConfigError for an unknown one."""
    if unknown := sorted(set(names) - set(PICTURES) - {ALL}):
        raise ConfigError(f"There is no picture {', '.join(unknown)}; known are {', '.join(PICTURES)} and {ALL}.")
    return list(PICTURES) if ALL in names else list(dict.fromkeys(names))


def draw(names: Sequence[str], evaluation: Evaluation, folder: Path) -> tuple[list[Path], dict[str, str]]:
    """Write pictures as `NAME.png` into a folder.

    Returns
    -------
    files : list of Path
    left_out : dict of str to str
        Why the other pictures could not be drawn: the network, or the rows judged, do not have what they show.

    Raises
    ------
    WriteError
        A file cannot be written.
    """
    files, left_out = [], {}
    for name in names:
        try:
            figure = PICTURES[name].draw(evaluation)
        except ConfigError as error:
            left_out[name] = str(error)
            continue
        files.append(folder / f"{name}.png")
        with writing(str(files[-1])):
            folder.mkdir(parents=True, exist_ok=True)
            figure.savefig(files[-1], dpi=120)
    return files, left_out
