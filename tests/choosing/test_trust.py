from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from foldwise.choosing.outliers import line_outliers
from foldwise.choosing.rank_agreement import rank_agreement
from foldwise.choosing.trust import trust

CV = [0.8764383562, 0.8537, 0.8689041096, 0.8765753425, 0.8939726027, 0.8915068493, 0.7850684932]
LB = [
    0.8005274522,
    0.7564432525,
    0.7809556327,
    0.7922304446,
    0.8335906151,
    0.8180110004,
    0.6506512947,
]


def test_seven_real_submissions_give_the_known_numbers_and_verdict():
    found = trust(CV, LB, higher_is_better=True)
    assert found.ranks is not None
    assert round(found.ranks.spearman, 3) == 0.964
    assert round(found.gap, 3) == 0.088
    assert round(found.slope, 2) == 1.62
    assert (found.same_order, found.num_pairs) == (20, 21)
    assert found.outliers == ()
    assert found.verdict == "ranking can be trusted, level cannot"


def test_numbers_match_scipy():
    rng = np.random.default_rng(0)
    cv = rng.normal(size=12).round(1)  # With ties.
    lb = cv + rng.normal(size=12).round(1)
    found = trust(cv, lb, higher_is_better=True)
    line = stats.linregress(cv, lb)
    ends = stats.ttest_1samp(cv - lb, 0).confidence_interval(0.95)
    assert found.ranks is not None
    assert found.ranks.spearman == pytest.approx(stats.spearmanr(cv, lb).statistic)
    assert found.pearson == pytest.approx(stats.pearsonr(cv, lb).statistic)
    assert (found.slope, found.intercept) == pytest.approx((line.slope, line.intercept))
    assert (found.gap_low, found.gap_high) == pytest.approx((ends.low, ends.high))
    assert found.residuals == pytest.approx(lb - line.intercept - line.slope * cv)


def test_a_metric_where_lower_is_better_gives_the_same_answer():
    up = trust(CV, LB, higher_is_better=True)
    down = trust([1 - c for c in CV], [1 - s for s in LB], higher_is_better=False)
    assert down.gap == pytest.approx(up.gap)
    assert down.slope == pytest.approx(up.slope)
    assert down.verdict == up.verdict


@pytest.mark.parametrize(
    ("seed", "num", "noise", "shift", "verdict"),
    [
        (0, 12, 0.05, 0.0, "ranking and level can be trusted"),
        (0, 60, 30.0, 90.0, "neither ranking nor level can be trusted"),
        (0, 4, 0.3, 0.0, "too few submissions to tell"),
    ],
)
def test_the_verdict_says_what_the_submissions_say(seed, num, noise, shift, verdict):
    rng = np.random.default_rng(seed)
    cv = rng.normal(size=num)
    lb = cv + noise * rng.normal(size=num) - shift
    assert trust(cv, lb, higher_is_better=True).verdict == verdict


@pytest.mark.parametrize("num", [0, 1, 2])
def test_fewer_than_three_submissions_are_too_few(num):
    found = trust(CV[:num], LB[:num], higher_is_better=True)
    assert found.verdict == "too few submissions to tell"
    assert "3 are the fewest" in found.sentences[0]
    assert found.ranks is found.gap is found.slope is None


@pytest.mark.parametrize("constant", ["cv", "leaderboard"])
def test_a_constant_side_has_no_ranking_and_says_so(constant):
    cv, lb = ([0.8] * 7, LB) if constant == "cv" else (CV, [0.8] * 7)
    found = trust(cv, lb, higher_is_better=True)
    assert found.ranks is found.pearson is None
    assert found.ranking == "open"
    assert found.sentences[0].startswith(f"all {constant} scores are the same")
    assert (found.slope is None) == (constant == "cv")


def test_a_perfect_ranking_of_four_is_no_proof():
    found = rank_agreement(np.arange(4.0), np.arange(4.0))
    assert found is not None
    assert found.high == 1.0
    assert found.low < 0.5


