"""Settings of a detector: what `--set KEY=VALUE` changes, checked, each with what it does and where it comes from."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, TypeVar

from models.detectors.protocol import Preset
from pipeline.config import check, overlay
from pipeline.errors import ConfigError

# What the best checkpoint is chosen by; of `loss` the lowest. `method_auc`: mean of each method's against all reals.
METRICS = ("accuracy", "auc", "video_auc", "method_auc", "recall_mean", "loss")
SOURCES = ("paper", "code", "cited", "ours")  # the authors' code; the work that the paper builds on
AUGMENT = ("paper", "strong", "heavy", "off")
SWITCH = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}


def option(
    default: Any,
    about: str,
    source: str,
    *,
    choices: tuple[Any, ...] = (),
    low: float | None = None,
    high: float | None = None,
    named: Mapping[str, Any] | None = None,
) -> Any:
    """Give a setting its default, what it does, where the default comes from, and the values it may take.

    Parameters
    ----------
    default : bool, int, float, str or tuple of str, int or float
    about : str
        What the setting does.
    source : str
        One of `SOURCES`, and with it section, equation or reason: `paper, IV-A`; `ours: the paper gives none`.
    choices : tuple
        The values allowed; empty: any within the limits.
    low, high : float, optional
        Limits, both allowed.
    named : mapping, optional
        Values that can be given by name.
    """
    limits = {"choices": choices, "low": low, "high": high, "named": named or {}}
    return field(default=default, metadata={"about": about, "source": source, **limits})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of every detector; each detector's own class holds the paper's values and adds its own settings.

    Every new instance is checked: each value against the choices and limits of its field, then by `check` all values
    together.
    """

    preset: str = option("", "the paper's table row that these settings began with; set by preset=NAME", "ours")
    size: int = option(224, "side of the network's input, pixels", "ours", low=32)
    batch: int = option(32, "rows of an optimiser step, over all devices and micro-batches", "ours", low=1)
    epochs: int = option(20, "epochs of each phase of training", "ours", low=1)
    lr: float = option(1e-3, "learning rate before any decay", "ours", low=0.0)
    metric: str = option("auc", "validation figure that the best checkpoint is chosen by", "ours", choices=METRICS)
    augment: str = option(
        "paper", "augmentations: the paper's, two lists of ours for small data, or none", "paper", choices=AUGMENT
    )
    compression: str = option("", "rows of this compression alone; empty: all", "ours: a preset names the paper's")
    pairs: bool = option(
        False,
        "a batch's reals are those its fakes were made from, augmented as these are",
        "ours, off: no paper has it",
    )
    methods: tuple[str, ...] = option(
        (), "fakes of these methods alone, and all reals; empty: all", "ours: a preset names the paper's"
    )
    val_methods: tuple[str, ...] = option((), "the same for validation; empty: those of training", "ours")
    weights: str = option("", "ImageNet weights that training begins with, by timm's tag", "ours")

    def __post_init__(self) -> None:
        for about in fields(self):
            check(getattr(self, about.name), about.metadata, about.name)
        self.check()

    def check(self) -> None:
        """Raise ConfigError where two settings contradict each other."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `restore` reads them back."""
        return dataclasses.asdict(self)


SettingsT = TypeVar("SettingsT", bound=Settings)


def parse(
    kind: type[SettingsT], pairs: Sequence[str], presets: Mapping[str, Preset] | None = None, where: str = "--set"
) -> SettingsT:
    """Return a detector's settings with some values changed by `KEY=VALUE` texts.

    A list is written `a,b`, an empty one `none`, a switch `on` or `off`. `preset=NAME` stands for the values of that
    preset; the other texts take precedence over them, before or after it.

    Raises
    ------
    ConfigError
        A text without `=`, an unknown key or preset, or a value that its field does not accept.

    Examples
    --------
    >>> parse(Settings, ["lr=0.01", "methods=Deepfakes,FaceSwap"]).methods
    ('Deepfakes', 'FaceSwap')
    """
    written = dict(_split(pair, where) for pair in pairs)
    chosen = written.pop("preset", None)
    if not chosen:
        return restore(kind, written, where)
    preset = (presets or {}).get(chosen)
    if preset is None:
        known = ", ".join(presets or ()) or "none"
        raise ConfigError(f"{where}: there is no preset {chosen}; known are {known}.")
    if preset.of:
        raise ConfigError(
            f"{where}: preset {chosen} is an evaluation of what preset {preset.of} trains: train that one, then "
            f"forgery-eval --preset {chosen}."
        )
    base = dict(_split(pair, where) for pair in preset.settings)
    return restore(kind, base | written | {"preset": chosen}, where)


def restore(kind: type[SettingsT], values: Mapping[str, Any], where: str = "checkpoint") -> SettingsT:
    """Return settings made from texts, or from the plain values of `Settings.to_dict` after JSON.

    Raises
    ------
    ConfigError
        An unknown key, or a value that its field does not accept.
    """
    known = {about.name: about for about in fields(kind)}
    plain = {
        key: _plain(value, known[key], f"{where}: {key}") if isinstance(value, str) and key in known else value
        for key, value in values.items()
    }
    return overlay(kind(), plain, where)


def change(settings: SettingsT, pairs: Sequence[str], where: str = "--set") -> SettingsT:
    """Return settings with some values changed by `KEY=VALUE` texts; raises ConfigError as `parse` does."""
    return restore(type(settings), settings.to_dict() | dict(_split(pair, where) for pair in pairs), where)


class Described(NamedTuple):
    """A setting for a help screen, in texts."""

    key: str
    default: str
    takes: str
    about: str
    source: str


def describe(kind: type[Settings]) -> list[Described]:
    """Return every setting with its default, what it takes, what it does, and where its default comes from."""
    return [
        Described(
            about.name, _text(about.default), _takes(about), about.metadata.get("about", ""),
            about.metadata.get("source", ""),
        )
        for about in fields(kind)
    ]  # fmt: skip


def _takes(about: "dataclasses.Field[Any]") -> str:
    named = [f"{name} = {_text(value)}" for name, value in about.metadata.get("named", {}).items()]
    return ", ".join([*named, *map(_text, about.metadata.get("choices", ()))]) or _kind(about)


def _split(pair: str, where: str) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not (equals and key.strip()):
        raise ConfigError(f"{where} {pair}: write it as KEY=VALUE.")
    return key.strip(), value.strip()


def _plain(text: str, about: "dataclasses.Field[Any]", where: str) -> Any:
    """Return the plain value that a text stands for, by a field's named values or else the type of its default."""
    named = about.metadata.get("named", {})
    return named[text] if text in named else _of_type(text, about.default, where)


def _of_type(text: str, default: Any, where: str) -> Any:
    """Return a text in the type of a default; the text itself if it is none of that type."""
    if isinstance(default, tuple):
        items = () if text in ("", "none") else text.split(",")
        return [_of_type(item.strip(), default[0] if default else "", where) for item in items]
    if isinstance(default, bool):
        if text.lower() not in SWITCH:
            raise ConfigError(f"{where} must be on or off, not {text!r}.")
        return SWITCH[text.lower()]
    try:
        return type(default)(text)
    except ValueError:
        return text


def _kind(about: "dataclasses.Field[Any]") -> str:
    return "on, off" if isinstance(about.default, bool) else type(about.default).__name__


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return str(value)
