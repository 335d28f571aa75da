"""Jia et al.: Tables I to VII. All figures are of frames (IV-A.2)."""

from models.detectors.protocol import FFPP, Data, Figure, Line, Preset, Protocol, Rows, others
from pipeline.config import Counts, Sampling

EVEN = Sampling("even", real=Counts(270, 100, 100), fake=Counts(100, 100, 100))
SINGLE = Sampling("even", real=Counts(270, 100, 100), fake=Counts(270, 100, 100))  # one method alone: no imbalance
HUNDRED = Sampling("random", real=Counts(100, 100, 100), fake=Counts(100, 100, 100))
UADFV = Sampling("even", real=Counts(100, 100, 100), fake=Counts(100, 100, 100))  # the paper does not say
ALL = 0.8  # share of fakes: 14,000 real and 56,000 fake frames

TABLE_1 = {  # accuracy, AUC, TPR at 10 % FPR
    "c40": ("88.96", "92.97", "79.03"),
    "c23": ("96.95", "99.60", "99.03"),
    "raw": ("99.74", "99.78", "99.32"),
}
TABLE_2 = ("98.36", "94.80", "97.05", "84.85")
TABLE_5 = {  # mIoU of each method, of reals, and their mean
    "c40": (("87.65", "82.41", "87.00", "46.39"), "39.81", "74.15"),
    "c23": (("92.15", "92.90", "91.07", "58.69"), "48.14", "87.37"),
    "raw": (("95.33", "94.42", "96.88", "60.20"), "51.66", "89.25"),
}
TABLE_6 = ("99.07", "99.98", "62.98", "85.12")
ALONE = "of the fakes alone: were as many reals counted, Tables I and II together would put theirs at 101.8 %"
AVERAGE = "how the paper averages is not said: it is neither the columns' mean nor that of all frames"
ROW = "its row stands beside another method's name in the printed table; the text confirms whose it is"


def ffpp(compression: str) -> Rows:
    """Return the whole test split of FaceForensics++ in one compression."""
    return Rows("ffpp", FFPP, compression, EVEN, fakes=ALL)


def of_method(method: str, compression: str) -> Rows:
    """Return one method's fakes and all reals of that test split."""
    return Rows("ffpp", (method,), compression, EVEN, fakes=0.5)


def pair(compression: str, accuracy: str, auc: str) -> tuple[Figure, ...]:
    """Return the two figures of an ablation's row."""
    rows = ffpp(compression)
    return Figure(accuracy, "accuracy", rows), Figure(auc, "auc", rows)


def maps(compression: str) -> tuple[Figure, ...]:
    """Return a row of Table V."""
    by_method, real, average = TABLE_5[compression]
    drawn = {"level": "maps", "table": "Table V"}
    return (
        *(
            Figure(paper, "miou_fake", of_method(method, compression), **drawn)  # type: ignore[arg-type]
            for method, paper in zip(FFPP, by_method, strict=True)
        ),
        Figure(real, "miou_real", ffpp(compression), **drawn),  # type: ignore[arg-type]
        Figure(average, "miou", ffpp(compression), note=AVERAGE, **drawn),  # type: ignore[arg-type]
    )


def across(uadfv: str, celebdf: str) -> tuple[Figure, ...]:
    """Return a row of Table VII."""
    return (
        Figure(uadfv, "auc", Rows("uadfv", ("fake",), sampling=UADFV), table="Table VII", note=ROW),
        Figure(celebdf, "auc", Rows("celebdf", ("Celeb-synthesis",), sampling=HUNDRED), table="Table VII", note=ROW),
    )


def table_1(compression: str) -> tuple[Figure, ...]:
    """Return a row of Table I."""
    metrics = ("accuracy", "auc", "tpr_at_fpr10")
    return tuple(Figure(p, m, ffpp(compression)) for p, m in zip(TABLE_1[compression], metrics, strict=True))


