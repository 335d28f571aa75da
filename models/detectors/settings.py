"""Settings of a detector: what `--set KEY=VALUE` changes, checked, and the presets that name a paper's table rows."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from pipeline.config import setting
from pipeline.errors import ConfigError

METRICS = ("accuracy", "auc", "video_auc", "recall_mean", "loss")  # what the best is chosen by; of `loss` the lowest
AUGMENT = ("paper", "strong", "heavy", "off")
SWITCH = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every detector lets a user set; each detector's own class gives the paper's values and adds its switches.

    A value is checked wherever it comes from: the choices and limits of its field, then `check` for what two fields
    say together.
    """

    size: int = setting(224, low=32)  # side of the network's input, pixels
    batch: int = setting(32, low=1)  # rows per optimiser step, over all devices and micro-batches
    epochs: int = setting(20, low=1)  # of each phase of training
    lr: float = setting(1e-3, low=0.0)  # learning rate before any decay
    metric: str = setting("auc", choices=METRICS)
    augment: str = setting("paper", choices=AUGMENT)  # strong, heavy: ours, in place of the paper's; off: none
    compression: str = setting("")  # rows of this compression alone; empty: all
    pairs: bool = setting(False)  # ours: a batch's reals are those its fakes were made from, augmented as these are
    methods: tuple[str, ...] = setting(())  # fakes of these methods alone (and all reals); empty: all

    def __post_init__(self) -> None:
        for about in fields(self):
            _check(about.name, getattr(self, about.name), about.metadata)
        self.check()

    def check(self) -> None:
        """Raise ConfigError where two settings contradict each other."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `restore` is the way back."""
        return dataclasses.asdict(self)


SettingsT = TypeVar("SettingsT", bound=Settings)


@dataclass(frozen=True)
class Preset:
    """One row of a table in the paper, as settings.

    `about` says which row, `values` are `KEY=VALUE` texts, `reported` is what the paper's own data gave: not a figure
    that other data can be held to.
    """

    about: str
    values: tuple[str, ...]
    reported: str = ""


def parse(
    kind: type[SettingsT], pairs: Sequence[str], presets: Mapping[str, Preset] | None = None, where: str = "--set"
) -> SettingsT:
    """Read `KEY=VALUE` texts over a detector's defaults.

    A list is written `a,b`, an empty one `none`, a switch `on` or `off`. The key `preset` stands for the values of a
    named table row, whatever its place; what is written beside it wins over it.

    Raises
    ------
    ConfigError
        No `=`, an unknown key or preset, or a value its field does not take.

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
    """Build settings from texts or from the plain values of `Settings.to_dict` after JSON.

    Raises
    ------
    ConfigError
        An unknown key, or a value its field does not take.
    """
    defaults = {about.name: about.default for about in fields(kind)}
    if unknown := sorted(set(values) - set(defaults)):
        raise ConfigError(f"{where}: no setting is called {', '.join(unknown)}; known are {', '.join(defaults)}.")
    typed = {key: _convert(f"{where} {key}", value, defaults[key]) for key, value in values.items()}
    return kind(**typed)


def describe(kind: type[Settings]) -> list[tuple[str, str, str]]:
    """Return (key, default, what it takes) for every setting, for a help screen."""
    return [
        (about.name, _text(about.default), ", ".join(map(_text, about.metadata.get("choices", ()))) or _kind(about))
        for about in fields(kind)
    ]


def _split(pair: str, where: str) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not (equals and key.strip()):
        raise ConfigError(f"{where} {pair}: write it as KEY=VALUE.")
    return key.strip(), value.strip()


def _convert(where: str, value: Any, default: Any) -> Any:
    """Turn a text (or a value from JSON) into the type of a field's default."""
    if isinstance(default, tuple):
        items = value
        if isinstance(value, str):
            items = () if value in ("", "none") else [item.strip() for item in value.split(",")]
        if not isinstance(items, list | tuple):
            raise ConfigError(f"{where} must be a list such as a,b, not {value!r}.")
        return tuple(_convert(where, item, default[0] if default else "") for item in items)
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        if str(value).lower() not in SWITCH:
            raise ConfigError(f"{where} must be on or off, not {value!r}.")
        return SWITCH[str(value).lower()]
    try:
        return type(default)(value)
    except (TypeError, ValueError):
        wanted = {int: "a whole number", float: "a number"}.get(type(default), "text")
        raise ConfigError(f"{where} must be {wanted}, not {value!r}.") from None


def _check(name: str, value: Any, limits: Mapping[str, Any]) -> None:
    choices, low, high = (limits.get(key) for key in ("choices", "low", "high"))
    for item in value if isinstance(value, tuple) else (value,):
        if choices and item not in choices:
            raise ConfigError(f"{name} is {_text(item)}; it must be one of {', '.join(map(_text, choices))}.")
        if (low is not None and not item >= low) or (high is not None and not item <= high):
            raise ConfigError(f"{name} is {item}; it must be at least {low}{f' and at most {high}' if high else ''}.")


def _kind(about: "dataclasses.Field[Any]") -> str:
    return "on, off" if isinstance(about.default, bool) else type(about.default).__name__


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return str(value)
