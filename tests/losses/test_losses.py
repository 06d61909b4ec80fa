"""Contract of all losses, and each against torch, timm, scikit-learn or numbers worked by hand."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import timm.loss
import torch
from sklearn.metrics import cohen_kappa_score
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from foldwise.losses import LOSSES
from foldwise.losses.terms import is_of_batch, named, summed, total, weigh, weighted

from .cases import BINARY, CLASSES, Case, cases, drawn, perfect, rng

#: Their value is linear in the target, so mixed targets cost the mixture.
_LINEAR = ("cross_entropy", "focal", "poly1", "two_step", "affinity", *BINARY, "corn")
_CASES = cases()
_ALONE = [case for case in _CASES if not is_of_batch(LOSSES[case[0]])]


def _loss(name: str, logits: torch.Tensor, target: torch.Tensor, **options: Any) -> torch.Tensor:
    """(N,) what is minimised."""
    return total(LOSSES[name](logits, target, **options))


@pytest.mark.parametrize("case", _CASES, ids=" ".join)
def test_a_perfect_answer_costs_nothing(case: Case) -> None:
    losses = _loss(case[0], *perfect(case))
    assert losses.shape == (4,)
    assert losses.abs().max() < 1e-6


@pytest.mark.parametrize("case", _CASES, ids=" ".join)
def test_the_loss_falls_on_the_way_to_the_perfect_answer(case: Case) -> None:
    logits, target = perfect(case)
    way = [_loss(case[0], share * logits, target).mean().item() for share in (0.0, 0.1, 0.4, 1.0)]
    assert all(later < earlier for earlier, later in pairwise(way))


@pytest.mark.parametrize("case", _CASES, ids=" ".join)
def test_a_step_down_the_gradient_lowers_every_rows_loss(case: Case) -> None:
    logits, target = drawn(case)
    losses = _loss(case[0], logits.requires_grad_(), target)
    (slope,) = torch.autograd.grad(losses.sum(), logits)
    after = _loss(case[0], logits - 1e-3 * slope, target)
    assert (after < losses).all() if case in _ALONE else after.sum() < losses.sum()


@pytest.mark.parametrize("case", _CASES, ids=" ".join)
def test_gradients_are_right(case: Case) -> None:
    logits, target = drawn(case)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: _loss(case[0], x, target), (logits,))


@pytest.mark.parametrize("case", _CASES, ids=" ".join)
def test_large_logits_stay_finite_in_half_precision_range(case: Case) -> None:
    right, target = perfect(case)
    target = target.float() if target.is_floating_point() else target
    for scale in (-1e4, 1e4):
        logits = torch.full(right.shape, scale)
        logits[:, 0] *= -1
        logits.requires_grad_()
        losses = _loss(case[0], logits, target)
        (slope,) = torch.autograd.grad(losses.sum(), logits)
        assert losses.isfinite().all()
        assert slope.isfinite().all()


@pytest.mark.parametrize("gamma", [0.0, 0.3])
@pytest.mark.parametrize("name", ["focal", "binary_focal"])
def test_a_sure_answer_has_a_slope_for_powers_below_one(name: str, gamma: float) -> None:
    logits, target = perfect((name, ""))
    logits = logits.float().requires_grad_()
    (slope,) = torch.autograd.grad(_loss(name, logits, target, gamma=gamma).sum(), logits)
    assert slope.isfinite().all()


@pytest.mark.parametrize("case", _ALONE, ids=" ".join)
def test_rows_do_not_touch_each_other(case: Case) -> None:
    logits, target = perfect(case)
    logits = logits + torch.randn(logits.shape, dtype=torch.float64, generator=rng())
    alone = torch.cat([_loss(case[0], logits[i : i + 1], target[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(_loss(case[0], logits, target), alone)


@pytest.mark.parametrize("case", _CASES, ids=" ".join)
def test_a_row_of_weight_0_is_not_there_and_doubled_weights_double_the_loss(case: Case) -> None:
    logits, target = drawn(case)
    weights = torch.tensor([1.0, 0.0, 2.0, 0.5], dtype=torch.float64)
    kept = weights > 0
    found = total(weigh(LOSSES[case[0]], logits, target, weights))
    without = total(weigh(LOSSES[case[0]], logits[kept], target[kept], weights[kept]))
    torch.testing.assert_close(found[kept], without)
    assert found[1] == 0
    torch.testing.assert_close(
        total(weigh(LOSSES[case[0]], logits, target, 2 * weights)), 2 * found
    )
    ones = torch.ones(4, dtype=torch.float64)
    torch.testing.assert_close(
        total(weigh(LOSSES[case[0]], logits, target, ones)), _loss(case[0], logits, target)
    )


@pytest.mark.parametrize("name", CLASSES)
def test_a_soft_target_that_is_one_hot_equals_the_class(name: str) -> None:
    logits = torch.randn(6, 5, generator=rng())
    classes = torch.tensor([0, 4, 2, 2, 1, 3])
    soft = functional.one_hot(classes, 5).float()
    torch.testing.assert_close(_loss(name, logits, soft), _loss(name, logits, classes))


@pytest.mark.parametrize("name", _LINEAR)
def test_the_loss_of_a_mixed_target_is_the_mixture_of_both(name: str) -> None:
    logits, one = drawn((name, ""))
    one = functional.one_hot(one, 4).double() if one.ndim == 1 else one
    other = one.flip(0)
    mixed = _loss(name, logits, 0.3 * one + 0.7 * other)
    apart = 0.3 * _loss(name, logits, one) + 0.7 * _loss(name, logits, other)
    torch.testing.assert_close(mixed, apart)


def test_label_smoothing_spreads_its_share_over_all_classes() -> None:
    logits = torch.tensor([[2.0, 0.0]])
    by_hand = 0.9 * math.log1p(math.exp(-2.0)) + 0.1 * math.log1p(math.exp(2.0))
    for name, options in (
        ("cross_entropy", {}),
        ("focal", {"gamma": 0}),
        ("poly1", {"epsilon": 0}),
    ):
        loss = _loss(name, logits, torch.tensor([0]), label_smoothing=0.2, **options)
        assert loss.item() == pytest.approx(by_hand, rel=1e-6)


def test_affinity_of_numbers_worked_by_hand() -> None:
    similarity = torch.tensor([[0.9, 0.5, 0.1]])
    # Right is 0.9: 0.75 + 0.5 - 0.9 and 0; is 0.5: 0.75 + 0.4 and 0.75 - 0.4; is 0.1: 1.55, 1.15.
    for right, by_hand in enumerate((0.35, 1.5, 2.7)):
        loss = _loss("affinity", similarity.log(), torch.tensor([right]))
        assert loss.item() == pytest.approx(by_hand, rel=1e-6)
    loss = _loss("affinity", similarity.log(), torch.tensor([0]), margin=0.45)
    assert loss.item() == pytest.approx(0.05, rel=1e-5)


def test_no_similarity_is_above_one() -> None:
    logits, target = torch.tensor([[7.0, -0.1]]), torch.tensor([0])
    torch.testing.assert_close(
        _loss("affinity", logits, target), _loss("affinity", logits.clamp_max(0.0), target)
    )


def test_bce_at_zero_logits_is_log_two_whatever_the_target() -> None:
    loss = LOSSES["bce"](torch.zeros(2, 3), torch.tensor([[0.0, 1.0, 0.5], [1.0, 1.0, 0.0]]))
    torch.testing.assert_close(loss, torch.full((2,), math.log(2.0)))


def test_smoothed_bce_and_poly1_equal_timm() -> None:
    logits, classes = torch.randn(6, 5, generator=rng()), torch.tensor([0, 4, 2, 2, 1, 3])
    flags = functional.one_hot(classes, 5).float()
    oracle = timm.loss.BinaryCrossEntropy(smoothing=0.2, smooth_dense=True)(logits, flags)
    found = _loss("bce", logits, flags, label_smoothing=0.2)
    torch.testing.assert_close(found.mean(), oracle)
    oracle = timm.loss.PolyCrossEntropy(smoothing=0.1, epsilon=2.0)(logits, classes)
    found = _loss("poly1", logits, classes, label_smoothing=0.1, epsilon=2.0)
    torch.testing.assert_close(found.mean(), oracle)


def test_focal_of_two_classes_is_the_binary_one_and_that_equals_torchvision() -> None:
    logits = torch.randn(8, 3, generator=rng())
    flags = (torch.rand(8, 3, generator=rng()) < 0.5).float()
    for alpha in (None, 0.25):
        oracle = sigmoid_focal_loss(logits, flags, alpha=-1 if alpha is None else alpha, gamma=1.5)
        found = _loss("binary_focal", logits, flags, gamma=1.5, alpha=alpha)
        torch.testing.assert_close(found, oracle.mean(dim=1))
    one = logits[:, :1]
    both = torch.cat([torch.zeros_like(one), one], dim=1)
    binary = _loss("binary_focal", one, flags[:, :1], gamma=1.5)
    torch.testing.assert_close(_loss("focal", both, flags[:, 0].long(), gamma=1.5), binary)


@pytest.mark.parametrize("clip", [0.0, 0.05])
def test_asymmetric_equals_timm(clip: float) -> None:
    logits = 3.0 * torch.randn(8, 3, generator=rng())
    flags = (torch.rand(8, 3, generator=rng()) < 0.5).float()
    oracle = timm.loss.AsymmetricLossMultiLabel(gamma_neg=3, gamma_pos=1, clip=clip)
    found = _loss("asymmetric", logits, flags, gamma_neg=3, gamma_pos=1, clip=clip)
    torch.testing.assert_close(3 * found.mean(), oracle(logits, flags))


def test_the_reverse_cross_entropy_is_bounded_by_what_log_zero_says() -> None:
    probs = torch.tensor([[0.2, 0.7, 0.1]])
    terms = named(
        LOSSES["symmetric_cross_entropy"](
            probs.log(), torch.tensor([0]), alpha=0.5, beta=2.0, log_zero=-5.0
        )
    )
    assert terms["cross_entropy"].item() == pytest.approx(-0.5 * math.log(0.2), rel=1e-6)
    assert terms["reverse"].item() == pytest.approx(2.0 * 5.0 * 0.8, rel=1e-6)


def test_expectation_adds_the_squared_distance_of_the_expected_grade() -> None:
    probs = torch.tensor([[0.2, 0.7, 0.1, 1e-9, 1e-9]])
    loss = _loss("expectation", probs.log(), torch.tensor([2]), mse_weight=0.5)
    assert loss.item() == pytest.approx(-math.log(0.1) + 0.5 * (0.9 - 2.0) ** 2, rel=1e-5)


def test_expectation_names_its_terms_and_minimises_their_sum() -> None:
    logits, target = torch.randn(5, 4, generator=rng()), torch.tensor([0, 1, 2, 3, 0])
    terms = named(LOSSES["expectation"](logits, target, mse_weight=0.5))
    assert list(terms) == ["cross_entropy", "squared_error"]
    torch.testing.assert_close(terms["cross_entropy"], LOSSES["cross_entropy"](logits, target))
    torch.testing.assert_close(
        _loss("expectation", logits, target, mse_weight=0.5), sum(terms.values())
    )


def test_squared_emd_sums_what_is_off_at_each_border() -> None:
    probs = torch.tensor([[0.2, 0.5, 0.3], [0.2, 0.5, 0.3]])
    found = _loss("squared_emd", probs.log(), torch.tensor([2, 0]))
    torch.testing.assert_close(found, torch.tensor([0.2**2 + 0.7**2, 0.8**2 + 0.3**2]))


@pytest.mark.parametrize("is_weighted", [False, True])
def test_soft_kappa_of_sure_answers_is_one_minus_scikit_learns(is_weighted: bool) -> None:
    truth = torch.randint(0, 5, (60,), generator=rng())
    preds = (truth + torch.randint(-1, 2, (60,), generator=rng())).clamp(0, 4)
    weights = torch.rand(60, generator=rng()) if is_weighted else None
    kappa = cohen_kappa_score(truth, preds, weights="quadratic", sample_weight=weights)
    logits = 60.0 * functional.one_hot(preds, 5).float()
    found = total(weigh(LOSSES["soft_kappa"], logits, truth, weights))
    whole = 60.0 if weights is None else weights.sum().item()
    assert found.sum().item() == pytest.approx(whole * (1.0 - kappa), rel=1e-4)


def test_the_mean_of_soft_kappa_has_the_slope_of_the_batchs_kappa() -> None:
    logits = torch.randn(12, 4, dtype=torch.float64, generator=rng()).requires_grad_()
    truth = torch.randint(0, 4, (12,), generator=rng())
    table = functional.one_hot(truth, 4).double().T @ logits.softmax(dim=1)
    weights = torch.tensor([[(i - j) ** 2 for j in range(4)] for i in range(4)])
    by_chance = torch.outer(table.sum(dim=1), table.sum(dim=0)) / 12
    plain = (weights * table).sum() / (weights * by_chance).sum()
    found = _loss("soft_kappa", logits, truth).mean()
    torch.testing.assert_close(found, plain, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(
        *(torch.autograd.grad(loss, logits, retain_graph=True)[0] for loss in (found, plain)),
        rtol=1e-4, atol=1e-7,
    )  # fmt: skip


def test_soft_kappa_of_one_answer_for_all_is_one() -> None:
    truth = torch.tensor([0, 1, 1, 3])
    found = _loss("soft_kappa", torch.tensor([[0.3, 1.0, -2.0, 0.0]]).expand(4, 4), truth)
    assert found.mean().item() == pytest.approx(1.0, rel=1e-5)
    alone = _loss("soft_kappa", torch.randn(1, 4, generator=rng()), truth[:1])
    assert alone.item() == pytest.approx(1.0, rel=1e-5)


def test_corn_asks_of_each_border_those_above_the_one_before() -> None:
    logits = torch.randn(9, 3, generator=rng())
    grades = torch.tensor([0, 1, 2, 3, 3, 0, 1, 2, 0])
    by_border = 0.0
    for border in range(3):
        asked = grades >= border
        above = (grades[asked] > border).float()
        by_border += functional.binary_cross_entropy_with_logits(
            logits[asked, border], above, reduction="sum"
        )
    borders = (grades[:, None] > torch.arange(3)).float()
    torch.testing.assert_close(3.0 * _loss("corn", logits, borders).sum(), by_border)


def test_two_steps_of_weight_1_are_the_cross_entropy_of_the_joint_probabilities() -> None:
    logits, grades = torch.randn(6, 4, generator=rng()), torch.tensor([0, 1, 2, 3, 3, 0])
    above = logits[:, :1].sigmoid()
    joint = torch.cat([1 - above, above * logits[:, 1:].softmax(dim=1)], dim=1)
    torch.testing.assert_close(
        _loss("two_step", logits, grades),
        functional.nll_loss(joint.log(), grades, reduction="none"),
    )
    assert named(LOSSES["two_step"](logits, grades, grade_weight=0.0))["grade"].sum() == 0


def test_huber_is_smooth_l1_times_its_bend() -> None:
    numbers = 3.0 * torch.randn(8, 2, generator=rng())
    found = _loss("huber", numbers, torch.zeros(8, 2), delta=2.0)
    torch.testing.assert_close(
        found, 2.0 * _loss("smooth_l1", numbers, torch.zeros(8, 2), beta=2.0)
    )
    by_hand = _loss("huber", torch.tensor([[1.0], [5.0]]), torch.zeros(2, 1), delta=2.0)
    torch.testing.assert_close(by_hand, torch.tensor([0.5, 8.0]))


def test_weights_count_in_every_term() -> None:
    logits, target = torch.randn(3, 4, generator=rng()), torch.tensor([0, 1, 2])
    weights = torch.tensor([0.0, 1.0, 2.0])
    found = LOSSES["expectation"](logits, target)
    torch.testing.assert_close(total(weighted(found, weights)), total(found) * weights)
    assert named(LOSSES["cross_entropy"](logits, target)) == {}


def test_a_sum_names_its_terms_and_weighs_each_rows_as_if_it_stood_alone() -> None:
    logits, target = torch.randn(4, 4, generator=rng()), torch.tensor([0, 1, 2, 1])
    weights = torch.tensor([0.5, 1.0, 2.0, 0.5])
    parts = {"focal": 1.0, "soft_kappa": 0.3, "expectation": 2.0}
    both = summed({name: (LOSSES[name], weight) for name, weight in parts.items()})
    terms = named(weigh(both, logits, target, weights))
    assert list(terms) == [
        "focal", "soft_kappa", "expectation.cross_entropy", "expectation.squared_error",
    ]  # fmt: skip
    apart = {n: w * total(weigh(LOSSES[n], logits, target, weights)) for n, w in parts.items()}
    torch.testing.assert_close(terms["soft_kappa"], apart["soft_kappa"])
    torch.testing.assert_close(total(terms), sum(apart.values()))


def test_smooth_l1_is_a_square_near_zero_and_a_line_beyond_beta() -> None:
    loss = LOSSES["smooth_l1"](torch.tensor([[1.0], [5.0]]), torch.zeros(2, 1), beta=2.0)
    torch.testing.assert_close(loss, torch.tensor([0.25, 4.0]))


@pytest.mark.parametrize("name", ["mse", "smooth_l1", "huber", *BINARY, "corn"])
def test_shapes_that_would_broadcast_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"\(3, 1\) and \(3,\)"):
        _loss(name, torch.zeros(3, 1), torch.zeros(3))
