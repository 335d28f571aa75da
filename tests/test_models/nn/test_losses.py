"""Means over what is known, resizing around the unknown, and classes."""

import pytest
import torch
import torch.nn.functional as F

from models.nn.losses import class_loss, class_probabilities, known_rows, mean_known, pixel_bce, pixel_l1, shrink

NAN = float("nan")


def test_rows_without_a_label_are_left_out():
    logits = torch.randn(3, 1, 4, 4, requires_grad=True)
    target = torch.rand(3, 1, 4, 4)
    target[1] = NAN
    loss = pixel_bce(logits, target)
    kept = torch.tensor([0, 2])
    assert loss.item() == pytest.approx(F.binary_cross_entropy_with_logits(logits[kept], target[kept]).item(), rel=1e-6)
    loss.backward()
    assert logits.grad[1].abs().max() == 0
    assert logits.grad.isfinite().all()
    assert known_rows(target).tolist() == [True, False, True]


def test_nothing_known_gives_zero_with_gradients():
    predicted = torch.randn(2, 1, 4, 4, requires_grad=True)
    loss = pixel_l1(predicted, torch.full((2, 1, 4, 4), NAN))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(predicted.grad, torch.zeros_like(predicted))


def test_unknown_pixels_are_left_out_of_their_row():
    values = torch.tensor([[1.0, 3.0], [8.0, 100.0]])
    assert mean_known(values, torch.tensor([[True, True], [True, False]])).item() == 5  # (2 + 8) / 2


def test_means_add_up_over_parts():
    """A batch's term is the parts' terms weighted by their shares of the rows."""
    logits, target = torch.randn(5, 1, 3, 3), torch.rand(5, 1, 3, 3)
    target[3] = NAN
    parts = [slice(0, 2), slice(2, 5)]
    rows = torch.stack([known_rows(target[part]).sum() for part in parts])
    split = torch.stack([pixel_bce(logits[part], target[part]) for part in parts])
    assert (split * rows / rows.sum()).sum().item() == pytest.approx(pixel_bce(logits, target).item(), rel=1e-6)


def test_shrink():
    target = torch.rand(2, 1, 38, 38)
    assert torch.equal(shrink(target, (38, 38)), target)
    torch.testing.assert_close(shrink(target, (19, 19), "area"), F.avg_pool2d(target, 2))
    soft = shrink(target, (19, 19))
    torch.testing.assert_close(soft, F.interpolate(target, (19, 19), mode="bilinear", antialias=True))
    constant = torch.full((1, 1, 30, 30), 0.25)
    constant[..., :11, :] = NAN
    for mode in ("bilinear", "area"):
        small = shrink(constant, (7, 7), mode)
        torch.testing.assert_close(small[small.isfinite()], torch.full_like(small[small.isfinite()], 0.25))
        assert small[..., 0, :].isnan().all()
        assert small[..., -1, :].isfinite().all()
    assert shrink(torch.full((1, 1, 8, 8), NAN), (3, 3)).isnan().all()


def test_one_logit_and_two_agree():
    one, label = torch.randn(6, 1), torch.tensor([0, 1, 2, 0, 1, 3])
    two = torch.cat([torch.zeros_like(one), one], 1)
    assert class_loss(one, label).item() == pytest.approx(class_loss(two, label.clamp(max=1)).item(), rel=1e-6)
    torch.testing.assert_close(class_probabilities(one), class_probabilities(two))
    torch.testing.assert_close(class_probabilities(torch.randn(4, 5)).sum(1), torch.ones(4))
