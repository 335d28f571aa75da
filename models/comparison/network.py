"""In what a trained network is not what a preset trains: data, frames, settings, weights."""

from collections.abc import Iterator, Mapping
from typing import Any

from models.comparison import sampling
from models.detectors.base import Detector
from models.detectors.protocol import Preset
from models.detectors.settings import Settings
from pipeline.config import Recipe, overlay

OF_DATA = ("preset", "methods", "compression")  # settings that name rows: said with the data


def remarks(about: Mapping[str, Any], detector: Detector, name: str, preset: Preset) -> list[str]:
    """Return what differs, one sentence each.

    Parameters
    ----------
    about : mapping
        Description of the run that a checkpoint holds.
    detector : Detector
    name : str
        Of the preset, which `preset` is.
    preset : Preset
        Where it is an evaluation, the one it is of was to be trained.
    """
    trained = detector.parse([f"preset={preset.of or name}"])
    here = detector.restore(about["settings"])
    found = [*_of_data(about, here, preset), *_of_settings(here, trained)]
    if "weights" in about and about["weights"] is None and not about.get("init"):
        found.append("training began with random weights; in the paper with ImageNet's")
    if about.get("init"):
        found.append("training began with another run's weights (--init)")
    if "value" in about and about["value"] is None:
        found.append(f"training was stopped after {about.get('step', 0)} steps, before its first validation")
    return found


def _of_data(about: Mapping[str, Any], here: Settings, preset: Preset) -> Iterator[str]:
    data = preset.data
    if data is None:
        return
    datasets = list(about.get("datasets", ()))
    if datasets and datasets != [data.dataset]:
        yield f"trained on {', '.join(datasets)}; in the paper on {data.dataset}"
    if set(here.methods) != set(data.methods):
        fakes = ", ".join(here.methods) or "every method"
        yield f"trained on fakes of {fakes}; in the paper of {', '.join(data.methods)}"
    if here.compression != data.compression:
        yield f"trained on compression {here.compression or 'any'}; in the paper {data.compression or 'as distributed'}"
    if "recipe" in about:
        recipe = overlay(Recipe(), about["recipe"], "checkpoint")
        if other := sampling.different(recipe.sampling, data.sampling, "train"):
            yield f"trained on {other}"


def _of_settings(here: Settings, trained: Settings) -> Iterator[str]:
    ours, papers = here.to_dict(), trained.to_dict()
    changed = [key for key in papers if key not in OF_DATA and ours[key] != papers[key]]
    if changed:
        said = ", ".join(f"{key}={_listed(ours[key]) or 'none'} ({_listed(papers[key]) or 'none'})" for key in changed)
        yield f"trained with other settings than the preset's, which are in brackets: {said}"


def _listed(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)
