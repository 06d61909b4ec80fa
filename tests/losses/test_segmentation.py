"""Losses of masks against segmentation_models_pytorch, scipy, torch and numbers worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt
from segmentation_models_pytorch import losses as oracles
from segmentation_models_pytorch.losses._functional import softmax_focal_loss_with_logits
from torch.nn import functional

from foldwise import parts
from foldwise.config.weighted import weighted_parts
from foldwise.losses import LOSSES, segmentation
from foldwise.losses.terms import named, summed, total, weigh
from foldwise.masks import IGNORED

from .cases import EXCLUSIVE, OVERLAPPING, Case, cases, masks, rng

_MODES = {OVERLAPPING: "multilabel", EXCLUSIVE: "multiclass"}
_CASES = [case for case in cases() if case[0] in segmentation.LOSSES]


def _drawn(kind: str, num_classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and a target in which every image has every class."""
    target = masks(kind, num=3, num_classes=num_classes, size=(9, 8))
    logits = 2.0 * torch.randn(3, num_classes, 9, 8, generator=rng())
    return logits, target


def _image_by_image(oracle, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return torch.stack(
        [oracle(logits[i : i + 1], target[i : i + 1].long()) for i in range(len(logits))]
    )


@pytest.mark.parametrize("case", _CASES, ids=" ".join)
def test_pixels_that_are_not_counted_cost_nothing_and_have_no_slope(case: Case) -> None:
    name, kind = case
    logits, target = _drawn(kind)
    target[0, ..., :4, :] = IGNORED
    hidden = (target == IGNORED) if kind == OVERLAPPING else (target == IGNORED)[:, None]
    hidden = hidden.expand_as(logits)
    logits.requires_grad_()
    losses = LOSSES[name](logits, target)
    (slope,) = torch.autograd.grad(losses.sum(), logits)
    assert hidden.any()
    assert (slope[hidden] == 0).all()
    assert (slope[~hidden] != 0).any()
    others = torch.where(hidden, 5.0 - 3.0 * logits, logits)
    torch.testing.assert_close(LOSSES[name](others, target), losses)


@pytest.mark.parametrize("case", _CASES, ids=" ".join)
def test_an_image_without_counted_pixels_costs_nothing(case: Case) -> None:
    name, kind = case
    logits, target = _drawn(kind)
    target[1] = IGNORED
    losses = LOSSES[name](logits.requires_grad_(), target)
    (slope,) = torch.autograd.grad(losses.sum(), logits)
    assert losses[1] == 0
    assert (slope[1] == 0).all()
    assert slope.isfinite().all()
    assert (losses[[0, 2]] > 0).all()


@pytest.mark.parametrize("case", _CASES, ids=" ".join)
def test_half_precision_logits_are_summed_in_single(case: Case) -> None:
    name, kind = case
    logits, target = _drawn(kind)
    half = logits.bfloat16()
    expected = LOSSES[name](half.float(), target)
    with torch.autocast("cpu", torch.bfloat16):
        found = LOSSES[name](half, target)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("case", _CASES, ids=" ".join)
def test_shapes_that_do_not_fit_are_refused(case: Case) -> None:
    name, kind = case
    logits, target = _drawn(kind)
    with pytest.raises(ValueError, match=f"{name} needs .*found"):
        LOSSES[name](logits, target[..., :-1])
    with pytest.raises(ValueError, match=f"{name} needs .*found"):
        LOSSES[name](logits, target[:-1])


def test_a_loss_of_one_kind_names_the_one_for_the_other() -> None:
    with pytest.raises(ValueError, match="mask_cross_entropy"):
        LOSSES["mask_bce"](*_drawn(EXCLUSIVE))
    with pytest.raises(ValueError, match="mask_bce"):
        LOSSES["mask_cross_entropy"](*_drawn(OVERLAPPING))


@pytest.mark.parametrize(("pos_weight", "smoothing"), [(1.0, 0.0), (3.0, 0.0), (1.0, 0.2)])
def test_mask_bce_equals_torchs_over_counted_pixels(pos_weight: float, smoothing: float) -> None:
    logits, target = _drawn(OVERLAPPING)
    found = LOSSES["mask_bce"](logits, target, pos_weight=pos_weight, label_smoothing=smoothing)
    for i in range(3):
        counted = target[i] != IGNORED
        wanted = target[i][counted].float() * (1 - smoothing) + smoothing / 2
        oracle = functional.binary_cross_entropy_with_logits(
            logits[i][counted], wanted, pos_weight=torch.tensor(pos_weight)
        )
        torch.testing.assert_close(found[i], oracle)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_mask_cross_entropy_equals_torchs(smoothing: float) -> None:
    logits, target = _drawn(EXCLUSIVE)
    found = LOSSES["mask_cross_entropy"](logits, target, label_smoothing=smoothing)
    oracle = _image_by_image(
        lambda x, y: functional.cross_entropy(
            x, y, ignore_index=IGNORED, label_smoothing=smoothing
        ),
        logits,
        target,
    )
    torch.testing.assert_close(found, oracle)


@pytest.mark.parametrize("gamma", [0.0, 1.5, 2.0])
def test_mask_focal_equals_segmentation_models(gamma: float) -> None:
    logits, target = _drawn(OVERLAPPING)
    counted = target[:1, :1] != IGNORED  # The same in all: the last column is not.
    oracle = oracles.FocalLoss("multilabel", gamma=gamma, ignore_index=None)
    kept = counted.expand_as(logits)
    found = LOSSES["mask_focal"](logits, target, gamma=gamma)
    expected = _image_by_image(
        oracle, logits[kept].view(3, 3, -1, 1), target[kept].view(3, 3, -1, 1)
    )
    torch.testing.assert_close(found, expected)
    logits, target = _drawn(EXCLUSIVE)
    found = LOSSES["mask_focal"](logits, target, gamma=gamma)
    expected = _image_by_image(
        lambda x, y: softmax_focal_loss_with_logits(x, y, gamma=gamma),
        logits[..., :-1],
        target[..., :-1],
    )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kind", _MODES)
@pytest.mark.parametrize("smooth", [0.01, 1.0, 20.0])
def test_mask_dice_and_tversky_equal_segmentation_models(kind: str, smooth: float) -> None:
    logits, target = _drawn(kind)
    oracle = oracles.DiceLoss(_MODES[kind], smooth=smooth, ignore_index=IGNORED)
    found = LOSSES["mask_dice"](logits, target, smooth=smooth)
    torch.testing.assert_close(found, _image_by_image(oracle, logits, target))
    oracle = oracles.TverskyLoss(
        _MODES[kind], smooth=smooth, ignore_index=IGNORED, alpha=0.2, beta=0.9
    )
    found = LOSSES["tversky"](logits, target, smooth=smooth, alpha=0.2, beta=0.9)
    torch.testing.assert_close(found, _image_by_image(oracle, logits, target))


def test_focal_tversky_of_one_class_equals_segmentation_models_and_is_a_mean_of_powers() -> None:
    logits, target = _drawn(OVERLAPPING, num_classes=1)
    oracle = oracles.TverskyLoss(
        "multilabel", smooth=1.0, ignore_index=IGNORED, alpha=0.3, beta=0.7, gamma=0.75
    )
    found = LOSSES["focal_tversky"](logits, target)
    torch.testing.assert_close(found, _image_by_image(oracle, logits, target), rtol=1e-4, atol=1e-5)
    logits, target = _drawn(OVERLAPPING)
    by_class = [
        LOSSES["tversky"](logits[:, [c]], target[:, [c]], alpha=0.5, beta=0.5).sqrt()
        for c in range(3)
    ]
    found = LOSSES["focal_tversky"](logits, target, gamma=0.5, alpha=0.5, beta=0.5)
    torch.testing.assert_close(found, torch.stack(by_class).mean(dim=0), rtol=1e-3, atol=1e-3)


def test_a_class_that_is_not_there_costs_its_false_pixels_or_is_skipped() -> None:
    logits = torch.full((1, 2, 4, 5), 60.0)
    target = torch.zeros(1, 2, 4, 5, dtype=torch.uint8)
    target[:, 0, :2] = 1  # Class 0 fills half of 20 pixels, both answers all of them.
    there, absent = 1 - (10 + 1) / (10 + 0.5 * 10 + 1), 1 - 1 / (0.5 * 20 + 1)
    found = LOSSES["mask_dice"](logits, target)
    assert found.item() == pytest.approx((there + absent) / 2, rel=1e-6)
    found = LOSSES["mask_dice"](logits, target, empty="skipped")
    assert found.item() == pytest.approx(there, rel=1e-6)
    oracle = oracles.DiceLoss("multilabel", smooth=1.0)(logits, target)
    assert found.item() == pytest.approx(2 * oracle.item(), rel=1e-6)  # It divides by all classes.
    found = LOSSES["tversky"](logits, target * 0, empty="skipped")
    assert found.item() == 0


@pytest.mark.parametrize("kind", _MODES)
def test_lovasz_equals_segmentation_models(kind: str) -> None:
    logits, target = _drawn(kind)
    oracle = oracles.LovaszLoss(_MODES[kind], per_image=True, ignore_index=IGNORED)
    if kind == EXCLUSIVE:
        target[0][target[0] == 2] = 1  # Both leave out a class that is not there.
        expected = _image_by_image(oracle, logits, target)
    else:
        target[0, 2] = 0
        apart = [
            _image_by_image(oracle, logits[:, [c]], target[:, [c]]) for c in range(logits.shape[1])
        ]
        expected = torch.stack(apart).mean(dim=0)
    torch.testing.assert_close(LOSSES["lovasz"](logits, target), expected)


def test_lovasz_of_sure_answers_is_one_minus_iou() -> None:
    target = masks(EXCLUSIVE, num=1, size=(6, 7))
    answer = target.clone()
    answer[0, :2] = (answer[0, :2] + 1).remainder(3)
    counted = target != IGNORED
    logits = 80.0 * functional.one_hot(answer.long().remainder(255).clamp_max(2), 3).float()
    ious = []
    for c in range(3):
        one, two = ((each == c) & counted for each in (target, answer))
        ious.append(((one & two).sum() / (one | two).sum()).item())
    found = LOSSES["lovasz"](logits.movedim(3, 1), target)
    assert found.item() == pytest.approx(1 - np.mean(ious), rel=1e-6)


def _scipy_distances(is_class: np.ndarray, counted: np.ndarray, reach: int) -> np.ndarray:
    """Pixels to the nearest counted one of the other kind, at most `reach`."""
    found = np.full(is_class.shape, float(reach))
    for own, other in ((is_class, ~is_class & counted), (~is_class, is_class)):
        if other.any():
            found[own] = np.minimum(distance_transform_edt(~other), reach)[own]
    return found


@pytest.mark.parametrize("kind", _MODES)
@pytest.mark.parametrize("reach", [2, 5, 64])
def test_boundary_weighs_errors_by_scipys_distances(kind: str, reach: int) -> None:
    generator = np.random.default_rng(0)
    # Rare seeds, so that distances differ; one class of one image is not there, one is everywhere.
    numbers = generator.random((3, 2, 21, 17))
    target = (numbers < 0.01).astype(np.uint8)
    target[0, 0], target[1, 1] = 0, 1
    target = target if kind == OVERLAPPING else target[:, 0]
    target[..., 4:6, 3:9] = IGNORED
    logits = torch.from_numpy(generator.normal(size=numbers.shape))
    found = LOSSES["boundary"](logits, torch.from_numpy(target), reach=reach)
    probs = (logits.sigmoid() if kind == OVERLAPPING else logits.softmax(dim=1)).numpy()
    for i in range(3):
        costs = []
        for c in range(2):
            plane = target[i, c] if kind == OVERLAPPING else target[i]
            counted = plane != IGNORED
            is_class = (plane == (1 if kind == OVERLAPPING else c)) & counted
            far = _scipy_distances(is_class, counted, reach) / reach
            costs.append((np.abs(probs[i, c] - is_class) * far)[counted].mean())
        assert found[i].item() == pytest.approx(np.mean(costs), rel=1e-6)


def test_boundary_has_the_slope_of_kervadecs_loss_where_all_is_within_reach() -> None:
    target = np.zeros((1, 1, 14, 12), np.uint8)
    target[0, 0, 4:10, 3:8] = 1
    logits = torch.randn(target.shape, dtype=torch.float64, generator=rng()).requires_grad_()
    is_class = target[0, 0] > 0
    signed = distance_transform_edt(~is_class) - distance_transform_edt(is_class)
    plain = (torch.from_numpy(signed) * logits.sigmoid()).mean() / 64
    found = LOSSES["boundary"](logits, torch.from_numpy(target), reach=64).sum()
    slopes = [torch.autograd.grad(loss, logits)[0] for loss in (plain, found)]
    torch.testing.assert_close(*slopes)
    constant = np.abs(signed)[is_class].sum() / is_class.size / 64
    assert found.item() == pytest.approx(plain.item() + constant, rel=1e-6)


def test_bce_and_dice_are_summed_by_the_machinery_that_sums_all_losses() -> None:
    logits, target = _drawn(OVERLAPPING)
    weights = torch.tensor([1.0, 0.0, 2.0])
    spec = ("mask_bce", {"name": "mask_dice", "weight": 0.5, "smooth": 3.0})
    terms = {
        parts.name_of(each): (parts.bind(LOSSES, each, what="loss"), weight)
        for each, weight in weighted_parts(spec)
    }
    found = named(weigh(summed(terms), logits, target, weights))
    assert list(found) == ["mask_bce", "mask_dice"]
    dice = LOSSES["mask_dice"](logits, target, smooth=3.0)
    torch.testing.assert_close(found["mask_dice"], 0.5 * dice * weights)
    expected = (LOSSES["mask_bce"](logits, target) + 0.5 * dice) * weights
    torch.testing.assert_close(total(found), expected)


def test_the_sums_of_a_large_image_keep_their_digits() -> None:
    target = torch.zeros(1, 1, 1024, 1600, dtype=torch.uint8)
    target[..., :3, :3] = 1
    logits = torch.zeros(target.shape, dtype=torch.float16)
    # Half precision ends at 65,504: 1,638,400 halves are 819,200 pixels.
    by_hand = 1 - (4.5 + 1) / ((819_200 + 9) / 2 + 1)
    assert LOSSES["mask_dice"](logits, target).item() == pytest.approx(by_hand, rel=1e-6)
    assert LOSSES["mask_bce"](logits, target).item() == pytest.approx(math.log(2), rel=1e-6)
