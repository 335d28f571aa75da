"""What validation may choose the best by, against other implementations."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score
from tinystore import make_store

from models.data.row_table import Choice, choose
from models.data.store_reader import open_store
from models.evaluation import inference
from models.evaluation.inference import Predictions


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    methods = ("A", "B", "C", "D", "E")
    location = make_store(tmp_path_factory.mktemp("s") / "six.zarr", size=32, methods=methods, blends=False)
    return choose([open_store(location)], Choice("val", taught=methods))


def predictions(table, probabilities):
    rows = len(table)
    none = np.zeros((rows, 4), np.int64)
    return Predictions(np.arange(rows), 1 - probabilities[:, 0], probabilities, none, np.empty((0, 2)))


def test_the_best_of_several_classes_is_chosen_by_the_classes(table):
    """A network that calls every fake `A` tells all fakes, and a fifth of the methods."""
    probabilities = np.eye(6)[np.minimum(table.label, 1)] * 0.4 + 0.1
    found = inference.figures(predictions(table, probabilities), table)
    assert found["auc"] == 1
    assert found["accuracy"] == pytest.approx(2 / 6)
    assert found["recall_mean"] == pytest.approx(2 / 6)


@pytest.mark.parametrize("classes", [2, 6])
def test_figures_are_sklearns(table, classes):
    probabilities = np.random.default_rng(0).dirichlet(np.ones(classes), len(table))
    target = table.target if classes == 6 else table.label
    table = dataclasses.replace(table, target=target)
    found = inference.figures(predictions(table, probabilities), table)
    called = probabilities.argmax(1)
    assert found["accuracy"] == pytest.approx(accuracy_score(target, called))
    assert found["recall_mean"] == pytest.approx(balanced_accuracy_score(target, called))
    assert found["auc"] == pytest.approx(roc_auc_score(table.label, 1 - probabilities[:, 0]))
