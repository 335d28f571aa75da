import numpy as np
import pytest

from pipeline.sample.geometry import frame_anchors, polygon, soften, spline_maps, warp

SHAPE = (90, 120)


def points(seed=0, count=12):
    rng = np.random.default_rng(seed)
    return rng.uniform([10, 10], [110, 80], (count, 2))


def test_equal_points_move_nothing():
    x, y = spline_maps(points(), points(), SHAPE)
    rows, columns = np.indices(SHAPE)
    np.testing.assert_allclose(x, columns, atol=1e-3)
    np.testing.assert_allclose(y, rows, atol=1e-3)


def test_an_affine_map_is_met_everywhere():
    turn = np.array([[0.9, 0.2], [-0.1, 1.1]])
    x, y = spline_maps(points(), points() @ turn.T + [3, -4], SHAPE)
    rows, columns = np.indices(SHAPE)
    wanted = np.stack([columns, rows], axis=-1) @ turn.T + [3, -4]
    np.testing.assert_allclose(np.stack([x, y], axis=-1), wanted, atol=0.02)


def test_control_points_go_where_they_should():
    there = np.array([[30, 30], [60, 30], [90, 30], [30, 60], [60, 60], [90, 60]], float)  # nodes of the grid
    here = there + np.random.default_rng(1).normal(0, 3, there.shape)
    x, y = spline_maps(there, here, SHAPE)
    found = np.array([[x[int(v), int(u)], y[int(v), int(u)]] for u, v in there])
    np.testing.assert_allclose(found, here, atol=0.2)


def test_anchored_borders_stay():
    image = np.random.default_rng(2).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    middle = np.array([[60.0, 45.0]])
    pins = frame_anchors(SHAPE, per_side=12)
    moved = warp(image, np.concatenate([middle, pins]), np.concatenate([np.add(middle, [4, 0]), pins]), SHAPE)
    assert (moved != image)[30:60, 40:80].mean() > 0.5
    assert np.abs(moved[0].astype(int) - image[0]).mean() < 12


def test_polygon_and_soften_agree():
    mask = polygon(np.array([[20, 20], [90, 20], [90, 70], [20, 70]], float), SHAPE)
    weight = soften(mask, 4)
    assert mask.sum() == 71 * 51
    np.testing.assert_array_equal(weight > 0, mask == 1)
    assert weight[45, 55] == 1
    assert weight[20, 55] == pytest.approx(0.25, abs=0.02)
