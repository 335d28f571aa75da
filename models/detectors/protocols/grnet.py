"""Guo et al.: Tables I to IX. All figures are of frames."""

from models.detectors.protocol import FFPP, Data, Figure, Line, Preset, Protocol, Rows, others
from pipeline.config import Counts, Sampling

EVEN = Sampling(
    "even", real=Counts(70, 72, 72), fake=Counts(18, 18, 18)
)  # 50k + 4 x 12.5k of 720, 10k + 4 x 2.5k of 140
IMAGES = ("PGGAN", "StyleGAN", "Face2Face", "Glow", "StarGAN")
FACES = Sampling("all")
HFF = Data("hff", IMAGES, sampling=FACES, note="the paper does not say which images are for training")
HFF_TEST = Rows("hff", IMAGES, sampling=FACES)
MTE_OFF, AFM_OFF, SIX = "residual=rgb", "fusion=sum", ("classes=6", "balance=stored")
PROCESSES = ("raw", "jp60", "me5")
TABLE_1 = {  # settings, accuracy on Raw, JP60, ME5
    "plain": ((MTE_OFF, AFM_OFF), ("99.21", "94.41", "98.11")),
    "mte": ((AFM_OFF,), ("99.98", "94.85", "98.89")),
    "afm": ((MTE_OFF,), ("99.65", "94.97", "98.96")),
    "full": ((), ("99.96", "96.48", "99.15")),
}
TABLE_2 = {"highpass": "97.50", "srm": "97.49", "constrained": "95.24", "amten": "98.52", "mte": "99.04"}
TABLE_3 = {"max": "94.61", "concat": "95.32", "min": "95.72", "sum": "94.85", "afm": "96.48"}
TABLE_5 = ("99.81", "94.02", "99.32")
BACKBONE = "the paper compares residuals on the backbone of AMTEN's authors, here on one ResNet-18"
AVERAGE = "Average: the mean of the presets' figures"
SPLIT = "which videos the faces come from is not said: splits by video give lower figures than splits by face"


def processed(process: str) -> str:
    """Return the setting of a column of Table I."""
    return f"process={'none' if process == 'raw' else process}"


def accuracy(paper: str) -> tuple[Figure, ...]:
    """Return a figure on HFF."""
    return (Figure(paper, "accuracy", HFF_TEST),)


def ffpp(compression: str, paper: str, classes: int, celebdf: str = "") -> Preset:
    """Return the row of a task on FaceForensics++, with the AUC on Celeb-DF where the paper has it."""
    table, task = ("Table VII", "binary") if classes == 2 else ("Table VI", "five classes")
    rows = Rows("ffpp", FFPP, compression, EVEN, fakes=0.5)
    figures = [Figure(paper, "accuracy", rows, note=SPLIT)]
    if celebdf:
        every = Rows("celebdf", ("Celeb-synthesis",), split="all", fakes=0.5)
        figures.append(Figure(celebdf, "auc", every, table="Table IX", note="30,000 frames of each class at random"))
    values = () if classes == 2 else (f"classes={classes}",)
    quality = {"c23": "HQ", "c40": "LQ"}[compression]
    return Preset(f"{table}, {quality}, {task}", values, Data("ffpp", FFPP, compression, EVEN), tuple(figures))


DFDC = Sampling("stride", 30)
PRESETS = {
    **{
        f"{name}-{process}": Preset(
            f"{'Tables I and IV' if name == 'full' else 'Table I'}, {name}, {process}",
            (*values, *SIX, processed(process)),
            HFF,
            accuracy(paper),
        )
        for name, (values, papers) in TABLE_1.items()
        for process, paper in zip(PROCESSES, papers, strict=True)
    },
    **{
        f"residual-{kind}": Preset(
            f"Table II, {kind} (there on AMTEN's backbone)",
            ("streams=residual", f"residual={kind}", *SIX),
            HFF,
            (Figure(paper, "accuracy", HFF_TEST, note=BACKBONE),),
        )
        for kind, paper in TABLE_2.items()
    },
    **{
        f"fusion-{kind}": Preset(
            f"Table III, {kind}", (f"fusion={kind}", *SIX, processed("jp60")), HFF, accuracy(paper)
        )
        for kind, paper in TABLE_3.items()
    },
    **{
        f"binary-{process}": Preset(f"Table V, {process}", ("balance=stored", processed(process)), HFF, accuracy(paper))
        for process, paper in zip(PROCESSES, TABLE_5, strict=True)
    },
    "ffpp-c23": ffpp("c23", "97.47", 2, "54.6"),
    "ffpp-c40": ffpp("c40", "96.68", 2, "72.7"),
    "ffpp5-c23": ffpp("c23", "97.79", 5),
    "ffpp5-c40": ffpp("c40", "96.58", 5),
    "dfdc": Preset(
        "Table VIII",
        ("size=224", "balance=stored"),
        Data("dfdc", ("DFDC",), sampling=DFDC, note="6,698 videos at random, at most 10 faces of each: not said which"),
        (
            Figure("99.09", "accuracy", Rows("dfdc", ("DFDC",), sampling=DFDC, fakes=30945 / 62818)),
            Figure("99.74", "auc", Rows("dfdc", ("DFDC",), sampling=DFDC, fakes=30945 / 62818)),
        ),
    ),
}

NETWORKS = ("Meso-4", "MesoInception-4", "HighPass", "MISLnet", "XceptionNet", "Capsule", "AMTENnet")
RESIDUALS = {
    "High pass filter": "highpass",
    "SRM filter": "srm",
    "Constrained convolution layer": "constrained",
    "AMTEN": "amten",
    "MTE": "mte",
}
FUSIONS = {
    "Max fusion": "max",
    "Concatenation fusion": "concat",
    "Min fusion": "min",
    "Sum fusion": "sum",
    "AFM": "afm",
}


def each(name: str) -> tuple[str, ...]:
    """Return the presets of one network under every process."""
    return tuple(f"{name}-{process}" for process in PROCESSES)


TABLES = (
    Line("Table I", "neither", each("plain")),
    Line("Table I", "MTE", each("mte")),
    Line("Table I", "AFM", each("afm")),
    Line("Table I", "MTE, AFM", each("full")),
    *(Line("Table II", row, (f"residual-{kind}",), BACKBONE) for row, kind in RESIDUALS.items()),
    *(Line("Table III", row, (f"fusion-{kind}",)) for row, kind in FUSIONS.items()),
    *others("Table IV", *NETWORKS),
    Line("Table IV", "GRnet", each("full"), AVERAGE),
    *others("Table V", *NETWORKS),
    Line("Table V", "GRnet", each("binary"), AVERAGE),
    *others("Table VI", *NETWORKS),
    Line("Table VI", "GRnet", ("ffpp5-c23", "ffpp5-c40"), AVERAGE),
    *others("Table VII", *NETWORKS),
    Line("Table VII", "GRnet", ("ffpp-c23", "ffpp-c40"), AVERAGE),
    *others("Table VIII", *NETWORKS),
    Line("Table VIII", "GRnet", ("dfdc",)),
    *others(
        "Table IX",
        *("Two-stream", "Meso-4", "MesoInception-4", "HeadPose", "FWA", "VA-MLP", "VA-LogReg"),
        *("Xception-raw", "Xception-HQ", "Xception-LQ", "Multi-task", "Capsule"),
    ),
    Line("Table IX", "GRnet-HQ", ("ffpp-c23",)),
    Line("Table IX", "GRnet-LQ", ("ffpp-c40",)),
)
PROTOCOL = Protocol(PRESETS, TABLES)
