"""The recipe's settings as a table, made from the dataclasses and the comments beside them."""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any

from pipeline.config import Recipe


def settings_table() -> str:
    """Return every setting with its default, the values it takes and what it is, as a Markdown table."""
    lines = ["| setting | default | takes | |", "|---|---|---|---|"]
    return "\n".join([*lines, *_rows(Recipe(), "")])


def _rows(settings: Any, prefix: str) -> Iterator[str]:
    said = dict(re.findall(r"^    (\w+): .*?#\s*(.+)$", inspect.getsource(type(settings)), re.MULTILINE))
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        name = f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value) and not all(
            isinstance(item, int | float) for item in dataclasses.asdict(value).values()
        ):
            yield from _rows(value, f"{name}.")
        elif name != "name":
            yield f"| `{name}` | {_shown(value)} | {_taken(field.metadata)} | {said.get(field.name, '')} |"


def _shown(value: Any) -> str:
    if dataclasses.is_dataclass(value):
        return ", ".join(f"{key} {item}" for key, item in dataclasses.asdict(value).items())
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _taken(limits: Any) -> str:
    if limits.get("choices"):
        return ", ".join(f"`{choice}`" for choice in limits["choices"])
    low, high = limits.get("low"), limits.get("high")
    if low is None and high is None:
        return ""
    return f"at least {low}" if high is None else f"{low} to {high}"
