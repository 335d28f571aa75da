"""Recipe settings: frozen dataclasses, the only place of the defaults; `manifests/recipes/*.toml` override them."""

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import ConfigError

_PACKAGED = Path(__file__).resolve().parent / "manifests"  # where a wheel carries them
MANIFESTS = _PACKAGED if _PACKAGED.is_dir() else _PACKAGED.parent.parent / "manifests"
RECIPES = MANIFESTS / "recipes"
SPLITS = ("train", "val", "test")
TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}  # in error sentences
ITEMS = {int: "whole numbers", float: "numbers", str: "names"}

Settings = TypeVar("Settings")


def setting(default: Any, *, choices: tuple[Any, ...] = (), low: float | None = None, high: float | None = None) -> Any:
    """Give a dataclass field its default and the values it may take."""
    return field(default=default, metadata={"choices": choices, "low": low, "high": high})


@dataclass(frozen=True)
class Counts:
    """Frames asked for from one video, by its split."""

    train: int = setting(270, low=1)
    val: int = setting(100, low=1)
    test: int = setting(100, low=1)


@dataclass(frozen=True)
class Sampling:
    """Frame selection: chosen once on the real video; the frames of a fake are a subset of them.

    A video shorter than its count gives every frame it has. `even` spreads the count over the whole video, `random`
    draws it with a seed of its own per video, `stride` takes every `stride`-th frame and `all` every frame (both
    ignore the counts).
    """

    method: str = setting("even", choices=("even", "random", "stride", "all"))
    stride: int = setting(10, low=1)
    real: Counts = field(default_factory=Counts)
    fake: Counts = field(default_factory=Counts)
    decoder: str = setting("auto", choices=("auto", "decord", "pyav"))

    def count(self, real: bool, split: str) -> int:
        """Return how many frames are asked for from a real or a fake video of a split."""
        return int(getattr(self.real if real else self.fake, split))


@dataclass(frozen=True)
class Detection:
    """Face detection, tracking, and matching of fakes to their real."""

    detector: str = setting("mtcnn", choices=("mtcnn", "dlib"))
    threshold: float = setting(0.99, low=0.0, high=1.0)  # MTCNN's probability
    dlib_threshold: float = setting(0.0)  # dlib's score is a margin, not a probability
    min_face: int = setting(20, low=8)  # pixels of the native frame
    search: float = setting(2.5, low=1.0)  # side of the region searched, in sides of the last face
    full_every: int = setting(8, low=1)  # sampled frames between looks at the whole frame, for people who come in late
    min_alignment: float = setting(0.5, low=-1.0, high=1.0)  # background SSIM below which two videos are no pair
    registration: str = setting("refuse", choices=("refuse", "follow", "off"))  # fakes that are late, cropped, ...


@dataclass(frozen=True)
class Cropping:
    """From a detection to the stored crop."""

    size: int = setting(256, low=32, high=2048)  # pixels, both sides
    scale: float = setting(1.3, low=1.0, high=4.0)
    fit: str = setting("square", choices=("square", "letterbox"))


@dataclass(frozen=True)
class Levels:
    """One value for each amount of compression; `native` data counts as `raw` when lossless, else as `c23`."""

    raw: float = setting(5.0, low=0.0)
    c23: float = setting(5.0, low=0.0)
    c40: float = setting(10.0, low=0.0)


@dataclass(frozen=True)
class Labelling:
    """Parameters of every label kind; `pipeline.labels` says what each does."""

    kinds: tuple[str, ...] = ("ssim", "mask", "noise", "hull", "boundary")
    ssim_window: int = setting(5, low=3)  # odd side, pixels
    ssim_threshold: Levels = field(default_factory=lambda: Levels(5.0, 13.0, 26.0))  # of 255 (1 - SSIM)
    threshold: str = setting("table", choices=("table", "measured"))  # of ssim: as above, or from each pair's noise
    ssim_close: int = setting(5, low=1)  # ellipse, pixels
    ssim_hole: int = setting(64, low=0)  # holes of fewer pixels are filled
    ssim_minimum: int = setting(8, low=0)  # a fake face with fewer manipulated pixels is labelled real
    ssim_background: float = setting(0.5, low=0.0, high=1.0)  # share of the surroundings above which there is no label
    mask_threshold: float = setting(0.1, low=0.0, high=1.0)
    noise_sigma: Levels = field(default_factory=Levels)  # grey levels
    hull_gamma: Levels = field(default_factory=Levels)  # grey levels
    hull_background: float = setting(0.5, low=0.0, high=1.0)  # as ssim_background
    boundary_kernel: int = setting(7, low=3)  # ellipse, pixels


@dataclass(frozen=True)
class Blending:
    """BiG-Arts forgery augmentation; `pipeline.blend` says what each does."""

    kinds: tuple[str, ...] = ("rr", "fr")
    per_frame: int = setting(1, low=0)  # blends of each kind per real row
    candidates: float = setting(0.1, low=0.0, high=1.0)  # share of the split's other real videos searched
    avoid_donor: bool = setting(True)  # no fake is pasted onto the person whose face it carries, while there are others
    grid: int = setting(4, low=2)
    sigma_low: float = setting(0.01, low=0.0, high=1.0)  # of the side
    sigma_high: float = setting(0.15, low=0.0, high=1.0)
    erode: int = setting(21, low=1)  # largest kernel, pixels
    dilate: int = setting(5, low=1)
    expand: int = setting(15, low=1)  # dilation of the difference mask, pixels
    colour_transfer: bool = setting(True)
    feather: float = setting(0.2, low=0.0, high=1.0)  # of the mask's size; 0 = hard edge


