from __future__ import annotations

import re

import numpy as np

from foldwise.stages.reporting.histograms import Cuts, score_histogram


def _points(markup: str, look: str) -> list[tuple[float, float]]:
    found = re.search(rf'points="([^"]+)" class="[^"]*{look}"', markup)
    assert found is not None
    pairs = [pair.split(",") for pair in found[1].split()]
    return [(float(x), float(y)) for x, y in pairs]


def _uprights(markup: str, look: str) -> list[float]:
    return [float(x) for x in re.findall(rf'<line x1="([\d.]+)"[^>]*class="{look}"', markup)]


def test_spread_of_one_value_or_without_test_rows_is_drawn() -> None:
    for test in (np.array([0.5, 0.5]), np.array([])):
        made = score_histogram(np.full(4, 0.5), test, x_label="score", about="spread")
        assert "nan" not in made
        assert made.count("<polygon") == 1


def test_heights_of_a_spread_are_shares_of_rows() -> None:
    rng = np.random.default_rng(0)
    made = score_histogram(rng.random(100), rng.random(100_000), x_label="score", about="spread")
    heights = [y for _, y in _points(made, "line b")]
    assert max(heights) - min(heights) < 40  # An even spread is flat, however many rows there are.


SCORES = np.linspace(0.0, 4.0, 50)


def _drawn(cuts: Cuts) -> str:
    return score_histogram(SCORES, SCORES, x_label="score", about="cuts", cuts=cuts)


def test_fitted_cuts_are_strong_and_fixed_ones_thin() -> None:
    made = _drawn(Cuts((1.0, 2.0), (1.5, 2.5), is_fitted=True, per_fold=(0.9, 1.9, 1.1, 1.9)))
    strong, thin, each = (_uprights(made, look) for look in ("cut", "cut fixed", "cut each"))
    assert strong == sorted(strong)
    assert len(strong) == len(thin) == 2
    assert len(each) == 3  # Equal ones of two folds are one mark.
    assert each[0] < strong[0] < thin[0]


def test_a_fixed_decision_has_no_strong_cut() -> None:
    made = _drawn(Cuts((1.5,), (1.5,), is_fitted=False))
    assert _uprights(made, "cut") == []
    assert len(_uprights(made, "cut fixed")) == 1


def test_cuts_outside_of_all_scores_are_still_seen() -> None:
    made = _drawn(Cuts((-3.0, 9.0), (), is_fitted=True))
    left, right = _uprights(made, "cut")
    assert 48 < left < right < 328


def test_infinite_cuts_are_left_out() -> None:
    made = _drawn(Cuts((1.0, float("inf")), (1.0, 2.0), is_fitted=True))
    assert len(_uprights(made, "cut")) == 1
    assert "inf" not in made
    assert "nan" not in made


def test_answers_are_named_between_the_cuts_where_there_is_room() -> None:
    names = ("none", "a very long name of a grade", "all")
    made = _drawn(Cuts((1.9, 2.1), (), is_fitted=True, between=names))
    assert [name in made for name in names] == [True, False, True]
