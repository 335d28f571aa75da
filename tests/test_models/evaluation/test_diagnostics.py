"""Pixels as a classifier and errors by face size, against sums by hand."""

import numpy as np

from models.evaluation import diagnostics, metrics


def test_accuracy_over_the_share_of_pixels():
    counts = np.array([[0, 0, 0, 10], [2, 1, 0, 7], [6, 0, 2, 2], [0, 0, 5, 5]])  # none, 0.3, 0.6 and none called
    share = metrics.pixel_share(counts)
    assert share.tolist() == [0, 0.3, 0.6, 0]
    found = diagnostics.accuracies(np.array([0, 0, 1, 1]), share)
    by_threshold = dict(zip(diagnostics.THRESHOLDS.round(2).tolist(), found.tolist(), strict=True))
    assert [by_threshold[at] for at in (0, 0.31, 0.59, 0.61, 1)] == [0.5, 0.75, 0.75, 0.5, 0.5]


def test_areas_come_in_the_order_of_falling_loss():
    label, score = np.array([0, 1, 0, 1]), np.array([0.9, 0.6, 0.0, 1.0])
    area = np.array([10.0, 20.0, 30.0, 40.0])
    assert diagnostics.areas_by_loss(label, score, area, groups=4)[:2].tolist() == [10, 20]
    assert diagnostics.areas_by_loss(label, score, area, groups=2).tolist() == [15, 35]
    assert len(diagnostics.areas_by_loss(label, score, area)) == 4


def test_maps_score_faces_by_their_pixels():
    counts = np.array([[0, 0, 0, 9], [0, 3, 0, 6], [3, 0, 0, 6], [6, 0, 0, 3]])
    assert metrics.maps(counts, np.array([0, 0, 1, 1]))["auc_by_pixels"] == 0.875