@dataclass(frozen=True)
class Chunking:
    """Division of arrays into chunks and shards."""

    shard: int = setting(128, low=1)  # samples in one shard, the unit of writing
    codec: str = setting("zstd", choices=("zstd", "lz4"))  # lz4: larger, faster to read; the same values
    level: int = setting(1, low=0, high=9)  # of the codec, as Blosc counts


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the bytes of a store, beside the manifest and the data."""

    name: str = "default"
    seed: int = setting(0, low=0)
    sampling: Sampling = field(default_factory=Sampling)
    detection: Detection = field(default_factory=Detection)
    cropping: Cropping = field(default_factory=Cropping)
    labelling: Labelling = field(default_factory=Labelling)
    blending: Blending = field(default_factory=Blending)
    chunking: Chunking = field(default_factory=Chunking)

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain values, ready for JSON."""
        return dataclasses.asdict(self)


def overlay(settings: Settings, values: Mapping[str, Any], where: str) -> Settings:
    """Return settings with some values replaced.

    Parameters
    ----------
    settings : dataclass instance
        Supplies what `values` leaves out, and every type and range.
    values : mapping
        Names to plain values, nested as the dataclasses are.
    where : str
        Where the values come from, for error sentences.

    Raises
    ------
    ConfigError
        An unknown name, a value of the wrong type or outside its range.
    """
    fields = {about.name: about for about in dataclasses.fields(settings)}  # type: ignore[arg-type]
    if unknown := sorted(set(values) - set(fields)):
        raise ConfigError(f"{where}: no setting is called {', '.join(unknown)}; known are {', '.join(fields)}.")
    typed = {name: _typed(value, getattr(settings, name), f"{where}: {name}") for name, value in values.items()}
    for name, value in typed.items():
        check(value, fields[name].metadata, f"{where}: {name}")
    return dataclasses.replace(settings, **typed)  # type: ignore[type-var]


def check(value: Any, limits: Mapping[str, Any], where: str) -> None:
    """Check a value, or every item of a list, against the choices and limits of its setting.

    Parameters
    ----------
    value : Any
        Of its setting's type.
    limits : mapping
        Metadata of the field, as `setting` makes it.
    where : str
        Where the value comes from, for error sentences.

    Raises
    ------
    ConfigError
        It is none of the choices, or outside the limits (NaN always is).
    """
    choices, low, high = (limits.get(key) for key in ("choices", "low", "high"))
    for item in value if isinstance(value, tuple) else (value,):
        if choices and item not in choices:
            raise ConfigError(f"{where} is {item!r}; it must be one of {', '.join(map(str, choices))}.")
        if (low is not None and not item >= low) or (high is not None and not item <= high):
            most = "" if high is None else f" and at most {high}"
            raise ConfigError(f"{where} is {item}; it must be at least {low}{most}.")


def load_recipe(name: str, sampling: Mapping[str, Any] | None = None, dataset: str = "") -> Recipe:
    """Read a recipe by its name or its file.

    A recipe's `base` names another that it changes; its tables `[datasets.NAME. ...]` hold for that dataset alone.

    Parameters
    ----------
    name : str
        Name of a file in `manifests/recipes` without its ending, or a path to any `.toml` file.
    sampling : mapping, optional
        The dataset's own sampling (its manifest's `[sampling]` table), which the recipe's overrides.
    dataset : str, optional

    Raises
    ------
    ConfigError
        No such recipe, or one of its values is wrong.
    """
    path, values = _read(name)
    layers = [(path, values)]
    if "base" in values:
        layers.insert(0, _read(str(values.pop("base"))))
    recipe = overlay(Recipe(name=path.stem), {"sampling": dict(sampling or {})}, "the manifest")
    for file, layer in layers:
        where = f"recipe {file.name}"
        layer.pop("description", None)
        own = layer.pop("datasets", {})
        if not isinstance(own, Mapping):
            raise ConfigError(f"{where}: datasets must be a table of datasets' names.")
        recipe = overlay(recipe, layer, where)
        for each, changes in own.items():
            changed = _typed(changes, recipe, f"{where}: datasets.{each}")
            recipe = changed if each == dataset else recipe
    return recipe


def _read(name: str) -> tuple[Path, dict[str, Any]]:
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in RECIPES.glob("*.toml")))
        raise ConfigError(f"There is no recipe {name}; known are {known}, or give the path of a .toml file.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"Recipe {path} cannot be read: {error}.") from error


def digest(value: Any) -> str:
    """Return the SHA-256 of a plain value's canonical JSON, as hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Name every setting in which two nested plain mappings differ, each with both values."""
    found: list[str] = []
    for name in sorted(set(old) | set(new)):
        before, after = old.get(name), new.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += differences(before, after, f"{prefix}{name}.")
        elif before != after:
            found.append(f"{prefix}{name} (was {_said(before)}, now {_said(after)})")
    return found


def _said(value: Any) -> str:
    return "none" if value is None else str(value)


def _typed(value: Any, default: Any, where: str) -> Any:
    """Return a value in the type of its setting's default; raises ConfigError."""
    if dataclasses.is_dataclass(default):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} must be a table, not {value!r}.")
        return overlay(default, value, where)
    several = isinstance(default, tuple)
    wanted = type(default) if not several else type(default[0]) if default else str
    items = value if several and isinstance(value, list | tuple) else [value]
    typed = tuple(float(item) if wanted is float and type(item) is int else item for item in items)
    if several != isinstance(value, list | tuple) or any(type(item) is not wanted for item in typed):
        kind = f"a list of {ITEMS[wanted]}" if several else TYPES[wanted]
        raise ConfigError(f"{where} must be {kind}, not {value!r}.")
    return typed if several else typed[0]
