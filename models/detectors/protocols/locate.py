"""Kong et al.: Tables I to VIII. All figures are of frames (IV-B.2)."""

from models.detectors.protocol import FFPP, Data, Figure, Line, Preset, Protocol, Rows, others
from pipeline.config import Counts, Sampling

EVEN = Sampling("even", real=Counts(1080, 400, 400), fake=Counts(270, 100, 100))  # table I: four times the reals
SINGLE = Sampling("even", real=Counts(270, 100, 100), fake=Counts(270, 100, 100))  # one method: as many of both, ours
SHORT = {"df": "Deepfakes", "ff": "Face2Face", "fs": "FaceSwap", "nt": "NeuralTextures"}
QUALITIES = {"lq": "c40", "hq": "c23"}
SWAPPED = (
    "Table IV prints the two qualities' rows the other way round than section IV-C.3 reads them; the text's is taken"
)
TABLE_5 = {  # recall of DF, FF, FS, NT, pristine, and their mean
    "seg": ("95.15", "87.61", "92.08", "72.82", "57.58", "81.04"),
    "fusion": ("95.28", "86.96", "93.24", "71.66", "63.80", "82.19"),
    "xception": ("86.61", "78.88", "83.16", "52.94", "75.55", "75.43"),
}
TABLE_6 = {  # gammas: IoU at LQ and HQ
    "0.0,0.0,1.0": ("0.8399", "0.9277"),
    "0.0,0.1,0.9": ("0.8408", "0.9291"),
    "0.1,0.1,0.8": ("0.8406", "0.9304"),
    "0.1,0.2,0.7": ("0.8413", "0.9305"),
    "0.1,0.3,0.6": ("0.8371", "0.9240"),
    "0.1,0.4,0.5": ("0.8270", "0.9110"),
    "0.2,0.2,0.6": ("0.8373", "0.9247"),
    "0.2,0.3,0.5": ("0.8313", "0.9177"),
    "0.2,0.4,0.4": ("0.8205", "0.9015"),
}
SWITCHES = {"xception": ("seg=off", "noise=off"), "noise": ("seg=off",), "seg": ("noise=off",), "fusion": ()}


def rows(compression: str) -> Rows:
    """Return the balanced test split of Table I."""
    return Rows("ffpp", FFPP, compression, EVEN, fakes=0.5)


def one(method: str, compression: str) -> Rows:
    """Return one method's fakes and the reals; the paper does not say how many of them."""
    return Rows("ffpp", (method,), compression)


def auc(paper: str, compression: str = "c40") -> tuple[Figure, ...]:
    """Return the figure of an ablation's row."""
    return (Figure(paper, "auc", rows(compression)),)


def both(compression: str, area: str, accuracy: str) -> tuple[Figure, ...]:
    """Return a row of Table II; its AUC at LQ is one of the ablations' too."""
    tables = "Table II; Table VII; Table VIII" if compression == "c40" else "Table II"
    return (
        Figure(area, "auc", rows(compression), table=tables),
        Figure(accuracy, "accuracy", rows(compression), table="Table II"),
    )


def iou(paper: str, compression: str) -> Figure:
    """Return a cell of Table VI."""
    return Figure(paper, "iou", rows(compression), "maps", percent=False, table="Table VI")


def recalls(papers: tuple[str, ...]) -> tuple[Figure, ...]:
    """Return a row of Table V."""
    names = (*(f"recall_{name}" for name in (*FFPP, "real")), "recall_mean")
    return tuple(Figure(paper, name, rows("c40")) for name, paper in zip(names, papers, strict=True))


def across(area: str, celebdf: str, compression: str) -> tuple[Figure, ...]:
    """Return a row of Table IV."""
    return (
        Figure(area, "auc", one("Deepfakes", compression), table="Table IV", note=SWAPPED),
        Figure(celebdf, "auc", Rows("celebdf", ("Celeb-synthesis",)), table="Table IV", note=SWAPPED),
    )


def single(method: str, compression: str) -> Data:
    """Return the data of a detector of one method."""
    return Data("ffpp", (method,), compression, SINGLE, "the paper does not say how many reals a single method has")


