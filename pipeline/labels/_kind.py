"""Definition of a label kind, and the two pixel values that are no label."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from pipeline.config import Labelling, Levels

NO_LABEL = 255  # this kind cannot exist for the sample (no pair, no mask)
UNWRITTEN = 254  # fill value: the pixel was never written, which must not read as "real"

Flags = tuple[str, str]  # what 0 and 1 mean


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
    parameters: Callable[[Labelling], dict[str, Any]]  # everything that decides the values, plain and ready for JSON
    compute: Callable[..., NDArray[Any]]
    flags: Flags | None = None  # of a binary label: meanings of 0 and 1
    scale: float | None = None  # of any other: `units` per stored step
    limit: Callable[[Labelling], float] | None = None  # share of the surroundings above which it is withheld
    gain: float = 1.0  # of any other: grey levels that a picture of it shows per unit

    def __post_init__(self) -> None:
        if (self.flags is None) == (self.scale is None):
            raise ValueError(f"The label kind {self.name} needs either flags or a scale.")

    @property
    def attributes(self) -> dict[str, Any]:
        """Return the CF attributes that explain the stored values."""
        if self.flags is not None:
            return {"flag_values": [0, 1, NO_LABEL], "flag_meanings": [*self.flags, "no_label"]}
        return {"scale_factor": self.scale}


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
