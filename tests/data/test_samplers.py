"""Samplers against hand-worked shares, and the losses that one of them draws by."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foldwise import parts
from foldwise.data.batches import epoch_order
from foldwise.data.samplers import BY_CLASS, SAMPLERS, RowLosses, Standing, hard

CLASSES = np.repeat([0, 1, 3], [16, 4, 1])


def standing(progress: float = 0.0, losses: np.ndarray | None = None) -> Standing:
    return Standing(CLASSES, progress, np.full(21, np.nan) if losses is None else losses)


def class_shares(shares: np.ndarray | None) -> list[float]:
    weights = np.ones(21) if shares is None else shares
    assert weights.mean() == pytest.approx(1)
    return (np.bincount(CLASSES, weights)[[0, 1, 3]] / weights.sum()).tolist()


@pytest.mark.parametrize(
    ("name", "progress", "wanted"),
    [
        ("balanced", 0.0, [1 / 3, 1 / 3, 1 / 3]),
        ("square_root", 0.5, [4 / 7, 2 / 7, 1 / 7]),
        ("progressive", 0.0, [16 / 21, 4 / 21, 1 / 21]),
        # Kang et al., equation 3: (1 - t/T) of the natural share and t/T of 1/C.
        ("progressive", 0.25, [0.75 * n / 21 + 0.25 / 3 for n in (16, 4, 1)]),
        ("progressive", 1.0, [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_classes_are_drawn_by_the_shares_of_the_paper(name, progress, wanted):
    shares = SAMPLERS[name](standing(progress))
    assert class_shares(shares) == pytest.approx(wanted)
    drawn = np.concatenate([epoch_order(21, key, shares) for key in range(400)])
    found = np.bincount(CLASSES[drawn])[[0, 1, 3]] / len(drawn)
    assert found == pytest.approx(wanted, abs=0.03)


@pytest.mark.parametrize("name", sorted(BY_CLASS))
def test_rows_of_one_class_are_alike(name):
    shares = SAMPLERS[name](standing(0.5))
    assert all(len(set(shares[kind == CLASSES].tolist())) == 1 for kind in (0, 1, 3))


def test_hard_rows_are_drawn_in_proportion_to_their_loss_above_a_floor():
    losses = np.array([0.0, 1.0, 3.0, np.nan])
    state = Standing(None, 0.5, losses)
    # The row not seen counts as the mean of the others, 4/3.
    by_loss = np.array([0, 1, 3, 4 / 3]) / (16 / 3) * 4
    assert hard(state, floor=0.0) == pytest.approx(by_loss)
    assert hard(state, floor=0.2) == pytest.approx(0.2 + 0.8 * by_loss)
    squared = np.array([0, 1, 9, 16 / 9])
    assert hard(state, floor=0.0, power=2) == pytest.approx(squared / squared.mean())


def test_before_any_loss_is_known_every_row_is_drawn_once():
    assert hard(Standing(None, 0.0, np.full(4, np.nan))) is None
    assert hard(Standing(None, 0.0, np.zeros(4))) is None


def test_losses_of_an_epoch_are_those_it_began_with():
    kept = RowLosses(3)
    assert np.isnan(kept.at_start(0)).all()
    kept.update(np.array([0, 2, 0]), torch.tensor([1.0, 2.0, 5.0]))
    assert np.isnan(kept.at_start(0)).all()
    again = RowLosses(3)
    again.load(kept.state())  # Within the epoch: what it is drawn by must stay.
    for losses in (kept, again):
        assert np.isnan(losses.at_start(0)).all()
        assert np.array_equal(losses.at_start(1), [5, np.nan, 2], equal_nan=True)
    kept.update(np.array([1]), torch.tensor([7.0]))
    assert np.array_equal(kept.at_start(1), [5, np.nan, 2], equal_nan=True)
    assert kept.at_start(2).tolist() == [5, 7, 2]


def test_options_are_checked():
    with pytest.raises(parts.ConfigError, match="less than or equal to 1"):
        parts.bind(SAMPLERS, {"name": "hard", "floor": 2}, what="sampler")
    with pytest.raises(parts.ConfigError, match="known: balanced, hard, progressive, square_root"):
        parts.bind(SAMPLERS, "rare", what="sampler")
