from __future__ import annotations

import itertools

import numpy as np
import pytest

from foldwise.decide.classes import thresholds
from foldwise.decide.cuts import cuts
from foldwise.decide.shares import cuts_for_shares, thresholds_for_shares
from foldwise.errors import DataError

from .brute import cases


def test_each_grade_gets_its_share_where_no_scores_are_tied() -> None:
    rng = np.random.default_rng(0)
    scores = rng.permutation(np.linspace(0, 3, 100))
    found = cuts_for_shares(scores, [0.1, 0.25, 0.0, 0.65])
    assert np.bincount(cuts(scores[:, None], values=found)).tolist() == [10, 25, 0, 65]
    assert found == cuts_for_shares(scores, [2, 5, 0, 13])


def test_no_cuts_are_nearer_to_the_shares_in_a_thousand_cases() -> None:
    rng = np.random.default_rng(0)
    for scores, _, weight in cases(1000, num_classes=4):
        shares = rng.dirichlet(np.ones(4)) * rng.integers(0, 2, 4) + 1e-3
        found = cuts_for_shares(scores, shares, weight=weight)
        weights = np.ones(len(scores)) if weight is None else weight
        decided = cuts(scores[:, None], values=found)
        below = [weights[decided <= grade].sum() for grade in range(3)]
        possible = [0.0, *(weights[scores <= score].sum() for score in scores)]
        wanted = np.cumsum(shares)[:3] / shares.sum() * weights.sum()
        for got, rows in zip(below, wanted, strict=True):
            assert abs(got - rows) <= min(abs(reach - rows) for reach in possible) + 1e-12


def test_thresholds_are_reached_by_as_many_rows_as_have_the_label() -> None:
    scores = np.random.default_rng(0).random((50, 3))
    found = thresholds_for_shares(scores, [0.0, 0.3, 1.0])
    assert thresholds(scores, values=found).sum(axis=0).tolist() == [0, 15, 50]


def test_weights_are_repeated_rows() -> None:
    rng = np.random.default_rng(0)
    scores, times = np.round(rng.random(40), 1), rng.integers(0, 3, 40)
    shares = [0.3, 0.3, 0.4]
    weighted = cuts_for_shares(scores, shares, weight=times)
    assert weighted == cuts_for_shares(np.repeat(scores, times), shares)


@pytest.mark.parametrize("shares", [[1.0], [0.5, -0.1], [0.0, 0.0], [np.nan, 1.0]])
def test_shares_of_grades_that_are_none_are_refused(shares: list[float]) -> None:
    with pytest.raises(DataError, match="shares must be"):
        cuts_for_shares(np.arange(3.0), shares)


@pytest.mark.parametrize("shares", [[0.5], [0.5, 1.1], [0.5, -0.1]])
def test_shares_of_labels_that_are_none_are_refused(shares: list[float]) -> None:
    with pytest.raises(DataError, match="2 labels"):
        thresholds_for_shares(np.zeros((3, 2)), shares)


def test_every_share_can_be_asked_of_constant_scores() -> None:
    for shares in itertools.product([0.0, 1.0], repeat=3):
        if any(shares):
            found = cuts_for_shares(np.full(4, 1.2), shares)
            assert len(set(cuts(np.full((4, 1), 1.2), values=found))) == 1
