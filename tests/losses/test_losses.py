"""Contract of all losses, and each against torch or numbers worked by hand."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch.nn import functional

from foldwise.losses import LOSSES
from foldwise.losses.terms import named, total, weighted

_WHOLE = ("cross_entropy", "expectation")


def _loss(name: str, logits: torch.Tensor, target: torch.Tensor, **options: Any) -> torch.Tensor:
    """(N,) what is minimised."""
    return total(LOSSES[name](logits, target, **options))


def _perfect(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that are right beyond doubt, and their target."""
    classes = torch.tensor([0, 2, 1, 3])
    one_hot = functional.one_hot(classes, 4).double()
    if name in _WHOLE:
        return 40.0 * one_hot, classes
    if name == "bce":
        return 80.0 * one_hot - 40.0, one_hot
    return one_hot.clone(), one_hot


@pytest.mark.parametrize("name", LOSSES)
def test_a_perfect_answer_costs_nothing(name: str) -> None:
    losses = _loss(name, *_perfect(name))
    assert losses.shape == (4,)
    assert losses.abs().max() < 1e-6


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_falls_on_the_way_to_the_perfect_answer(name: str) -> None:
    logits, target = _perfect(name)
    way = [_loss(name, share * logits, target).mean().item() for share in (0.0, 0.1, 0.4, 1.0)]
    assert all(later < earlier for earlier, later in pairwise(way))


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_down_the_gradient_lowers_every_rows_loss(name: str) -> None:
    _, target = _perfect(name)
    logits = torch.randn(4, 4, dtype=torch.float64, generator=_rng()).requires_grad_()
    losses = _loss(name, logits, target)
    (slope,) = torch.autograd.grad(losses.sum(), logits)
    assert (_loss(name, logits - 1e-3 * slope, target) < losses).all()


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_right(name: str) -> None:
    _, target = _perfect(name)
    logits = torch.randn(4, 4, dtype=torch.float64, generator=_rng()).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: _loss(name, x, target), (logits,))


@pytest.mark.parametrize("name", LOSSES)
def test_large_logits_stay_finite_in_half_precision_range(name: str) -> None:
    _, target = _perfect(name)
    target = target if name in _WHOLE else target.float()
    for scale in (-1e4, 1e4):
        logits = torch.full((4, 4), scale)
        logits[:, 0] *= -1
        logits.requires_grad_()
        losses = _loss(name, logits, target)
        (slope,) = torch.autograd.grad(losses.sum(), logits)
        assert losses.isfinite().all()
        assert slope.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_rows_do_not_touch_each_other(name: str) -> None:
    logits, target = _perfect(name)
    logits = logits + torch.randn(4, 4, dtype=torch.float64, generator=_rng())
    alone = torch.cat([_loss(name, logits[i : i + 1], target[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(_loss(name, logits, target), alone)


@pytest.mark.parametrize("name", _WHOLE)
def test_a_soft_target_that_is_one_hot_equals_the_class(name: str) -> None:
    logits = torch.randn(6, 5, generator=_rng())
    classes = torch.tensor([0, 4, 2, 2, 1, 3])
    soft = functional.one_hot(classes, 5).float()
    torch.testing.assert_close(_loss(name, logits, soft), _loss(name, logits, classes))


def test_cross_entropy_of_a_mixed_target_is_the_mixture_of_both() -> None:
    logits = torch.randn(3, 4, generator=_rng())
    one, other = torch.tensor([0, 1, 2]), torch.tensor([3, 1, 0])
    mixed = 0.3 * functional.one_hot(one, 4) + 0.7 * functional.one_hot(other, 4)
    loss = LOSSES["cross_entropy"]
    torch.testing.assert_close(
        loss(logits, mixed), 0.3 * loss(logits, one) + 0.7 * loss(logits, other)
    )


def test_label_smoothing_spreads_its_share_over_all_classes() -> None:
    logits = torch.tensor([[2.0, 0.0]])
    by_hand = 0.9 * math.log1p(math.exp(-2.0)) + 0.1 * math.log1p(math.exp(2.0))
    loss = LOSSES["cross_entropy"](logits, torch.tensor([0]), label_smoothing=0.2)
    assert loss.item() == pytest.approx(by_hand, rel=1e-6)


def test_bce_at_zero_logits_is_log_two_whatever_the_target() -> None:
    loss = LOSSES["bce"](torch.zeros(2, 3), torch.tensor([[0.0, 1.0, 0.5], [1.0, 1.0, 0.0]]))
    torch.testing.assert_close(loss, torch.full((2,), math.log(2.0)))


def test_expectation_adds_the_squared_distance_of_the_expected_grade() -> None:
    probs = torch.tensor([[0.2, 0.7, 0.1, 1e-9, 1e-9]])
    loss = _loss("expectation", probs.log(), torch.tensor([2]), mse_weight=0.5)
    assert loss.item() == pytest.approx(-math.log(0.1) + 0.5 * (0.9 - 2.0) ** 2, rel=1e-5)


def test_expectation_names_its_terms_and_minimises_their_sum() -> None:
    logits, target = torch.randn(5, 4, generator=_rng()), torch.tensor([0, 1, 2, 3, 0])
    terms = named(LOSSES["expectation"](logits, target, mse_weight=0.5))
    assert list(terms) == ["cross_entropy", "squared_error"]
    torch.testing.assert_close(terms["cross_entropy"], LOSSES["cross_entropy"](logits, target))
    torch.testing.assert_close(
        _loss("expectation", logits, target, mse_weight=0.5), sum(terms.values())
    )


def test_weights_count_in_every_term() -> None:
    logits, target = torch.randn(3, 4, generator=_rng()), torch.tensor([0, 1, 2])
    weights = torch.tensor([0.0, 1.0, 2.0])
    found = LOSSES["expectation"](logits, target)
    torch.testing.assert_close(total(weighted(found, weights)), total(found) * weights)
    assert named(LOSSES["cross_entropy"](logits, target)) == {}


def test_smooth_l1_is_a_square_near_zero_and_a_line_beyond_beta() -> None:
    loss = LOSSES["smooth_l1"](torch.tensor([[1.0], [5.0]]), torch.zeros(2, 1), beta=2.0)
    torch.testing.assert_close(loss, torch.tensor([0.25, 4.0]))


@pytest.mark.parametrize("name", ["mse", "smooth_l1", "bce"])
def test_shapes_that_would_broadcast_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"\(3, 1\) and \(3,\)"):
        _loss(name, torch.zeros(3, 1), torch.zeros(3))


def _rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)
