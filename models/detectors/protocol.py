"""A paper's protocol as plain values: what a row of a table was trained on, and what its figures were measured on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.config import Sampling

FFPP = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")  # the methods the papers know; FaceShifter came later


@dataclass(frozen=True)
class Data:
    """What a network is trained on, and chosen by.

    Attributes
    ----------
    dataset : str
        Name of its manifest.
    methods : tuple of str
        Manipulations by the dataset's own names.
    compression : str
        `raw`, `c23` or `c40`; empty: as the dataset is distributed.
    sampling : Sampling, optional
        Frames of a video; none where the paper does not say.
    note : str
        What cannot be checked in a store, such as which videos validate.
    """

    dataset: str
    methods: tuple[str, ...]
    compression: str = ""
    sampling: Sampling | None = None
    note: str = ""


@dataclass(frozen=True)
class Rows:
    """The rows that a figure is measured on.

    Attributes
    ----------
    dataset, methods, compression, sampling
        As those of `Data`.
    split : str
        `all` for every video of a dataset.
    condition : str
        `clean`, or as `forgery-eval --perturb` and `--partial` name it: `h264:20`, `partial:eyes`.
    fakes : float
        Their share of the paper's frames, which accuracies depend on; 0 where it is not known.
    """

    dataset: str
    methods: tuple[str, ...]
    compression: str = ""
    sampling: Sampling | None = None
    split: str = "test"
    condition: str = "clean"
    fakes: float = 0.0


@dataclass(frozen=True)
class Figure:
    """One number of a table.

    Attributes
    ----------
    paper : str
        As printed, of the paper's own data: not a figure that other data can be held to.
    metric : str
        Name among the figures of its level in `metrics.json`; `mean`: of this preset's other figures of that level.
    rows : Rows
    level : {"frame", "video", "maps"}
    percent : bool
        Whether the paper prints hundredths.
    table : str
        Where it stands, if not where the preset's `about` says; of several tables `Table II; Table VII`.
    note : str
        What is to be known before the two are put side by side.
    """

    paper: str
    metric: str
    rows: Rows
    level: str = "frame"
    percent: bool = True
    table: str = ""
    note: str = ""

    @property
    def share(self) -> float:
        """The paper's number as a share of 1."""
        return float(self.paper) / (100 if self.percent else 1)

    def __str__(self) -> str:
        """Name what was measured, on what."""
        rows = self.rows
        where = [rows.dataset, "+".join(rows.methods) if len(rows.methods) < 3 else "", rows.compression, rows.split]
        where.append(rows.condition if rows.condition != "clean" else "")
        return f"{self.level} {self.metric} on {' '.join(filter(None, where))}"


@dataclass(frozen=True)
class Preset:
    """One row of a table as a whole protocol: training data, settings, selection, and figures.

    Attributes
    ----------
    about : str
        Which row.
    values : tuple of str
        `KEY=VALUE` texts over the detector's defaults; methods and compression are those of `data`.
    data : Data, optional
        What is trained on; none only for a detector without a paper.
    figures : tuple of Figure
    of : str
        The preset whose checkpoint is evaluated with `values`, for rows that need no training of their own.
    """

    about: str
    values: tuple[str, ...] = ()
    data: Data | None = None
    figures: tuple[Figure, ...] = ()
    of: str = ""

    @property
    def settings(self) -> tuple[str, ...]:
        """All values that the preset stands for, those of its data among them."""
        if self.data is None or self.of:
            return self.values
        chosen = {"methods": ",".join(self.data.methods), "compression": self.data.compression}
        return (*(f"{key}={value}" for key, value in chosen.items() if value), *self.values)

    @property
    def reported(self) -> str:
        """The paper's figures in a few words."""
        return "; ".join(f"{figure} {figure.paper}" for figure in self.figures)


@dataclass(frozen=True)
class Line:
    """One row of one of a paper's tables, and what reproduces it.

    Attributes
    ----------
    table, row : str
        As printed.
    presets : tuple of str
        Trainings or evaluations that give its figures.
    reason : str
        Why there is none, or what the presets leave open.
    """

    table: str
    row: str
    presets: tuple[str, ...] = ()
    reason: str = ""


OTHERS = "another method's figure, trained or quoted by the paper"


def others(table: str, *rows: str, reason: str = OTHERS) -> tuple[Line, ...]:
    """Return the rows of a table that are not the paper's own method."""
    return tuple(Line(table, row, reason=reason) for row in rows)


@dataclass(frozen=True)
class Protocol:
    """Everything a paper's tables hold: the presets, and which rows they reproduce."""

    presets: Mapping[str, Preset]
    tables: tuple[Line, ...] = field(default=())