BY_METHOD = tuple(
    Figure(paper, "recall", Rows("ffpp", (method,), "c40", EVEN), table="Table II", note=ALONE)
    for method, paper in zip(FFPP, TABLE_2, strict=True)
)
C40 = Data("ffpp", FFPP, "c40", EVEN)
PRESETS = {
    "raw": Preset("Tables I and V, raw", (), Data("ffpp", FFPP, "raw", EVEN), (*table_1("raw"), *maps("raw"))),
    "c23": Preset(
        "Tables I, V and VII, c23",
        (),
        Data("ffpp", FFPP, "c23", EVEN),
        (*table_1("c23"), *maps("c23"), *across("80.8", "72.3")),
    ),
    "c40": Preset(
        "Tables I, II, V and VII, c40", (), C40, (*table_1("c40"), *BY_METHOD, *maps("c40"), *across("75.6", "70.2"))
    ),
    "hr18": Preset("Table III, row 1", ("branches=1", "wavelet=off"), C40, pair("c40", "86.84", "88.96")),
    "hr18-wavelet": Preset("Table III, row 2", ("branches=1",), C40, pair("c40", "87.24", "90.13")),
    "hr32-wavelet": Preset(
        "Table III, row 3", ("branches=1", "backbone=hrnet_w32"), C40, pair("c40", "87.55", "91.02")
    ),
    "dual-sum": Preset("Table III, row 4", ("fusion=sum",), C40, pair("c40", "88.35", "91.72")),
    "dual-bilinear": Preset("Table III, row 5: the method", (), C40, pair("c40", "88.96", "92.97")),
    "haar": Preset("Table IV, Haar", ("basis=haar",), C40, pair("c40", "88.96", "92.97")),
    "rbio": Preset("Table IV, reverse biorthogonal", ("basis=rbio",), C40, pair("c40", "88.89", "92.85")),
    "pixels": Preset(
        "Section IV-D, the image's score from its pixels",
        ("score=pixels",),
        C40,
        (Figure("76.69", "auc", ffpp("c40")),),
        of="c40",
    ),
    "from-f2f": Preset(
        "Table VI, trained on Face2Face alone, chosen by the mean AUC of all four methods",
        (f"val_methods={','.join(FFPP)}", "metric=method_auc"),
        Data("ffpp", ("Face2Face",), "raw", SINGLE),
        tuple(Figure(p, "auc", of_method(m, "raw")) for m, p in zip(FFPP, TABLE_6, strict=True)),
    ),
    "uadfv": Preset(
        "Table VII, trained on UADFV",
        (),
        Data("uadfv", ("fake",), sampling=UADFV, note="35 + 35 videos train and no video validates: --val-store"),
        across("99.9", "53.9"),
    ),
    "celebdf": Preset(
        "Table VII, trained on Celeb-DF",
        (),
        Data(
            "celebdf",
            ("Celeb-synthesis",),
            sampling=HUNDRED,
            note="the paper keeps 10 % of the videos outside the test list for validation, the manifest 20 %",
        ),
        across("99.6", "99.5"),
    ),
}

QUOTED = "quoted by the paper from other work"
TABLES = (
    *others(
        "Table I",
        *("Steg.Features", "Cozzolino et al.", "Bayar and Stamm", "MesoNet", "DSP-FWA", "Xception (full)", "Xception"),
        "TBRN",
        reason=QUOTED,
    ),
    Line("Table I", "ours (HRNet-18)", ("c40", "c23", "raw")),
    *others(
        "Table II",
        *("Steg.Features", "Cozzolino et al.", "Rahmouni et al.", "Bayar and Stamm", "MesoNet", "Xception"),
        reason=QUOTED,
    ),
    Line("Table II", "ours (HRNet-18)", ("c40",), f"Acc: {ALONE}"),
    Line("Table III", "HR18", ("hr18",)),
    Line("Table III", "HR18, wavelet", ("hr18-wavelet",)),
    Line("Table III", "HR32, wavelet", ("hr32-wavelet",)),
    Line("Table III", "HR18, wavelet, dual branch", ("dual-sum",)),
    Line("Table III", "HR18, wavelet, dual branch, bilinear", ("dual-bilinear",)),
    Line("Table IV", "Haar", ("haar",)),
    Line("Table IV", "Reverse Biorthogonal", ("rbio",)),
    Line("Table V", "c40", ("c40",), f"Avg: {AVERAGE}"),
    Line("Table V", "c23", ("c23",), f"Avg: {AVERAGE}"),
    Line("Table V", "raw", ("raw",), f"Avg: {AVERAGE}"),
    *others("Table VI", "Xception", "HRNet", "Res-Layer1", "Face-Xray", reason=QUOTED),
    Line("Table VI", "Ours", ("from-f2f",)),
    *others(
        "Table VII",
        *("Two-stream", "Meso4", "HeadPose", "FWA", "Multi-task", "Xception", "Xception+Reg"),
        reason=QUOTED,
    ),
    Line("Table VII", "Ours, FF++ (c23)", ("c23",), ROW),
    Line("Table VII", "Ours, FF++ (c40)", ("c40",), ROW),
    Line("Table VII", "Ours, UADFV", ("uadfv",), ROW),
    Line("Table VII", "Ours, Celeb-DF", ("celebdf",), ROW),
)
PROTOCOL = Protocol(PRESETS, TABLES)
