"""Further terms of the loss: worked by hand, missing values left out, the label's own kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from foldwise.engine.sides import (
    Side,
    branch_side,
    diversity_side,
    label_side,
    presence_side,
    with_sides,
)
from foldwise.losses import LOSSES
from foldwise.losses.terms import named, total
from foldwise.masks import IGNORED
from foldwise.tasks.auxiliary import Auxiliary

_CPU = torch.device("cpu")


def _classes(target: list[float]) -> Auxiliary:
    return Auxiliary("risk", 0.3, ("0", "1", "2"), np.array(target))


def test_rows_without_a_class_are_left_out_and_the_rest_makes_up_for_them() -> None:
    label = _classes([2.0, np.nan, 0.0, np.nan, 9.0])
    side = label_side(label, np.array([0, 1, 2, 3]), _CPU)
    logits = torch.randn(4, 3, requires_grad=True)
    losses = side.loss(logits, torch.arange(4), torch.zeros(4))
    expected = functional.cross_entropy(logits[[0, 2]], torch.tensor([2, 0]))
    assert losses[[1, 3]].tolist() == [0.0, 0.0]
    torch.testing.assert_close(losses.mean(), expected)
    losses.sum().backward()
    assert logits.grad is not None
    assert (logits.grad[[1, 3]] == 0).all()
    assert (logits.grad[[0, 2]] != 0).any()


def test_a_number_is_standardised_by_the_rows_fitted_on() -> None:
    label = Auxiliary("age", 1.0, (), np.array([10.0, 20.0, np.nan, 1000.0]))
    side = label_side(label, np.array([0, 1, 2]), _CPU)
    # (10, 20) → (-1, 1); squared errors 1 and 4, and 3 rows stand in for 2.
    losses = side.loss(torch.tensor([[0.0], [-1.0], [5.0]]), torch.arange(3), torch.zeros(3))
    torch.testing.assert_close(losses, torch.tensor([1.0, 4.0, 0.0]) * 1.5)


def test_a_column_called_label_does_not_take_the_place_of_the_label() -> None:
    side = label_side(Auxiliary("label", 1.0, (), np.array([1.0, 3.0])), np.arange(2), _CPU)
    found = with_sides(torch.ones(2), [side], [torch.zeros(2, 1)], torch.arange(2), torch.ones(2))
    assert total(found).tolist() == [2.0, 2.0]


def test_a_batch_picks_its_rows() -> None:
    side = label_side(_classes([0.0, 1.0, 2.0]), np.arange(3), _CPU)
    logits = torch.randn(2, 3)
    found = side.loss(logits, torch.tensor([2, 0]), torch.zeros(2))
    expected = functional.cross_entropy(logits, torch.tensor([2, 0]), reduction="none")
    torch.testing.assert_close(found, expected)


def test_the_branch_learns_the_label_with_its_row_weights() -> None:
    loss = LOSSES["cross_entropy"]
    weights, rows = torch.tensor([0.5, 2.0, 0.5]), torch.tensor([1, 0])
    logits, target = torch.randn(2, 3), torch.tensor([1, 2])
    for shift in (None, torch.tensor([0.0, -1.0, 2.0])):
        found = branch_side(0.5, loss, weights, shift).loss(logits, rows, target)
        shifted = logits if shift is None else logits + shift
        torch.testing.assert_close(found, total(loss(shifted, target)) * weights[rows])
    kappa = LOSSES["soft_kappa"]
    found = branch_side(0.5, kappa, weights, None).loss(logits, rows, target)
    torch.testing.assert_close(found, total(kappa(logits, target, row_weights=weights[rows])))


def test_terms_are_weighed_and_named_beside_the_label() -> None:
    sides = (Side("a", 0.5, lambda logits, rows, target: logits[:, 0]),)
    label, rows = torch.tensor([1.0, 2.0]), torch.arange(2)
    found = with_sides(label, sides, [torch.tensor([[4.0], [6.0]])], rows, rows)
    assert list(named(found)) == ["label", "a"]
    assert total(found).tolist() == [3.0, 5.0]
    assert with_sides(label, (), [], rows, rows) is label
    named_label = {"near": label, "far": label}
    both = with_sides(named_label, sides, [torch.tensor([[4.0], [6.0]])], rows, rows)
    assert list(named(both)) == ["near", "far", "a"]
    with pytest.raises(ValueError, match="zip"):
        with_sides(label, sides, [], rows, rows)


def test_a_penalty_on_prototypes_is_the_same_for_every_row() -> None:
    penalty, rows = torch.tensor(3.0, requires_grad=True), torch.arange(2)
    found = with_sides(torch.tensor([1.0, 2.0]), [diversity_side(0.5)], [penalty], rows, rows)
    assert named(found)["diversity"].tolist() == [1.5, 1.5]
    (slope,) = torch.autograd.grad(total(found).mean(), penalty)
    assert slope.item() == 0.5


def test_rows_that_are_not_of_train_have_no_further_label() -> None:
    label = Auxiliary("depth", 0.3, (), np.array([1.0, 2.0, 3.0, np.nan]))
    rows = np.array([0, 2, 3])
    plain = label_side(label, rows, _CPU)
    more = label_side(label, rows, _CPU, num_extra=3)
    logits, target = torch.tensor([[0.5]] * 6), torch.zeros(6)
    losses = more.loss(logits, torch.arange(6), target)
    assert losses[2:].tolist() == [0.0] * 4
    # The mean over all rows is what the rows with a value have, however many others there are.
    known = plain.loss(logits[:3], torch.arange(3), target[:3])
    assert losses.mean() == pytest.approx(float(known.mean()))


@pytest.mark.parametrize("is_exclusive", [False, True])
def test_presence_is_of_what_is_shown_and_counted(is_exclusive: bool) -> None:
    masks = torch.zeros(3, 2, 4, 4, dtype=torch.uint8)
    masks[0, 0, 1, 1] = masks[1, :, 2, 2:] = 1
    masks[2] = IGNORED
    classes = torch.full((3, 4, 4), IGNORED, dtype=torch.uint8)
    classes[0, 1, 1] = 0
    classes[1, 2, 2:] = torch.tensor([0, 1])
    logits = torch.randn(3, 2)
    found = presence_side(0.1).loss(logits, torch.arange(3), classes if is_exclusive else masks)
    there = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    wanted = functional.binary_cross_entropy_with_logits(logits, there, reduction="none")
    torch.testing.assert_close(found, wanted.mean(dim=1))
