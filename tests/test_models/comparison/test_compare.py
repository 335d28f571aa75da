"""Every figure of every preset equals one computed from the saved scores by scikit-learn, and what differs is said."""

import csv
import dataclasses
import functools
import json
import re

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from sklearn import metrics as sklearn_metrics
from tinystore import make_store
from toy import TOY
from typer.testing import CliRunner

import cli.evaluate
from models import detectors
from models.comparison.compare import beside, compare, prepare, screen
from models.data.store_reader import open_store
from models.detectors.protocol import FFPP
from models.evaluation import report
from models.evaluation.evaluate import Request, evaluate
from models.runtime import checkpoint
from models.runtime.checkpoint import Checkpoint
from pipeline.errors import ConfigError

SIZE = 32
PRESETS = {
    f"{name}-{key}": dataclasses.replace(preset, values=(), of="")
    for name, detector in detectors.DETECTORS.items()
    for key, preset in detector.presets.items()
    if preset.figures
}
PAPERS = dataclasses.replace(TOY, presets=PRESETS)
opened = functools.cache(open_store)
IMAGES = ("PGGAN", "StyleGAN", "Face2Face", "Glow", "StarGAN")
STORES = {  # dataset: methods, compressions, splits
    "ffpp": ((*FFPP, "FaceShifter"), ("raw", "c23", "c40"), ("val", "test")),
    "celebdf": (("Celeb-synthesis",), ("native",), ("train", "test")),
    "uadfv": (("fake",), ("native",), ("train", "test")),
    "dftimit": (("lower_quality", "higher_quality"), ("native",), ("test",)),
    "dfd": (("DeepFakeDetection",), ("c23",), ("test",)),
    "dfdcp": (("method_A", "method_B"), ("native",), ("test",)),
    "dfdc": (("DFDC",), ("native",), ("test",)),
    "wilddeepfake": (("fake",), ("native",), ("test",)),
    "hff": (IMAGES, ("native",), ("test",)),
}


def classes_of(name):
    """Return how many classes a preset's network tells apart."""
    detector, _, key = name.partition("-")
    known = detectors.DETECTORS[detector]
    return getattr(known.parse([f"preset={known.presets[key].of or key}"]), "classes", 2)


def network_of(classes):
    """Return a network whose scores lie on both sides of 1/2."""
    torch.manual_seed(1)
    network = TOY.build(TOY.parse([f"size={SIZE}", f"classes={classes}"]), False)
    with torch.no_grad():
        network.classify.weight *= 40
        network.draw.weight *= 10
    return network


def saved_network(folder, classes, methods, reader):
    """Write a checkpoint whose bias is the median logit's."""
    network = network_of(classes).eval()
    image = torch.from_numpy(reader.gather("image", np.arange(len(reader)))).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        outputs = network({"image": image})
        network.classify.bias -= outputs.logits.median(0).values
        network.draw.bias -= outputs.maps["map"].median()
    settings = PAPERS.parse([f"size={SIZE}", f"classes={classes}"])
    about = {"detector": "toy", "settings": settings.to_dict(), "methods": list(methods)}
    checkpoint.save(folder / "best.ckpt", Checkpoint(about, network.state_dict()))
    return folder / "best.ckpt"


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setitem(detectors.DETECTORS, "toy", PAPERS)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    return {
        name: make_store(
            folder / f"{name}.zarr", size=SIZE, people=2, frames=2, methods=methods, compressions=compressions,
            splits=splits, kinds=("ssim",), blends=False, dataset=name, seed=number, strength=25,
        )
        for number, (name, (methods, compressions, splits)) in enumerate(STORES.items())
    }  # fmt: skip


def group_of(name):
    """Return the evaluation that a preset is compared with: classes, and whether faces are changed before."""
    return classes_of(name), any(figure.rows.condition != "clean" for figure in PRESETS[name].figures)


@pytest.fixture(scope="module")
def judged(stores, tmp_path_factory):
    """Return evaluations of all that the presets need, and their saved scores, by `group_of`."""
    wanted = {(2, False): ((), list(STORES)), (2, True): ((), ["celebdf"]), (5, False): (FFPP, ["ffpp"]),
              (6, False): (IMAGES, ["hff"])}  # fmt: skip
    done = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(detectors.DETECTORS, "toy", PAPERS)
        for group, (methods, names) in wanted.items():
            folder = tmp_path_factory.mktemp("run")
            file = saved_network(folder, group[0], methods, open_store(stores[names[0]]))
            request = Request(tuple(stores[name] for name in names), file, device="cpu", rounds=0)
            splits = {}
            for name in PRESETS:
                if group_of(name) == group:
                    request = prepare(request, name).request
                    splits |= request.splits
            found = evaluate(dataclasses.replace(request, splits=splits))
            report.write(found, folder)
            with (folder / "scores.csv").open(encoding="utf-8") as stream:
                done[group] = found, list(csv.DictReader(stream))
    return done


