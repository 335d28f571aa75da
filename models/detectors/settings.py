"""Settings of a detector, changed by `--set KEY=VALUE`, and presets: named rows of a paper's tables."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from pipeline.config import check, overlay, setting
from pipeline.errors import ConfigError

METRICS = ("accuracy", "auc", "video_auc", "recall_mean", "loss")  # to choose the best by; of `loss` the lowest
AUGMENT = ("paper", "strong", "heavy", "off")
SWITCH = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of every detector; each detector's own class holds the paper's values and adds its own settings.

    Every new instance is checked: each value against the choices and limits of its field, then by `check` all values
    together.
    """

    size: int = setting(224, low=32)  # side of the network's input, pixels
    batch: int = setting(32, low=1)  # rows per optimiser step, over all devices and micro-batches
    epochs: int = setting(20, low=1)  # of each phase of training
    lr: float = setting(1e-3, low=0.0)  # learning rate before any decay
    metric: str = setting("auc", choices=METRICS)
    augment: str = setting("paper", choices=AUGMENT)  # paper's, ours (strong, heavy) or none
    compression: str = setting("")  # use only rows of this compression; empty: all
    pairs: bool = setting(False)  # ours: a batch's reals are those its fakes were made from, augmented alike
    methods: tuple[str, ...] = setting(())  # use only fakes of these methods, and all reals; empty: all

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


@dataclass(frozen=True)
class Preset:
    """Settings of one row of a table in the paper.

    `about` names the row, `values` are `KEY=VALUE` texts, and `reported` is the paper's result on its own data, which
    other data need not reproduce.
    """

    about: str
    values: tuple[str, ...]
    reported: str = ""


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
    if chosen is not None and chosen not in (presets or {}):
        known = ", ".join(presets or ()) or "none"
        raise ConfigError(f"{where}: there is no preset {chosen}; known are {known}.")
    base = dict(_split(pair, where) for pair in presets[chosen].values) if presets and chosen else {}
    return restore(kind, base | written, where)


def restore(kind: type[SettingsT], values: Mapping[str, Any], where: str = "checkpoint") -> SettingsT:
    """Return settings made from texts, or from the plain values of `Settings.to_dict` after JSON.

    Raises
    ------
    ConfigError
        An unknown key, or a value that its field does not accept.
    """
    defaults = {about.name: about.default for about in fields(kind)}
    plain = {
        key: _plain(value, defaults[key], f"{where}: {key}") if isinstance(value, str) and key in defaults else value
        for key, value in values.items()
    }
    return overlay(kind(), plain, where)


def describe(kind: type[Settings]) -> list[tuple[str, str, str]]:
    """Return (key, default, accepted values) of every setting, for a help screen."""
    return [
        (about.name, _text(about.default), ", ".join(map(_text, about.metadata.get("choices", ()))) or _kind(about))
        for about in fields(kind)
    ]


def _split(pair: str, where: str) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not (equals and key.strip()):
        raise ConfigError(f"{where} {pair}: write it as KEY=VALUE.")
    return key.strip(), value.strip()


def _plain(text: str, default: Any, where: str) -> Any:
    """Return the plain value that a text stands for, by the type of a field's default; the text itself if none."""
    if isinstance(default, tuple):
        items = () if text in ("", "none") else text.split(",")
        return [_plain(item.strip(), default[0] if default else "", where) for item in items]
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
