"""Cao et al.: Tables 1 and 2. All figures are of frames."""

from models.detectors.protocol import FFPP, Data, Figure, Line, Preset, Protocol, Rows, others
from pipeline.config import Counts, Sampling

EVEN = Sampling(
    "even", real=Counts(1080, 270, 270), fake=Counts(270, 270, 270)
)  # 4.1, and reals to the number of fakes
SINGLE = Sampling("even", real=Counts(270, 270, 270), fake=Counts(270, 270, 270))
ALL = Data("ffpp", FFPP, "c40", EVEN)
DEEPFAKES = Data("ffpp", ("Deepfakes",), "c40", SINGLE)
BALANCE = "the share of fakes among the paper's test frames is not said"


def low(accuracy: str, auc: str) -> tuple[Figure, ...]:
    """Return a row of Table 1, whose AUC is a share of 1."""
    rows = Rows("ffpp", FFPP, "c40", EVEN)
    return Figure(accuracy, "accuracy", rows, note=BALANCE), Figure(auc, "auc", rows, percent=False)


def ablation(accuracy: str, auc: str) -> tuple[Figure, ...]:
    """Return a row of Table 2."""
    rows = Rows("ffpp", ("Deepfakes",), "c40", SINGLE)
    return Figure(accuracy, "accuracy", rows, note=BALANCE), Figure(auc, "auc", rows)


PRESETS = {
    "full": Preset("Table 1", (), ALL, low("87.69", "0.915")),
    "xception": Preset("Table 1, Xception", ("losses=cls", "train_quality=c40"), ALL, low("86.52", "0.903")),
    "cls": Preset("Table 2, row 1", ("losses=cls", "train_quality=c40"), DEEPFAKES, ablation("94.92", "98.87")),
    "cls-at": Preset("Table 2, row 2", ("losses=cls,at",), DEEPFAKES, ablation("95.33", "99.26")),
    "cls-at-dis": Preset("Table 2, row 3", ("losses=cls,at,dis",), DEEPFAKES, ablation("95.46", "99.37")),
    "cls-at-dis-gan": Preset("Table 2, row 4", (), DEEPFAKES, ablation("95.71", "99.20")),
    "common-gt": Preset(
        "Section 4.4, one ground-truth map for both: no figures",
        ("losses=cls,at", "attention_loss=common_gt"),
        DEEPFAKES,
    ),
}

QUOTED = "quoted by the paper from other work"
TABLES = (
    *others("Table 1", "Steg.Features", "CustomPooling CNN", "MesoNet", "Face X-ray", reason=QUOTED),
    Line("Table 1", "Xception", ("xception",), "whether the paper trained it or quotes it is not said"),
    Line("Table 1", "Ours", ("full",), "the paper's own words: not strictly compared, since partitions differ"),
    Line("Table 2", "Cls, c40", ("cls",)),
    Line("Table 2", "Cls, AT", ("cls-at",)),
    Line("Table 2", "Cls, AT, Dis", ("cls-at-dis",)),
    Line("Table 2", "Cls, AT, Dis, Gan", ("cls-at-dis-gan",)),
)
PROTOCOL = Protocol(PRESETS, TABLES)
