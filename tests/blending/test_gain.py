from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from foldwise.blending.averages import mean
from foldwise.blending.gain import Ends, Gain, Verdict, overall, verdict
from foldwise.blending.selection import greedy

from .worth import Case, pool

GREEDY = partial(greedy, num_steps=6)
EVERYONE = partial(mean, comparable=False)


def test_noise_is_not_called_a_gain_though_it_seems_one() -> None:
    reports = [Case(*pool(seed, [0.0] * 8)).report(GREEDY) for seed in range(60)]
    assert np.mean([report.over_best.naive for report in reports]) > 0.02
    assert abs(np.mean([report.over_best.cross_fitted or 0.0 for report in reports])) < 0.02
    assert sum(report.verdict == "gain" for report in reports) <= 3


def test_members_that_err_apart_are_a_gain_over_the_best_of_them() -> None:
    reports = [Case(*pool(seed, [0.7] * 8, rows=400)).report(EVERYONE) for seed in range(10)]
    assert sum(report.verdict == "gain" for report in reports) >= 9
    assert all(report.over_mean == Gain(0.0, 0.0, 0.0, 0.0, *_said(report.over_mean))
               for report in reports)  # fmt: skip


def _said(gain: Gain) -> tuple[str | None, Verdict]:
    return gain.covers, "undecided"


def test_gains_are_over_the_best_member_and_over_the_plain_mean_of_all() -> None:
    case = Case(*pool(0, [0.7, 0.6, 0.5, 0.0, 0.0, 0.0], rows=400))
    report = case.report(GREEDY)
    right = case.members.scores.argmax(axis=2) == case.target
    assert report.solo_scores == dict(zip(case.names, right.mean(axis=1).tolist(), strict=True))
    assert report.solo_scores[report.best_member] == right.mean(axis=1).max()
    plain = case.goal(case.members.scores.mean(axis=0))
    assert report.over_best.naive == pytest.approx(report.blend_score - right.mean(axis=1).max())
    assert report.over_mean.naive == pytest.approx(report.blend_score - plain)
    crossed = case.goal(case.fitted(GREEDY).crossed)
    assert report.over_mean.cross_fitted == pytest.approx(crossed - plain)
    chosen = [report.best_per_fold[fold] for fold in case.folds.tolist()]
    taken = np.mean([right[case.names.index(name), row] for row, name in enumerate(chosen)])
    assert report.over_best.cross_fitted == pytest.approx(crossed - taken)
    assert report.over_best.covers == "400 rows resampled, 100 times"
    assert report.best_per_fold.keys() == report.weights_per_fold.keys() == {0, 1, 2, 3}
    assert all(sum(w.values()) == pytest.approx(1) for w in report.weights_per_fold.values())


def test_a_report_is_json_with_folds_as_text() -> None:
    report = Case(*pool(0, [0.3] * 4)).report(GREEDY)
    found = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert found["weights"] == report.weights
    assert found["over_best"]["verdict"] == report.over_best.verdict
    assert found["best_per_fold"] == {str(k): name for k, name in report.best_per_fold.items()}


def test_a_single_member_gains_nothing() -> None:
    report = Case(*pool(0, [0.5])).report(GREEDY)
    for gain in (report.over_best, report.over_mean):
        assert gain.naive == gain.cross_fitted == gain.low == gain.high == 0
    assert report.verdict == "undecided"


def test_a_single_fold_has_a_naive_gain_only() -> None:
    report = replace(Case(*pool(0, [0.5] * 8)), num_folds=1).report(GREEDY)
    assert report.over_best.naive > 0
    assert report.over_best == Gain(report.over_best.naive, None, None, None, None, "undecided")
    assert report.over_mean.cross_fitted is None
    assert report.best_per_fold == report.weights_per_fold == {}
    assert report.verdict == "undecided"


def test_fewer_than_20_groups_allow_no_verdict() -> None:
    case = Case(*pool(0, [0.7] * 8, rows=400))
    for num_groups, expected in ((19, "undecided"), (40, "gain")):
        grouped = replace(case, groups=np.arange(400) % num_groups)
        assert grouped.report(EVERYONE).verdict == expected


def test_a_mean_worse_than_its_best_member_is_called_a_loss() -> None:
    report = Case(*pool(0, [2.0, -2.0, 0.0, 0.0], rows=300)).report(EVERYONE)
    assert report.best_member == "m0"
    assert report.over_best.naive < -0.1
    assert report.over_best.cross_fitted == report.over_best.naive
    assert report.verdict == "loss"


def test_an_interval_that_covers_fitting_takes_the_place_of_the_other() -> None:
    case = Case(*pool(0, [0.7] * 4))
    wide = Ends(-0.5, 0.5, "refitted")
    report = case.report(GREEDY, refitted=(wide, None))
    assert (report.over_best.low, report.over_best.covers) == (-0.5, "refitted")
    assert report.over_mean.low is None
    assert report.verdict == "undecided"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.1, 0.2, "gain"),
        (-0.2, -0.1, "loss"),
        (-0.1, 0.1, "undecided"),
        (0.0, 0.1, "undecided"),
        (-0.1, 0.0, "undecided"),
        (None, None, "undecided"),
    ],
)
def test_a_gain_is_called_only_above_0(
    low: float | None, high: float | None, expected: str
) -> None:
    assert verdict(low, high) == expected


@pytest.mark.parametrize(
    ("best", "plain", "fitted", "of_a_mean"),
    [
        ("gain", "gain", "gain", "gain"),
        ("gain", "undecided", "undecided", "gain"),
        ("undecided", "gain", "undecided", "undecided"),
        ("gain", "loss", "loss", "gain"),
        ("loss", "gain", "loss", "loss"),
    ],
)
def test_fitted_weights_must_beat_best_and_mean_and_a_mean_the_best_alone(
    best: Verdict, plain: Verdict, fitted: Verdict, of_a_mean: Verdict
) -> None:
    over = [Gain(0.0, 0.0, None, None, None, said) for said in (best, plain)]
    assert overall(*over, is_mean=False) == fitted
    assert overall(*over, is_mean=True) == of_a_mean
