"""Metrics on cases whose answer is known, and against other implementations."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score

from models.evaluation import intervals, metrics

RNG = np.random.default_rng(0)


def test_a_perfect_and_an_inverted_detector():
    label = np.array([0, 0, 1, 1])
    perfect = metrics.scores(label, np.array([0.1, 0.2, 0.8, 0.9]))
    assert perfect == pytest.approx({name: 1.0 for name in perfect} | {"eer": 0.0})
    inverted = metrics.scores(label, np.array([0.9, 0.8, 0.2, 0.1]))
    assert inverted["auc"] == 0
    assert inverted["eer"] == 1
    assert inverted["accuracy"] == 0


def test_known_cells():
    label = np.array([1, 1, 1, 0, 0])
    found = metrics.scores(label, np.array([0.9, 0.8, 0.4, 0.7, 0.1]))
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["f1"] == pytest.approx(2 / 3)
    assert found["auc"] == pytest.approx(5 / 6)


def test_one_class_alone_has_no_curve():
    for label in ([0, 0], [1, 1]):
        found = metrics.scores(np.array(label), np.array([0.2, 0.9]))
        assert found["accuracy"] == 0.5
        assert found["auc"] is None
        assert found["eer"] is None
    assert metrics.scores(np.array([0, 0]), np.array([0.2, 0.9]))["recall"] is None
    assert set(metrics.scores(np.array([], int), np.array([])).values()) == {None}


def test_rates_of_normal_scores():
    label = np.repeat([0, 1], 20000)
    score = np.concatenate([RNG.normal(0, 1, 20000), RNG.normal(2, 1, 20000)])
    found = metrics.scores(label, score)
    assert found["eer"] == pytest.approx(0.1587, abs=0.01)  # normal distribution below -1
    assert found["auc"] == pytest.approx(0.9214, abs=0.01)  # below sqrt(2)
    assert found["tpr_at_fpr10"] == pytest.approx(0.7637, abs=0.02)  # below 2 - 1.2816


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(0, 3)), min_size=4, max_size=40))
def test_a_drawn_auc_is_that_of_repeated_rows(rows):
    label, score, times = (np.array(column) for column in zip(*rows, strict=True))
    drawn = intervals.curve(label, score.astype(float), np.arange(len(label)), metrics.area)
    found = drawn(times.astype(float))
    repeated = np.repeat(label, times), np.repeat(score, times)
    if len(set(repeated[0])) < 2:
        assert found is None
    else:
        assert found == pytest.approx(roc_auc_score(*repeated))


def auc_interval(label, score, video, rounds):
    drawn = intervals.curve(label, score, video, metrics.area)
    return intervals.interval(drawn, int(video.max()) + 1, rounds)


def test_intervals_hold_the_value_and_narrow_with_more_videos():
    widths = []
    for videos in (20, 200):
        label = np.repeat(RNG.integers(0, 2, videos), 5)
        score = label + RNG.normal(0, 1, len(label))
        low, high = auc_interval(label, score, np.repeat(np.arange(videos), 5), 200)
        assert low <= roc_auc_score(label, score) <= high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2
    one = np.zeros(4, int)
    assert auc_interval(one, np.zeros(4), one, 50) is None


def test_alike_frames_do_not_narrow_an_interval():
    label = RNG.integers(0, 2, 30)
    score = label + RNG.normal(0, 1, 30)
    few = auc_interval(label, score, np.arange(30), 300)
    many = auc_interval(np.repeat(label, 20), np.repeat(score, 20), np.repeat(np.arange(30), 20), 300)
    assert many[1] - many[0] == pytest.approx(few[1] - few[0], rel=0.05)


def test_videos_are_means_of_their_frames():
    label, video = np.array([0, 0, 1, 1, 1]), np.array([7, 7, 3, 3, 3])
    found = metrics.by_video(label, np.array([0.2, 0.4, 0.9, 0.3, 0.6]), video)
    assert found.video.tolist() == [3, 7]
    assert found.label.tolist() == [1, 0]
    assert found.score.tolist() == pytest.approx([0.6, 0.3])


def test_figures_of_classes_are_sklearns():
    target = np.array([0, 1, 1, 2, -1])
    probabilities = np.eye(4)[[0, 1, 2, 2, 3]]
    found = metrics.classes(target, probabilities, ("real", "A", "B", "C"))
    recalls = {"recall_real": 1.0, "recall_A": 0.5, "recall_B": 1.0, "recall_C": None}
    assert found == {"accuracy": 0.75, **recalls, "recall_mean": 2.5 / 3, "untaught": 1}
    target, probabilities = RNG.integers(0, 6, 300), RNG.dirichlet(np.ones(6), 300)
    found = metrics.classes(target, probabilities, ())
    assert found["accuracy"] == accuracy_score(target, probabilities.argmax(1))
    assert found["recall_mean"] == pytest.approx(balanced_accuracy_score(target, probabilities.argmax(1)))
    nobody = metrics.classes(np.array([-1]), np.eye(3)[[0]], ())
    assert nobody == {**dict.fromkeys(("accuracy", "recall_0", "recall_1", "recall_2", "recall_mean")), "untaught": 1}


def test_maps():
    truth = torch.zeros(4, 1, 4, 4)
    truth[:2, :, :2] = 1
    truth[3] = torch.nan
    predicted = torch.zeros(4, 1, 4, 4)
    predicted[0, :, :2] = 0.9
    predicted[1, :, 1:3] = 0.9
    counts = metrics.pixel_counts(predicted, truth)
    assert counts.tolist() == [[8, 0, 0, 8], [4, 4, 4, 4], [0, 0, 0, 16], [0, 0, 0, 0]]
    found = metrics.localisation(counts)
    assert found["iou"][:3].tolist() == pytest.approx([1, 1 / 3, 1])
    assert found["miou"][:3].tolist() == pytest.approx([1, 1 / 3, 1])
    assert found["pbca"][:3].tolist() == pytest.approx([1, 0.5, 1])
    assert np.isnan(found["iou"][3])
    means = metrics.maps(counts, np.array([1, 1, 0, 1]))
    assert means["iou"] == pytest.approx(7 / 9)
    assert means["iou_fake"] == pytest.approx(2 / 3)


def test_the_miou_of_a_real_face_with_a_false_alarm_is_half_of_its_background():
    truth, predicted = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    predicted[0, 0, 0] = 1
    found = metrics.localisation(metrics.pixel_counts(predicted, truth))
    assert found["iou"][0] == 0
    assert found["miou"][0] == pytest.approx(0.75 / 2)


def test_what_is_better():
    assert metrics.better("auc", 0.6, None)
    assert metrics.better("auc", 0.6, 0.5)
    assert not metrics.better("auc", 0.5, 0.5)
    assert metrics.better("loss", 0.4, 0.5)
    assert not metrics.better("auc", None, None)


def test_an_interval_of_maps_over_one_video_is_the_figure():
    counts, label, one = RNG.integers(0, 9, (40, 4)), RNG.integers(0, 2, 40), np.zeros(40, int)
    counts[:3] = 0  # not one pixel is known
    for metric, value in metrics.maps(counts, label).items():
        if metric != "auc_by_pixels":
            drawn = intervals.of_maps(metric, counts, label, one)
            assert intervals.interval(drawn, 1, 3) == pytest.approx((value, value)), metric
    assert intervals.of_maps("iou_of", counts, label, one) is None
