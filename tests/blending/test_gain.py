from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from foldwise.blending import Goal, Members
from foldwise.blending.gain import GainReport, gain_report, verdict
from foldwise.blending.methods import mean
from foldwise.blending.selection import greedy
from foldwise.metrics import METRICS
from foldwise.metrics.bootstrap import paired_interval

ACCURACY = METRICS["accuracy"]


def report_for(
    members: Members, target: np.ndarray, *, num_folds: int = 4, num_steps: int = 6, num: int = 100
) -> GainReport:
    """Two-column scores decided by argmax and scored by accuracy, as a stage does it."""

    def score(scores: np.ndarray, rows: np.ndarray | None) -> float:
        truth = target if rows is None else target[rows]
        return float((scores.argmax(axis=1) == truth).mean())

    def paired(reference: np.ndarray, blended: np.ndarray) -> tuple[float, float, str] | None:
        found = paired_interval(
            ACCURACY,
            reference.argmax(axis=1),
            blended.argmax(axis=1),
            target,
            higher_is_better=True,
            num=num,
        ).interval
        return None if found is None else (found.low, found.high, found.covers)

    names = [f"m{number}" for number in range(len(members))]
    folds = np.arange(len(target)) % num_folds
    fit = partial(greedy, num_steps=num_steps)
    return gain_report(members, names, folds, fit=fit, goal=Goal(target, score), paired=paired)


def pool(seed: int, skill: float, num: int = 8, rows: int = 160) -> tuple[Members, np.ndarray]:
    """Members whose errors are independent; without skill they are coin flips."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, rows)
    margin = skill * (2 * target - 1) + rng.normal(size=(num, rows))
    second = 1 / (1 + np.exp(-margin))
    return Members(np.stack([1 - second, second], axis=2)), target


def test_noise_is_not_called_a_gain_though_it_seems_one() -> None:
    reports = [report_for(*pool(seed, skill=0.0)) for seed in range(60)]
    assert np.mean([report.naive_gain for report in reports]) > 0.02
    assert abs(np.mean([report.cross_fitted_gain for report in reports])) < 0.02
    assert sum(report.verdict == "gain" for report in reports) <= 5


def test_members_that_err_apart_are_called_a_gain() -> None:
    reports = [report_for(*pool(seed, skill=0.7, rows=400)) for seed in range(10)]
    assert sum(report.verdict == "gain" for report in reports) >= 9


def test_a_report_holds_what_was_chosen_and_what_each_member_is_worth() -> None:
    members, target = pool(0, skill=0.7, rows=400)
    report = report_for(members, target)
    solo = {
        f"m{m}": float((s.argmax(axis=1) == target).mean()) for m, s in enumerate(members.scores)
    }
    assert report.solo_scores == solo
    assert solo[report.best_member] == max(solo.values())
    assert report.naive_gain == pytest.approx(report.blend_score - max(solo.values()))
    assert report.best_per_fold.keys() == report.weights_per_fold.keys() == {0, 1, 2, 3}
    assert all(sum(w.values()) == pytest.approx(1) for w in report.weights_per_fold.values())
    assert report.loss_without.keys() == solo.keys()
    idle = [name for name, weight in report.weights.items() if weight == 0]
    assert idle
    assert all(report.loss_without[name] == 0 for name in idle)
    assert max(report.loss_without.values()) > 0
    assert report.covers == "400 rows resampled, 100 times"


def test_a_report_is_json_with_folds_as_text() -> None:
    report = report_for(*pool(0, skill=0.3))
    found = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert found["weights"] == report.weights
    assert found["best_per_fold"] == {str(k): name for k, name in report.best_per_fold.items()}


def test_a_single_member_gains_nothing() -> None:
    report = report_for(*pool(0, skill=0.5, num=1))
    assert report.naive_gain == report.cross_fitted_gain == report.low == report.high == 0
    assert report.verdict == "undecided"
    assert report.loss_without == {}


def test_a_single_fold_has_a_naive_gain_only() -> None:
    members, target = pool(0, skill=0.5)
    report = report_for(members, target, num_folds=1)
    assert report.naive_gain > 0
    assert report.cross_fitted_gain is report.low is report.high is report.covers is None
    assert report.best_per_fold == report.weights_per_fold == {}
    assert report.verdict == "undecided"


def test_a_blend_worse_than_its_best_member_is_called_a_loss() -> None:
    good, target = pool(0, skill=2.0, num=1, rows=300)
    bad, _ = pool(1, skill=0.0, num=4, rows=300)
    members = Members(np.concatenate([good.scores, 1 - good.scores, bad.scores]))

    def score(scores: np.ndarray, rows: np.ndarray | None) -> float:
        truth = target if rows is None else target[rows]
        return float((scores.argmax(axis=1) == truth).mean())

    report = gain_report(
        members,
        ["good", "upside-down", "n1", "n2", "n3", "n4"],
        np.arange(300) % 3,
        fit=partial(mean, comparable=False),
        goal=Goal(target, score),
        paired=lambda a, b: (-0.5, -0.3, "rows") if (a == good.scores[0]).all() else None,
    )
    assert report.best_member == "good"
    assert report.naive_gain < -0.2
    assert report.cross_fitted_gain == report.naive_gain
    assert report.verdict == "loss"
    assert report.loss_without["good"] > 0 > report.loss_without["upside-down"]


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