def rows_of(figure, saved, stores):
    """Return the saved scores that a figure is of."""
    rows = figure.rows
    return [
        row
        for row in saved
        if row["condition"] == rows.condition
        and row["store"] == stores[rows.dataset]
        and rows.split in ("all", row["split"])
        and rows.compression in ("", row["compression"])
        and row["method"] in ("real", *rows.methods)
    ]


def rate(label, score):
    """Return the equal error rate as the root of a difference of interpolated rates."""
    false, true, _ = sklearn_metrics.roc_curve(label, score, drop_intermediate=False)
    place = np.linspace(0, 1, len(false))
    root = brentq(lambda at: np.interp(at, place, false) - 1 + np.interp(at, place, true), 0, 1)
    return np.interp(root, place, false)


def expected(figure, saved, stores):
    """Return a figure of frames or videos from the saved scores alone."""
    rows = rows_of(figure, saved, stores)
    label, score = (np.array([float(row[key]) for row in rows]) for key in ("label", "score"))
    if figure.level == "video":
        video = np.array([" ".join(row[key] for key in ("method", "compression", "split", "video")) for row in rows])
        label, score = (
            np.array([values[video == one].mean() for one in np.unique(video)]) for values in (label, score)
        )
    called = score > 0.5
    if figure.metric == "accuracy" and "class" in rows[0]:
        names = [key for key in rows[0] if key.startswith("probability_")]
        said = [max(range(len(names)), key=lambda number, row=row: float(row[names[number]])) for row in rows]
        return sklearn_metrics.accuracy_score([int(row["class"]) for row in rows], said)
    if figure.metric.startswith("recall_"):
        names = [key.removeprefix("probability_") for key in rows[0] if key.startswith("probability_")]
        said = [max(names, key=lambda name, row=row: float(row[f"probability_{name}"])) for row in rows]
        recalls = sklearn_metrics.recall_score(
            [row["method"] for row in rows], said, labels=[*FFPP, "real"], average=None
        )
        known = dict(zip((*FFPP, "real"), recalls, strict=True)) | {"mean": recalls.mean()}
        return known[figure.metric.removeprefix("recall_")]
    return {
        "accuracy": lambda: sklearn_metrics.accuracy_score(label, called),
        "auc": lambda: sklearn_metrics.roc_auc_score(label, score),
        "precision": lambda: sklearn_metrics.precision_score(label, called),
        "recall": lambda: sklearn_metrics.recall_score(label, called),
        "f1": lambda: sklearn_metrics.f1_score(label, called),
        "eer": lambda: rate(label, score),
        "tpr_at_fpr10": lambda: np.interp(0.1, *sklearn_metrics.roc_curve(label, score, drop_intermediate=False)[:2]),
    }[figure.metric]()


@functools.cache
def overlaps(network, location, row):
    """Return scikit-learn's Jaccard index of a face's manipulated pixels, and of its others."""
    reader = opened(location)
    image = torch.from_numpy(reader.gather("image", [row])).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        called = network.localise(network({"image": image}), SIZE)[0, 0].numpy() > 0.5
    truth = reader.gather("ssim", [row])[0] == 1
    pair = truth.ravel(), called.ravel()
    return [sklearn_metrics.jaccard_score(*(of == side for of in pair), zero_division=1.0) for side in (True, False)]


def drawn(figure, found, saved, stores):
    """Return a figure of maps from maps predicted face by face."""
    name, _, kind = figure.metric.partition("_")
    rows = [row for row in rows_of(figure, saved, stores) if not kind or (row["label"] == "1") == (kind == "fake")]
    pairs = [overlaps(found.network, row["store"], int(row["row"])) for row in rows]
    return np.mean([pair[0] if name == "iou" else np.mean(pair) for pair in pairs])


@pytest.mark.parametrize("detector", sorted(set(detectors.DETECTORS) - {"toy"}))
def test_every_figure_equals_one_computed_from_the_saved_scores(detector, judged, stores):
    for name, preset in PRESETS.items():
        if not name.startswith(detector):
            continue
        found, saved = judged[group_of(name)]
        request = Request(tuple(each.location for each in found.readers), found.result["checkpoint"], rounds=0)
        said = compare(prepare(request, name, "all"), found)["figures"]
        assert len(said) == len(preset.figures)
        for each, figure in zip(said, preset.figures, strict=True):
            assert each["here"] is not None, (name, each)
            if figure.metric == "mean":
                others = [other["here"] for other in said if other["level"] == "video" and other["metric"] != "mean"]
                assert each["here"] == pytest.approx(np.mean(others))
                continue
            assert each["frames"] == len(rows_of(figure, saved, stores))
            truth = drawn(figure, found, saved, stores) if figure.level == "maps" else expected(figure, saved, stores)
            assert each["here"] == pytest.approx(truth, abs=1e-6), (name, each["what"])


