"""Chen et al.: Tables 1 to 8. AUC is of videos, the mean of every tenth frame's scores (4.1); Table 2 is of frames."""

from collections.abc import Sequence

from models.detectors.protocol import Data, Figure, Line, Preset, Protocol, Rows, others
from pipeline.config import Sampling

TENTH = Sampling("stride", 10)
CELEB = Rows("celebdf", ("Celeb-synthesis",), sampling=TENTH)
DATASETS = (  # the columns of Tables 1 and 4 to 6
    Rows("uadfv", ("fake",), sampling=TENTH, split="all"),
    Rows("dftimit", ("lower_quality",), sampling=TENTH, split="all"),
    Rows("dftimit", ("higher_quality",), sampling=TENTH, split="all"),
    Rows("ffpp", ("Deepfakes",), "c23", TENTH),
    Rows("dfd", ("DeepFakeDetection",), sampling=TENTH, split="all"),
    Rows("dfdcp", ("method_A", "method_B"), sampling=TENTH, split="all"),
    CELEB,
)
QUALITY = "the paper does not say which quality of DFD it takes: what the store has is taken"
LEVEL = "its other figures fit frames alone, so that the AUC's level is in doubt: metrics.json has both"
CELEBDF = Data(
    "celebdf",
    ("Celeb-synthesis",),
    sampling=TENTH,
    note="4871 videos train and 1140 validate, by lists that are public",
)
FFPP_DF = Data("ffpp", ("Deepfakes",), "c23", TENTH)
WILD = Rows("wilddeepfake", ("fake",), sampling=TENTH)
REGIONS = ("eyes", "nose", "mouth", "lower", "upper", "left", "right")
TABLE_1 = ("0.9404", "0.9952", "0.9377", "0.8523", "0.8185", "0.8189", "0.9980", "0.9087")
XRAY = ("0.9305", "0.9899", "0.8917", "0.8185", "0.8253", "0.7535", "0.9984", "0.8868")
TABLE_4 = ("0.8814", "0.9940", "0.9857", "0.9939", "0.8992", "0.8048", "0.7704", "0.9042")
TABLE_4_XRAY = ("0.8070", "0.9315", "0.9161", "0.9965", "0.8786", "0.7310", "0.7408", "0.8574")
TABLE_5 = {
    "none": ("0.9268", "0.9665", "0.7165", "0.8174", "0.7914", "0.7424", "0.9971", "0.8511"),
    "rr": ("0.9457", "0.9576", "0.8260", "0.8467", "0.7779", "0.7645", "0.9971", "0.8736"),
    "fr": ("0.9609", "0.9913", "0.8388", "0.8827", "0.8445", "0.7880", "0.9978", "0.9005"),
}
TABLE_6 = {
    "none": ("0.9203", "0.9433", "0.6561", "0.9270", "0.7173", "0.7502", "0.9805", "0.8421"),
    "in": ("0.9169", "0.9478", "0.7616", "0.8506", "0.7516", "0.7386", "0.9954", "0.8517"),
}
TABLE_7 = ("0.9204", "0.8971", "0.6779", "0.7907", "0.9720", "0.9561", "0.9603")
TABLE_8 = {5: "0.9979", 10: "0.9974", 15: "0.9963", 20: "0.9929", 25: "0.9731", 30: "0.8814"}


def areas(papers: Sequence[str], table: str = "") -> tuple[Figure, ...]:
    """Return a row over the seven datasets, and its mean."""
    *each, mean = papers
    notes = {"dfd": QUALITY, "celebdf": LEVEL}
    return (
        *(
            Figure(paper, "auc", rows, "video", percent=False, table=table, note=notes.get(rows.dataset, ""))
            for paper, rows in zip(each, DATASETS, strict=True)
        ),
        Figure(mean, "mean", CELEB, "video", percent=False, table=table),
    )


def table_2(*papers: str) -> tuple[Figure, ...]:
    """Return a row of Table 2 but its AUC, which is Table 1's."""
    names = ("accuracy", "precision", "recall", "f1", "eer")
    return tuple(
        Figure(paper, name, CELEB, percent=False, table="Table 2") for name, paper in zip(names, papers, strict=True)
    )


