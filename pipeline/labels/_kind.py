"""What a label kind is, and the two pixel values that are no label."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from pipeline.config import Labelling, Levels

NO_LABEL = 255  # this kind cannot exist for the sample (no pair, no mask)
UNWRITTEN = 254  # fill value: the pixel was never written, which must not read as "real"


@dataclass(frozen=True)
class LabelKind:
    """One kind of pixel label: how it is computed, stored and described.

    `compute` takes what `source` names, the `Labelling` settings and the compression level (`raw`, `c23` or `c40`):

    ======== ==================================================================
    source   first arguments of `compute`
    ======== ==================================================================
    pair     fake and real crop, both uint8 of shape (H, W, 3), RGB
    mask     crop of the dataset's mask frame, uint8 of shape (H, W), 0 to 255
    image    one crop, uint8 of shape (H, W, 3), RGB
    hull     the stored `hull` label, uint8 of shape (H, W): 0, 1 or `NO_LABEL`
    ======== ==================================================================

    It returns an array of shape (H, W) and of `dtype`.
    """

    name: str
    dtype: Literal["uint8", "int16"]
    fill: int  # fill value of the stored array; never a valid label
    source: Literal["pair", "mask", "image", "hull"]
    description: str
    units: str
    reference: str
    attributes: Mapping[str, Any]  # further attributes of the stored array
    parameters: Callable[[Labelling], dict[str, Any]]  # everything that decides the values, plain and ready for JSON
    compute: Callable[..., NDArray[Any]]


def flags(zero: str, one: str) -> dict[str, Any]:
    """Return the CF flag attributes of a binary label, from the meanings of its two values."""
    return {"flag_values": [0, 1, NO_LABEL], "flag_meanings": [zero, one, "no_label"]}


def at(levels: Levels, level: str) -> float:
    """Return a setting's value at one compression level.

    Raises
    ------
    ValueError
        `level` is none of `raw`, `c23` and `c40`.
    """
    values: dict[str, float] = dataclasses.asdict(levels)
    if level not in values:
        raise ValueError(f"There is no compression level {level!r}; known are {', '.join(values)}.")
    return values[level]