def begun(stores, names, file, preset, **more):
    request = Request(tuple(stores[name] for name in names), file, device="cpu", rounds=40, **more)
    return prepare(request, preset)


@pytest.fixture(scope="module")
def binary(judged):
    return judged[2, False][0].result["checkpoint"]


def test_what_is_judged_is_what_the_figures_are_of(stores, binary):
    comparison = begun(stores, ["celebdf", "uadfv"], binary, "bigarts-full")
    found = evaluate(comparison.request)
    splits = {(each["store"], each["split"]) for each in found.result["groups"]}
    assert splits == {(stores["celebdf"], "test"), (stores["uadfv"], "train"), (stores["uadfv"], "test")}
    coverage = found.result["overall"]["coverage"]
    assert coverage["frames"] == found.result["overall"]["frames"] == 2 * 2 * (2 + 4)
    said = compare(comparison, found)["figures"]
    assert said[0]["here"] is not None
    assert said[0]["interval"][0] <= said[0]["here"] <= said[0]["interval"][1]
    assert said[1]["lacking"] == "no store of dftimit"
    assert said[7]["lacking"] == "5 of the 7 figures were not measured"
    partial = begun(stores, ["celebdf"], binary, "bigarts-partial").request.partial
    assert partial == ("eyes", "nose", "mouth", "lower", "upper", "left", "right")


def test_what_differs_from_the_paper_is_said(stores, binary, tmp_path):
    own = make_store(
        tmp_path / "own.zarr", size=SIZE, methods=("Warp", "Patch"), compressions=("c23", "c40"), blends=False,
        recipe={"sampling": {"method": "stride", "stride": 3}},
    )  # fmt: skip
    request = Request((own,), binary, device="cpu", rounds=0, frames=2)
    comparison = prepare(request, "wavelet-c40")
    compared = compare(comparison, evaluate(comparison.request))
    first = compared["figures"][0]
    assert first["remarks"] == [
        f"{own} is of tiny; in the paper ffpp",
        f"{own} has every 3rd frame; in the paper 100 frames of a real and 100 of a fake, evenly spaced",
        "at most 2 frames of each video were judged",
        f"fakes of Warp, Patch; in the paper of {', '.join(FFPP)}",
        "fakes are 67% of the frames; in the paper 80%",
    ]
    by_method = next(each for each in compared["figures"] if each["table"] == "Table II")
    assert by_method["lacking"] == "no fake of Deepfakes among the rows judged"
    assert next(each for each in compared["figures"] if each["dataset"] == "uadfv")["lacking"] == "no store of uadfv"
    raw = prepare(request, "wavelet-raw")
    assert "compression c23 and c40; in the paper raw" in compare(raw, evaluate(raw.request))["figures"][0]["remarks"]
    text = screen(compared)
    assert re.search(r"frame accuracy on ffpp c40 test +paper 88\.96, here \d+\.\d  \(1, 2, 3, 4, 5\)\n", text)
    assert f"(1) {own} is of tiny; in the paper ffpp." in text


def test_a_store_with_another_balance_is_told(stores, binary):
    comparison = begun(stores, ["ffpp"], binary, "locate-lq", settings=())
    compared = compare(comparison, evaluate(comparison.request))
    assert "fakes are 80% of the frames; in the paper 50%" in compared["figures"][0]["remarks"]
    assert re.fullmatch(r"paper 87\.10, here \d+\.\d \[\d+\.\d, \d+\.\d\]", beside(compared["figures"][0]))


def test_the_command_prints_and_writes_it(stores, binary, tmp_path):
    arguments = ["--store", stores["ffpp"], "--checkpoint", binary, "--device", "cpu", "--rounds", "10",
                 "--out", str(tmp_path), "--no-sheet"]  # fmt: skip
    done = CliRunner().invoke(cli.evaluate.app, [*arguments, "--preset", "wavelet-c40"])
    assert done.exit_code == 0, done.output
    assert re.search(r"paper 88\.96, here \d+\.\d \[", done.output)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<h2 id="paper">Beside the paper</h2>' in page
    assert '<td class="n">88.96</td>' in page
    written = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["preset"]
    assert written["name"] == "wavelet-c40"
    assert len(written["figures"]) == len(PRESETS["wavelet-c40"].figures)


def test_wrong_names_are_refused(stores, binary):
    with pytest.raises(ConfigError, match="toy has no such preset; known are wavelet-raw"):
        begun(stores, ["ffpp"], binary, "c41")