def table_3(*papers: str) -> tuple[Figure, ...]:
    """Return a row of Table 3: frames, then sequences."""
    cells = (("frame", "auc"), ("frame", "eer"), ("video", "auc"), ("video", "eer"))
    return tuple(
        Figure(paper, metric, WILD, level, percent=False) for (level, metric), paper in zip(cells, papers, strict=True)
    )


PRESETS = {
    "full": Preset(
        "Tables 1, 2, 5 and 6: the method",
        (),
        CELEBDF,
        (*areas(TABLE_1), *table_2("0.9775", "0.9724", "0.9932", "0.9827", "0.0214")),
    ),
    "wild": Preset("Table 3", (), CELEBDF, table_3("0.6609", "0.3898", "0.7272", "0.3510"), of="full"),
    "partial": Preset(
        "Table 7, fakes in one region alone",
        (),
        CELEBDF,
        tuple(
            Figure(
                paper,
                "auc",
                Rows("celebdf", ("Celeb-synthesis",), condition=f"partial:{region}", sampling=TENTH),
                "video",
                False,
            )
            for region, paper in zip(REGIONS, TABLE_7, strict=True)
        ),
        of="full",
    ),
    "crf": Preset(
        "Table 8, videos encoded again",
        (),
        CELEBDF,
        tuple(
            Figure(
                paper,
                "auc",
                Rows("celebdf", ("Celeb-synthesis",), condition=f"h264:{crf}", sampling=TENTH),
                "video",
                False,
                note="here the crops are encoded, as clips of the frames judged",
            )
            for crf, paper in TABLE_8.items()
        ),
        of="full",
    ),
    **{
        f"blend-{name}": Preset(f"Table 5, {name}", (f"blend={name}",), CELEBDF, areas(papers))
        for name, papers in TABLE_5.items()
    },
    **{
        f"branches-{name}": Preset(f"Table 6, {name}", (f"branches={name}",), CELEBDF, areas(papers))
        for name, papers in TABLE_6.items()
    },
    "branches-ex": Preset(
        "Table 6, ex, and the Face X-ray of Tables 1 and 2",
        ("branches=ex",),
        CELEBDF,
        (*areas(XRAY), *table_2("0.9835", "0.9794", "0.9954", "0.9873", "0.0167")),
    ),
    "wild-ex": Preset(
        "Table 3, Face X-ray", (), CELEBDF, table_3("0.6098", "0.4227", "0.6841", "0.3586"), of="branches-ex"
    ),
    "ffpp": Preset("Table 4: trained on FF++ Deepfakes", (), FFPP_DF, areas(TABLE_4)),
    "ffpp-ex": Preset("Table 4, Face X-ray", ("branches=ex",), FFPP_DF, areas(TABLE_4_XRAY)),
}

NETWORKS = ("AlexNet", "VGG16", "Densenet121", "Resnet50", "Resnet18", "XceptionNet", "MesoInception-4", "Capsule")
PRUNED = "the paper's Face X-ray is its own method without the intrinsic branch"


def compared(table: str, ours: str, pruned: str) -> tuple[Line, ...]:
    """Return the rows that Tables 1 to 4 share."""
    return (
        *others(table, *NETWORKS),
        Line(table, "Face X-ray", (pruned,), PRUNED),
        *others(table, "GSRM", "RFM"),
        Line(table, "BiG-Arts (Ours)", (ours,)),
    )


TABLES = (
    *compared("Table 1", "full", "branches-ex"),
    *compared("Table 2", "full", "branches-ex"),
    *compared("Table 3", "wild", "wild-ex"),
    *compared("Table 4", "ffpp", "ffpp-ex"),
    Line("Table 5", "None", ("blend-none",)),
    Line("Table 5", "(Real, Real)", ("blend-rr",)),
    Line("Table 5", "(Fake, Real)", ("blend-fr",)),
    Line("Table 5", "All", ("full",)),
    Line("Table 6", "None", ("branches-none",)),
    Line("Table 6", "M_In", ("branches-in",)),
    Line("Table 6", "M_Ex", ("branches-ex",)),
    Line("Table 6", "M_In + M_Ex", ("full",)),
    *others("Table 7", "GSRM", "RFM"),
    Line("Table 7", "BiG-Arts (Ours)", ("partial",)),
    Line("Table 8", "Celeb-DF", ("crf",)),
)
PROTOCOL = Protocol(PRESETS, TABLES)