LQ, HQ = (Data("ffpp", FFPP, compression, EVEN) for compression in QUALITIES.values())
TABLE_3 = {"df": "97.25", "ff": "94.46", "fs": "97.13", "nt": "84.63"}
PRESETS = {
    "lq": Preset(
        "Tables II, VI, VII and VIII, the method on LQ", (), LQ, (*both("c40", "87.10", "84.84"), iou("0.8413", "c40"))
    ),
    "hq": Preset("Tables II and VI, the method on HQ", (), HQ, (*both("c23", "99.77", "98.40"), iou("0.9305", "c23"))),
    "xception": Preset("Tables II and VII, Xception on LQ", SWITCHES["xception"], LQ, both("c40", "84.38", "83.61")),
    "xception-hq": Preset("Table II, Xception on HQ", SWITCHES["xception"], HQ, both("c23", "99.71", "98.04")),
    "noise": Preset("Table VII, row 2", SWITCHES["noise"], LQ, auc("82.15")),
    "seg": Preset("Table VII, row 3", SWITCHES["seg"], LQ, auc("86.87")),
    "f3": Preset("Table VIII, row 2", ("taps=f3",), LQ, auc("86.39")),
    "f3-f2": Preset("Table VIII, row 3", ("taps=f3,f2",), LQ, auc("86.76")),
    **{
        f"{short}-lq": Preset(
            f"Table III, {short.upper()}{' and Table IV' if short == 'df' else ''}",
            (),
            single(method, "c40"),
            (
                Figure(TABLE_3[short], "accuracy", one(method, "c40")),
                *(across("99.47", "69.34", "c40") if short == "df" else ()),
            ),
        )
        for short, method in SHORT.items()
    },
    "df-hq": Preset("Table IV, HQ", (), single("Deepfakes", "c23"), across("99.98", "74.54", "c23")),
    **{
        f"five-{name}": Preset(f"Table V, {name}", ("classes=5", *SWITCHES[name]), LQ, recalls(papers))
        for name, papers in TABLE_5.items()
    },
    **{
        f"gammas-{weights.replace(',', '-')}-{quality}": Preset(
            f"Table VI, {weights}, {quality.upper()}",
            (f"gammas={weights}",),
            data,
            (iou(paper, QUALITIES[quality]),),
            of=quality,
        )
        for weights, papers in TABLE_6.items()
        for quality, data, paper in zip(QUALITIES, (LQ, HQ), papers, strict=True)
    },
}

QUOTED = "quoted by the paper from other work"
PLAIN = (
    "Xception alone: a one-method preset with --set seg=off --set noise=off; whether the paper trained it is not said"
)
TABLES = (
    *(
        Line("Table I", row, ("lq", "hq"), "counts of faces, not figures: the sampling of these presets")
        for row in (*FFPP, "Real")
    ),
    *others(
        "Table II",
        *("Steg. Features", "Cozzolino et al.", "Bayer & Stamm", "Rahmouni et al.", "MesoNet"),
        reason=QUOTED,
    ),
    Line("Table II", "Xception", ("xception", "xception-hq")),
    *others("Table II", "Face X-ray", "Two-branch", "SPSL", "Nirkin et al.", reason=QUOTED),
    Line("Table II", "Ours", ("lq", "hq")),
    *others(
        "Table III",
        *("Steg. Features", "Cozzolino et al.", "Bayer & Stamm", "Rahmouni et al.", "MesoNet", "SPSL"),
        reason=QUOTED,
    ),
    Line("Table III", "Xception", reason=PLAIN),
    Line("Table III", "Ours", ("df-lq", "ff-lq", "fs-lq", "nt-lq")),
    *others(
        "Table IV",
        *("Two-stream", "MesoNet", "MesoInception4", "HeadPose", "FWA", "VA-LogReg", "Multi-task", "Capsule"),
        *("DSP-FWA", "SMIL", "Two-branch", "F3 Net", "SPSL", "Nirkin et al.", "Multi-attentional"),
        *("Xception (QP=0)", "Xception (QP=23)", "Xception (QP=40)"),
        reason=QUOTED,
    ),
    Line("Table IV", "Ours (QP=23)", ("df-hq",), SWAPPED),
    Line("Table IV", "Ours (QP=40)", ("df-lq",), SWAPPED),
    *others("Table V", "MesoNet", "ResNet50", reason=QUOTED),
    Line("Table V", "Xception", ("five-xception",)),
    *others("Table V", "SPSL", reason=QUOTED),
    Line("Table V", "Xception(seg)", ("five-seg",)),
    Line("Table V", "Xception(fusion)", ("five-fusion",)),
    *(
        Line("Table VI", weights, tuple(f"gammas-{weights.replace(',', '-')}-{quality}" for quality in QUALITIES))
        for weights in TABLE_6
    ),
    Line("Table VII", "Xception", ("xception",)),
    Line("Table VII", "Xception, noise", ("noise",)),
    Line("Table VII", "Xception, segmentation", ("seg",)),
    Line("Table VII", "Xception, noise, segmentation", ("lq",)),
    Line("Table VIII", "Xception", ("xception",)),
    Line("Table VIII", "f3", ("f3",)),
    Line("Table VIII", "f3, f2", ("f3-f2",)),
    Line("Table VIII", "f3, f2, f1", ("lq",)),
)
PROTOCOL = Protocol(PRESETS, TABLES)
