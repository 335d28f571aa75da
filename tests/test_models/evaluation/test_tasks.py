"""Accuracy follows the task: real against fake, or several classes; frames and videos."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from models.evaluation import tasks
from models.evaluation.tasks import Answers, by_video, task_of

NAMES = ("real", "A", "B", "C", "D", "E")


def always_first_fake(rows=60):
    """Return a network of six classes that calls each fake the first method: right of fake, wrong of the class."""
    target = np.arange(rows) % 6
    probabilities = np.eye(6)[np.where(target > 0, 1, 0)] * 0.7 + 0.05
    return Answers((target > 0).astype(np.int64), 1 - probabilities[:, 0], target, probabilities, np.arange(rows) // 6)


def test_accuracy_of_several_classes_is_not_that_of_real_and_fake():
    answers = always_first_fake()
    found = task_of(6).figures(answers, NAMES)
    assert found["accuracy"] == pytest.approx(accuracy_score(answers.target, answers.probabilities.argmax(1)))
    assert found["accuracy"] == pytest.approx(1 / 3)
    assert found["accuracy_real_fake"] == 1
    assert found["auc"] == 1
    assert found["recall_B"] == 0


def test_its_interval_is_that_of_the_classes():
    answers = always_first_fake(600)
    low, high = tasks.interval("accuracy", answers, NAMES, 100)
    assert low <= 1 / 3 <= high < 0.5
    binary = Answers(answers.label, answers.score, answers.label, answers.probabilities[:, :2], answers.video)
    assert tasks.interval("accuracy", binary, (), 100) == (1, 1)


@pytest.mark.parametrize("classes", [2, 6])
def test_an_interval_over_one_video_is_the_figure(classes):
    """Every draw of one video is that video: every metric's interval is its value, twice."""
    rng = np.random.default_rng(classes)
    target = rng.integers(-1 if classes > 2 else 0, classes, 60)
    probabilities = rng.dirichlet(np.ones(classes), 60).round(2)
    answers = Answers((target != 0).astype(int), 1 - probabilities[:, 0], target, probabilities, np.zeros(60, int))
    names = NAMES[:classes] if classes > 2 else ()
    found = task_of(classes).figures(answers, names)
    assert len(found) >= 7
    for metric, value in found.items():
        if metric != "untaught":
            assert tasks.interval(metric, answers, names, 3) == pytest.approx((value, value)), metric
    assert tasks.interval("pace", answers, names, 3) is None


def test_methods_never_taught_are_counted_and_left_out():
    answers = always_first_fake()
    answers.target[answers.target == 5] = -1
    found = task_of(6).figures(answers, NAMES)
    assert found["untaught"] == 10
    assert found["accuracy"] == pytest.approx(2 / 5)


def test_a_video_has_the_mean_of_its_frames_and_the_class_of_most():
    probabilities = np.array([[0.1, 0.5, 0.4], [0.1, 0.1, 0.8], [0.2, 0.7, 0.1], [0.9, 0.05, 0.05]])
    target, video = np.array([1, 0, 1, 0]), np.array([9, 9, 9, 4])
    found = by_video(Answers((target > 0).astype(np.int64), 1 - probabilities[:, 0], target, probabilities, video))
    assert found.video.tolist() == [4, 9]
    assert found.target.tolist() == [0, 1]
    assert found.label.tolist() == [0, 1]
    assert found.probabilities[1] == pytest.approx(probabilities[:3].mean(0))
    assert found.score == pytest.approx(1 - found.probabilities[:, 0])


def test_nothing_to_judge():
    none = np.empty(0, np.int64)
    empty = Answers(none, none.astype(float), none, np.empty((0, 3)), none)
    assert len(by_video(empty).video) == 0
    assert task_of(3).figures(empty, ("real", "A", "B"))["accuracy"] is None


def test_the_mean_over_methods_weighs_each_method_alike():
    rng = np.random.default_rng(0)
    method = np.array(["real"] * 50 + ["A"] * 90 + ["B"] * 10, dtype=object)
    label = (method != "real").astype(np.int64)
    score = rng.normal(0, 1, 150) + 2 * (method == "A")
    answers = Answers(label, score, label, np.stack([1 - score, score], 1), np.arange(150))
    wanted = [roc_auc_score(label[rows], score[rows]) for rows in (np.r_[0:140], np.r_[0:50, 140:150])]
    assert tasks.method_auc(answers, method) == pytest.approx(np.mean(wanted))
    some = Answers(label[:9], score[:9], label[:9], answers.probabilities[:9], np.arange(9))
    assert tasks.method_auc(some, method[:9]) is None