def test_a_perfect_ranking_of_many_still_has_an_interval():
    found = rank_agreement(np.arange(25.0), np.arange(25.0))
    assert found is not None
    assert 0.8 < found.low < 1.0
    assert found.next_width > 0


def test_a_reversed_ranking_has_the_mirrored_interval():
    up = rank_agreement(np.array(CV), np.array(LB))
    down = rank_agreement(np.array(CV), -np.array(LB))
    assert up is not None
    assert down is not None
    assert (down.spearman, down.low, down.high) == pytest.approx(
        (-up.spearman, -up.high, -up.low), abs=0.03
    )


@pytest.mark.parametrize(("num", "rho"), [(4, 0.95), (7, 0.98)])
def test_the_interval_holds_the_population_value_in_nineteen_of_twenty_samples(num, rho):
    rng = np.random.default_rng(num)
    wanted = 6 / np.pi * np.arcsin(rho / 2)
    known: dict[float, bool] = {}  # Few pairs have few rank correlations.
    num_held = 0
    for _ in range(300):
        a = rng.normal(size=num)
        b = rho * a + np.sqrt(1 - rho**2) * rng.normal(size=num)
        value = round(stats.spearmanr(a, b).statistic, 9)
        if value not in known:
            found = rank_agreement(a, b)
            assert found is not None
            known[value] = found.low <= wanted <= found.high
        num_held += known[value]
    assert num_held >= 0.92 * 300


def test_many_pairs_have_an_interval_like_scipys_bootstrap():
    rng = np.random.default_rng(5)
    a = rng.normal(size=40)
    b = a + rng.normal(size=40)
    found = rank_agreement(a, b)
    wanted = stats.bootstrap(
        (a, b),
        lambda x, y: stats.spearmanr(x, y).statistic,
        paired=True,
        vectorized=False,
        n_resamples=400,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert found is not None
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=0.06)


def test_one_more_submission_would_narrow_the_interval():
    for num in (7, 9, 30):
        rng = np.random.default_rng(num)
        a = rng.normal(size=num)
        found = rank_agreement(a, a + 0.3 * rng.normal(size=num))
        assert found is not None
        assert 0 < found.next_width < found.high - found.low
    assert any(
        "one more submission" in line for line in trust(CV, LB, higher_is_better=True).sentences
    )


def test_an_outlier_is_named():
    lb = [*LB[:5], 0.5, LB[6]]
    found = trust(CV, lb, higher_is_better=True, names=list("abcdefg"))
    assert found.outliers == ("f",)
    assert "off the line of the others: f" in found.sentences


def test_two_outliers_that_hide_each_other_are_both_found():
    rng = np.random.default_rng(0)
    x = np.arange(15.0)
    y = x + 0.1 * rng.normal(size=15)
    y[[13, 14]] += 5
    assert sorted(line_outliers(x, y)) == [13, 14]


def test_points_on_a_line_are_no_outliers():
    x = np.linspace(0.1, 0.9, 9)
    assert line_outliers(x, 1.7 * x - 0.3) == []


def test_false_outliers_are_rare():
    rng = np.random.default_rng(1)
    num = sum(bool(line_outliers(x, x + rng.normal(size=8))) for x in rng.normal(size=(300, 8)))
    assert num <= 0.09 * 300


@pytest.mark.parametrize(
    ("cv", "lb"), [([0.1, 0.2], [0.1]), ([0.1, np.nan], [0.1, 0.2]), ([0.1, 0.2], [np.inf, 0.2])]
)
def test_wrong_values_are_refused(cv, lb):
    with pytest.raises(ValueError):
        trust(cv, lb, higher_is_better=True)


def test_the_result_can_be_written_as_json():
    found = json.loads(json.dumps(trust(CV, LB, higher_is_better=True).to_json(), allow_nan=False))
    assert found["ranks"]["spearman"] == pytest.approx(27 / 28)
