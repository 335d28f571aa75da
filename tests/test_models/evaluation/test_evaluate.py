"""Evaluation: groups, levels and coverage against sums by hand; conditions change what they say and nothing else."""

import csv
import json

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score
from tinystore import make_store
from toy import TOY

from models import detectors
from models.data.corruptions import reencode
from models.data.row_table import Choice, choose
from models.data.store_reader import open_store
from models.evaluation import metrics, report, visualise
from models.evaluation.evaluate import Request, evaluate
from models.evaluation.partial_forgery import REGIONS, paste, region_mask
from models.evaluation.robustness import conditions
from models.runtime import checkpoint
from models.runtime.checkpoint import Checkpoint
from models.training.loop import train
from models.training.setup import BEST, Job
from pipeline import store
from pipeline.errors import CheckpointError, ConfigError, StoreError


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setitem(detectors.DETECTORS, "toy", TOY)


@pytest.fixture(scope="module")
def location(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("stores") / "tiny.zarr", size=32, strength=150)


@pytest.fixture(scope="module")
def run(location, tmp_path_factory):
    """Return a trained toy's checkpoint: bright squares are easy to learn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(detectors.DETECTORS, "toy", TOY)
        out = tmp_path_factory.mktemp("run")
        settings = TOY.parse(["epochs=8", "lr=0.05", "augment=off", "drops=none", "metric=loss"])
        train(Job((location,), TOY, settings, out, device="cpu", pretrained=False))
    return out / BEST


def request(location, run, **more):
    return Request((location,), run, device="cpu", rounds=50, **more)


def test_a_learnt_detector_tells_fakes_and_finds_their_pixels(location, run):
    result = evaluate(request(location, run)).result
    assert result["overall"]["frame"]["auc"] == 1
    assert result["overall"]["video"]["auc"] == 1
    assert result["overall"]["maps"]["iou_fake"] > 0.6
    assert result["overall"]["frame"]["auc_interval"] == (1, 1)
    assert json.loads(json.dumps(result))["truth_of_maps"] == "ssim"


def test_groups_are_the_rows_they_name(location, run):
    found = evaluate(request(location, run, split="all"))
    table, score = found.judged[0].condition.table, found.judged[0].found.score
    assert found.result["overall"]["frames"] == len(table) == 108
    assert found.result["overall"]["videos"] == 36
    groups = found.result["groups"]
    assert len(groups) == 3 * 2 * (1 + 2)
    for each in groups:
        rows = (table.split == each["split"]) & (table.compression == each["compression"])
        if each["method"] != "all":
            rows &= np.isin(table.method.astype(str), ("real", each["method"]))
        assert each["frames"] == rows.sum()
        assert each["frame"]["auc"] == metrics.scores(table.label[rows], score[rows])["auc"]
        assert each["videos"] == len(np.unique(table.video[rows]))


def test_coverage_counts_the_rejects(location, run):
    groups = {
        (each["compression"], each["method"]): each["coverage"]
        for each in evaluate(request(location, run)).result["groups"]
    }
    # the store's rejects: one frame of a real, and a whole video of Swap, both test c23
    assert groups["c23", "all"] == {"frames": 18, "frames_rejected": 4, "videos": 6, "videos_rejected": 1}
    assert groups["c23", "Swap"] == {"frames": 12, "frames_rejected": 4, "videos": 4, "videos_rejected": 1}
    assert groups["c23", "Patch"] == {"frames": 12, "frames_rejected": 1, "videos": 4, "videos_rejected": 0}
    assert groups["c40", "all"]["frames_rejected"] == 0


def test_several_stores_stand_side_by_side(location, run, tmp_path):
    other = make_store(tmp_path / "other.zarr", size=48, kinds=("mask",), methods=("New",), people=1, blends=False)
    found = evaluate(Request((location, other), run, device="cpu", rounds=0))
    by_store = {each["store"]: each for each in found.result["groups"] if each["method"] == "all"}
    assert set(by_store) == {location, other}
    assert by_store[other]["maps"] == {}
    assert by_store[location]["maps"]["iou"] is not None
    assert found.result["overall"]["frames"] == 36 + 12


def test_relabelled_fakes_are_judged_both_ways(run, tmp_path):
    location = make_store(tmp_path / "s.zarr", size=32)
    group = store.open_group(location, "r+")
    label = store.read(store.array_of(group, "label"))
    fakes = np.flatnonzero(label)
    label[fakes[-3:]] = 0
    store.write_column(group, "label", label)
    frame = evaluate(request(location, run)).result["overall"]["frame"]
    assert frame["auc_by_method"] > frame["auc"]


def test_conditions_do_what_they_say(location):
    reader = open_store(location)
    table = choose([reader], Choice("test", "c23"))
    found = {each.name: each for each in conditions([reader], table, ["jpeg", "h264:30"], ["all"])}
    assert list(found)[:7] == ["clean", "jpeg:100", "jpeg:90", "jpeg:80", "jpeg:70", "jpeg:60", "h264:30"]
    assert list(found)[7:] == [f"partial:{name}" for name in REGIONS]
    video = reader.columns["video"][table.row]
    rows = table.row[video == video[0]]
    wanted = reencode(reader.gather("image", rows), 30)
    assert np.array_equal(found["h264:30"].image(0, rows[::-1]), wanted[::-1])
    fake, real = table.row[table.label == 1][:1], table.row[table.label == 0][:1]
    partly = found["partial:mouth"].image(0, np.concatenate([fake, real]))
    assert np.array_equal(partly[1], reader.gather("image", real)[0])
    mask = region_mask("mouth", reader.columns["landmarks"][fake[0]], 32)
    pair = reader.gather("image", [fake[0], reader.columns["real"][fake[0]]])
    assert np.array_equal(partly[0], paste(*pair, mask))
    assert not np.array_equal(partly[0], pair[0])
    with pytest.raises(ConfigError, match="no region chin"):
        conditions([reader], table, [], ["chin"])
    with pytest.raises(ConfigError, match="no sweep jpg"):
        conditions([reader], table, ["jpg"], [])


def test_regions_lie_where_their_names_say():
    angle = np.linspace(np.pi, 0, 17)
    landmarks = np.zeros((68, 2), np.float32)
    landmarks[:17] = np.stack([50 + 35 * np.cos(angle), 45 + 40 * np.sin(angle)], 1)  # jaw, the picture's left first
    landmarks[17:27] = np.stack([np.linspace(20, 80, 10), np.full(10, 28)], 1)
    landmarks[27:31] = np.stack([np.full(4, 50), np.linspace(38, 55, 4)], 1)
    landmarks[31:36] = np.stack([np.linspace(44, 56, 5), np.full(5, 58)], 1)
    for first, centre in ((36, 35), (42, 65)):
        turn = np.linspace(0, 2 * np.pi, 6, endpoint=False)
        landmarks[first : first + 6] = np.stack([centre + 6 * np.cos(turn), 38 + 3 * np.sin(turn)], 1)
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    landmarks[48:] = np.stack([50 + 12 * np.cos(turn), 70 + 5 * np.sin(turn)], 1)
    masks = {name: region_mask(name, landmarks, 100) for name in REGIONS}
    centres = {name: np.argwhere(mask).mean(0)[::-1] for name, mask in masks.items()}  # (x, y)
    assert centres["eyes"] == pytest.approx([50, 38], abs=1.5)
    assert centres["nose"] == pytest.approx([50, 50], abs=5)
    assert centres["mouth"] == pytest.approx([50, 70], abs=1.5)
    assert centres["left"][0] < 40 < 60 < centres["right"][0]
    assert centres["upper"][1] < 50 < 60 < centres["lower"][1]
    for one, other in (("left", "right"), ("upper", "lower"), ("eyes", "mouth")):
        assert not (masks[one] & masks[other]).any()


def test_what_is_written(location, run, tmp_path):
    found = evaluate(request(location, run, perturb=("blur:0.5", "blur:3", "noise:40"), partial=("eyes",)))
    names = {path.name for path in report.write(found, tmp_path)}
    assert names == {"metrics.json", "metrics.csv", "scores.csv", "roc.png", "robustness.png", "studies.png"}
    visualise.draw(found, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    said = json.loads((tmp_path / "metrics.json").read_text())
    assert [each["condition"] for each in said["conditions"]] == ["blur:0.5", "blur:3", "noise:40", "partial:eyes"]
    with (tmp_path / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 5 * (1 + 2 * 3)
    assert float(rows[0]["frame_auc"]) == said["overall"]["frame"]["auc"]
    with (tmp_path / "scores.csv").open() as stream:
        scores = [row for row in csv.DictReader(stream) if row["condition"] == "clean"]
    again = metrics.scores(
        np.array([int(row["label"]) for row in scores]), np.array([float(row["score"]) for row in scores])
    )
    assert again["auc"] == said["overall"]["frame"]["auc"]
    text = report.screen(found.result)
    assert "everything" in text
    assert "noise:40" in text


@pytest.mark.parametrize("name", sorted(set(detectors.DETECTORS) - {"toy"}))
def test_grad_cam_of_every_detector(name):
    detector = detectors.DETECTORS[name]
    settings = detector.parse(["size=64"])
    network = detector.build(settings, False).eval()
    batch = {"image": torch.rand(2, 3, 64, 64)}
    seen = visualise.grad_cam(network, detector.plan(settings), batch)
    assert seen.shape == (2, 1, 64, 64)
    assert seen.min() >= 0
    assert seen.max() <= 1
    assert not any(parameter.grad is not None for parameter in network.parameters())


def test_figures_of_several_classes_are_sklearns_of_the_saved_scores(tmp_path):
    """Six classes, one of them untaught and one class far more frequent than the others."""
    methods = ("A", "B", "C", "D", "E")
    location = make_store(tmp_path / "s.zarr", size=32, methods=(*methods, "New"), blends=False)
    settings = TOY.parse(["classes=6"])
    about = {"detector": "toy", "settings": settings.to_dict(), "methods": list(methods)}
    checkpoint.save(tmp_path / "c.ckpt", Checkpoint(about, TOY.build(settings, False).state_dict()))
    found = evaluate(request(location, tmp_path / "c.ckpt"))
    report.write(found, tmp_path)
    with (tmp_path / "scores.csv").open() as stream:
        saved = list(csv.DictReader(stream))
    label, target = (np.array([int(row[name]) for row in saved]) for name in ("label", "class"))
    score = np.array([float(row["score"]) for row in saved])
    probabilities = np.array([[float(row[f"probability_{name}"]) for name in ("real", *methods)] for row in saved])
    called, taught = probabilities.argmax(1), target >= 0
    overall = found.result["overall"]
    assert 0 < taught.sum() < len(target)
    assert overall["frame"]["accuracy"] == pytest.approx(accuracy_score(target[taught], called[taught]))
    assert overall["frame"]["accuracy_real_fake"] == pytest.approx(accuracy_score(label, score > 0.5))
    assert overall["frame"]["recall_mean"] == pytest.approx(balanced_accuracy_score(target[taught], called[taught]))
    assert overall["frame"]["auc"] == roc_auc_score(label, score)
    video = np.array([f"{row['video']} {row['compression']}" for row in saved])
    means = np.array([probabilities[video == name].mean(0) for name in np.unique(video)])
    classes = np.array([target[video == name][0] for name in np.unique(video)])
    right = accuracy_score(classes[classes >= 0], means.argmax(1)[classes >= 0])
    assert overall["video"]["accuracy"] == pytest.approx(right)
    assert found.result["classes"] == ["real", *methods]
    assert "of 6 classes, real, A" in report.screen(found.result)
    about["methods"] = []
    checkpoint.save(tmp_path / "d.ckpt", Checkpoint(about, TOY.build(settings, False).state_dict()))
    with pytest.raises(CheckpointError, match="6 classes apart, but names 0 methods"):
        evaluate(request(location, tmp_path / "d.ckpt"))


def test_scores_that_are_no_numbers_are_refused_with_their_rows(location, run, monkeypatch):
    """Finite weights whose product is none: half of the rows, those of c40, have no number."""
    saved = checkpoint.load(run)
    broken = TOY.build(saved.settings, False)
    broken.load_state_dict(saved.network)
    forward = broken.forward

    def half(batch):
        found = forward(batch)
        found.logits[batch["image"].shape[0] // 2 :] *= torch.nan
        return found

    broken.forward = half
    monkeypatch.setattr(Checkpoint, "build", lambda self: broken)
    with pytest.raises(
        CheckpointError, match=r"best\.ckpt cannot be judged \(clean\).*for 18 of 36 rows.*\(video test"
    ):
        evaluate(request(location, run))


def test_nothing_to_judge(location, run, tmp_path):
    one = make_store(tmp_path / "train.zarr", size=32, splits=("train",), blends=False)
    with pytest.raises(StoreError, match="no row of split test"):
        evaluate(request(one, run))
    with pytest.raises(StoreError, match="no row of split test and compression raw"):
        evaluate(request(location, run, compression="raw"))


def test_one_class_alone_gives_what_it_can(run, tmp_path):
    location = make_store(tmp_path / "s.zarr", size=32, methods=(), blends=False)
    result = evaluate(request(location, run)).result["overall"]
    assert result["frame"]["auc"] is None
    assert result["frame"]["accuracy"] is not None


def test_settings_are_changed_for_an_evaluation(location, run):
    found = evaluate(request(location, run, settings=("size=16", "compression=c23")))
    assert found.result["settings"]["size"] == 16
    assert found.plan.size == 16
    with pytest.raises(ConfigError, match="no setting is called pace"):
        evaluate(request(location, run, settings=("pace=3",)))
    with pytest.raises(CheckpointError):
        evaluate(request(location, run, settings=("classes=3",)))
