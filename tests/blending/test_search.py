"""Every criterion against the metric itself, candidate by candidate and pick by pick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from foldwise.blending import Answer, Goal
from foldwise.blending.finish import Finish
from foldwise.blending.search import Pace, climbed, selected
from foldwise.blending.search.criteria import ByGoal, criterion_for
from foldwise.blending.search.step import Step, first_best
from foldwise.decide.classes import argmax, thresholds
from foldwise.decide.cuts import cuts
from foldwise.decide.prior import prior_shift
from foldwise.metrics import METRICS

ROWS = 60
ANSWERS: dict[str, Callable[[np.ndarray, Answer], np.ndarray]] = {
    "argmax": lambda scores, answer: argmax(scores),
    "cuts": lambda scores, answer: cuts(scores, values=list(answer.values)),
    "thresholds": lambda scores, answer: thresholds(
        scores, values=list(answer.values) if len(answer.values) > 1 else answer.values[0]
    ),
    "value": lambda scores, answer: scores[:, 0],
}
BY_CLASS = ("accuracy", "balanced_accuracy", "macro_f1", "qwk")
BY_GRADE = (*BY_CLASS, "mae", "rmse")
BY_ORDER = ("roc_auc", "mean_average_precision")
CUTS = Answer("cuts", (0.5, 1.25, 2.5))

#: What is scored, what members give, and how answers come about.
CASES = [
    *(("classes", name, None) for name in ("log_loss", *BY_ORDER)),
    *(("two classes", name, None) for name in ("log_loss", *BY_ORDER)),
    *(("one column", name, None) for name in ("log_loss", *BY_ORDER)),
    *(("labels", name, None) for name in ("log_loss", *BY_ORDER)),
    *(("classes", name, Answer("argmax")) for name in BY_CLASS),
    *(("two classes", name, Answer("argmax")) for name in BY_CLASS),
    *(("grades", name, CUTS) for name in BY_GRADE),
    *(("numbers", name, Answer("value")) for name in ("mae", "rmse")),
    ("labels", "macro_f1", Answer("thresholds", (0.4, 0.5, 0.6))),
    ("labels", "macro_f1", Answer("thresholds", (0.5,))),
]
WITH_FACTORS = [case for case in CASES if case[0] == "classes" and case[1] not in BY_ORDER]


def make_goal(
    target: np.ndarray,
    name: str,
    answer: Answer | None,
    weight: np.ndarray | None = None,
    factors: np.ndarray | None = None,
) -> Goal:
    metric = METRICS[name]
    sign = 1 if metric.higher_is_better else -1

    def score(scores: np.ndarray, rows: np.ndarray | None) -> float:
        if factors is not None:
            shares = np.full(len(factors), 0.5)
            scores = prior_shift(scores, train=list(shares), test=list(shares * factors))
        preds = scores if answer is None else ANSWERS[answer.kind](scores, answer)
        return sign * metric(preds, target, weight)

    return Goal(target, score, metric=name, weight=weight, answer=answer, factors=factors)


def make_case(what: str, rng: np.random.Generator, rows: int = ROWS) -> tuple[np.ndarray, ...]:
    """(M, N, C) scores and the target."""
    columns = {"classes": 4, "two classes": 2, "labels": 3}.get(what, 1)
    if what in ("grades", "numbers"):
        target = rng.integers(0, 4, rows) if what == "grades" else rng.normal(size=rows)
        noise = 0.8 * rng.normal(size=(6, rows)) + 0.4 * rng.normal(size=rows)
        return (target + noise)[:, :, None], target
    if what == "classes" or what == "two classes":
        target = rng.integers(0, columns, rows)
        logits = rng.normal(size=(6, rows, columns)) + 1.2 * np.eye(columns)[target]
        scores = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
        return scores, target
    target = rng.integers(0, 2, (rows, columns))
    logits = rng.normal(size=(6, rows, columns)) + 1.5 * (target - 0.5)
    return 1 / (1 + np.exp(-logits)), target[:, 0] if what == "one column" else target


def spoiled(scores: np.ndarray, how: str, rng: np.random.Generator) -> np.ndarray:
    """Members as they come: rounded, constant, twice the same, of one sure class."""
    scores = scores.copy()
    if how == "copies":
        scores[3], scores[5] = scores[1], scores[1]
    elif how == "constant":
        scores[2], scores[4] = scores[2].mean(axis=0), 1 / scores.shape[2]
    elif how == "coarse":
        scores = np.round(scores * 4) / 4
        scores[:, :, 0] += scores.sum(axis=2) == 0
    elif how == "float32":
        scores = scores.astype(np.float32).astype(np.float64)
    elif how == "sure":
        rows = rng.random(scores.shape[:2]) < 0.5
        hot = scores == scores.max(axis=2, keepdims=True)
        scores[rows] = hot[rows] if scores.shape[2] > 1 else np.round(scores[rows])
    elif how == "swapped axes":
        scores = np.asfortranarray(scores)
    return scores


SPOILED = ("not", "copies", "constant", "coarse", "float32", "sure", "swapped axes")


def textbook(scores: np.ndarray, goal: Goal, num_steps: int) -> list[int]:
    """Every candidate scored by the goal, nothing reused."""
    return selected(scores, replace(goal, metric=""), num_steps=num_steps)


def assert_bounds_hold(scores: np.ndarray, goal: Goal, step: Step) -> None:
    low, high = criterion_for(scores, goal).bounds(step)
    exact = np.array([goal(step.blend(member)) for member in scores])
    room = 2e-12 * np.maximum(np.abs(exact), 1)
    assert (low <= exact + room).all()
    assert (high >= exact - room).all()
    able = high >= low.max()
    assert exact.max() in exact[able]
    close = 0.1 if goal.metric in BY_ORDER else 1e-6
    assert (high - low)[able].max() <= close


@pytest.mark.parametrize(("what", "name", "answer"), CASES)
@pytest.mark.parametrize("how", SPOILED)
def test_picks_are_those_of_the_textbook_loop(
    what: str, name: str, answer: Answer | None, how: str
) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        scores, target = make_case(what, rng)
        scores = spoiled(scores, how, rng)
        weight = None if seed == 0 else rng.integers(0 if seed == 1 else 1, 3, ROWS).astype(float)
        goal = make_goal(target, name, answer, weight)
        assert not isinstance(criterion_for(scores, goal), ByGoal)
        assert selected(scores, goal, num_steps=8) == textbook(scores, goal, 8)


@pytest.mark.parametrize(("what", "name", "answer"), WITH_FACTORS)
@pytest.mark.parametrize("how", SPOILED)
def test_picks_hold_with_a_correction_for_class_shares(
    what: str, name: str, answer: Answer | None, how: str
) -> None:
    rng = np.random.default_rng(0)
    scores, target = make_case(what, rng)
    scores = spoiled(scores, how, rng)
    if how == "coarse":
        scores /= np.maximum(scores.sum(axis=2, keepdims=True), 1)
    goal = make_goal(target, name, answer, factors=np.array([0.3, 1.0, 1.7, 0.6]))
    assert not isinstance(criterion_for(scores, goal), ByGoal)
    assert selected(scores, goal, num_steps=8) == textbook(scores, goal, 8)


@pytest.mark.parametrize(("what", "name", "answer"), CASES)
@pytest.mark.parametrize("how", SPOILED)
def test_bounds_hold_for_any_weights(what: str, name: str, answer: Answer | None, how: str) -> None:
    rng = np.random.default_rng(1)
    scores, target = make_case(what, rng)
    scores = spoiled(scores, how, rng)
    goal = make_goal(target, name, answer)
    is_probable = what not in ("grades", "numbers") and scores.max() <= 1
    finish = (
        Finish(0.0, 1.0, sums_to_1="classes" in what)
        if is_probable
        else Finish(float(scores.min()), float(scores.max()))
    )
    for _ in range(5):
        weights = rng.dirichlet(np.ones(len(scores)))
        total = np.tensordot(weights, scores, axes=1)
        assert_bounds_hold(scores, goal, Step(0.7 * total, factor=0.3))
        assert_bounds_hold(scores, goal, Step(3 * total, size=4))
        for factor in (-0.5, -0.01, 0.25):
            assert_bounds_hold(scores, goal, Step((1 - factor) * total, 1.0, factor, finish))


@pytest.mark.parametrize(("what", "name", "answer"), CASES)
def test_picks_hold_over_several_blocks_of_rows(
    what: str, name: str, answer: Answer | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("log_loss", "distances", "surest"):
        monkeypatch.setattr(f"foldwise.blending.search.{module}._BLOCK", 17)
    monkeypatch.setattr("foldwise.blending.search.surest._CHUNK", 100)
    rng = np.random.default_rng(5)
    scores, target = make_case(what, rng, rows=400)
    for weight in (None, rng.random(400)):
        goal = make_goal(target, name, answer, weight)
        assert selected(scores, goal, num_steps=12) == textbook(scores, goal, 12)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_target_of_one_class_is_scored_or_refused_as_by_the_metric(share: float) -> None:
    scores, _ = make_case("two classes", np.random.default_rng(0))
    target = np.full(ROWS, int(share))
    for name in ("log_loss", "mean_average_precision", "accuracy", "macro_f1"):
        answer = Answer("argmax") if name in BY_CLASS else None
        goal = make_goal(target, name, answer)
        assert selected(scores, goal, num_steps=4) == textbook(scores, goal, 4)
    with pytest.raises(ValueError, match="undefined"):
        selected(scores, make_goal(target, "roc_auc", None), num_steps=4)


def test_kappa_of_one_grade_is_refused_as_by_the_metric() -> None:
    scores = np.full((3, ROWS, 1), 1.0)
    goal = make_goal(np.ones(ROWS, dtype=int), "qwk", CUTS)
    with pytest.raises(ValueError, match="undefined"):
        selected(scores, goal, num_steps=4)


@pytest.mark.parametrize(
    ("bad", "words"), [(-0.1, "needs probabilities"), (np.nan, "NaN"), (np.inf, "NaN")]
)
def test_scores_that_the_metric_refuses_are_refused(bad: float, words: str) -> None:
    scores, target = make_case("classes", np.random.default_rng(0))
    scores[1, 7, 2] = bad
    with pytest.raises(ValueError, match=words):
        selected(scores, make_goal(target, "log_loss", None), num_steps=4)


def test_what_the_goal_does_not_say_is_asked_of_it() -> None:
    scores, target = make_case("classes", np.random.default_rng(0))
    known = make_goal(target, "accuracy", Answer("argmax"))
    for goal in (
        replace(known, metric=""),
        replace(known, metric="own"),
        replace(known, answer=None),
    ):
        assert isinstance(criterion_for(scores, goal), ByGoal)


@pytest.mark.parametrize(("what", "name", "answer"), CASES)
@pytest.mark.parametrize("is_negative", [False, True])
def test_climbing_is_that_of_the_textbook_loop(
    what: str, name: str, answer: Answer | None, is_negative: bool
) -> None:
    rng = np.random.default_rng(2)
    scores, target = make_case(what, rng)
    goal = make_goal(target, name, answer)
    bounds = None
    if is_negative:
        is_probable = what not in ("grades", "numbers")
        ends = (0.0, 1.0) if is_probable else (float(scores.min()), float(scores.max()))
        bounds = Finish(*ends, sums_to_1="classes" in what)
    pace = Pace(0.5, 0.05, 25)
    fast = climbed(scores, goal, pace=pace, bounds=bounds)
    slow = climbed(scores, replace(goal, metric=""), pace=pace, bounds=bounds)
    np.testing.assert_array_equal(fast, slow)
    assert fast.sum() == pytest.approx(1)


def test_only_overlapping_bounds_are_made_exact() -> None:
    asked = []

    def exact(at: int) -> float:
        asked.append(at)
        return 0.5

    low, high = np.array([0.0, 0.4, 0.45, 0.5]), np.array([0.3, 0.6, 0.55, 0.5])
    assert first_best(low, high, exact) == 1
    assert asked == [1, 2]
