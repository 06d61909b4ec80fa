from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest

from foldwise.decide.classes import thresholds
from foldwise.decide.fit_thresholds import (
    LABEL_METRICS,
    TWO_CLASS_METRICS,
    fit_threshold,
    fit_thresholds,
)
from foldwise.errors import NoExactFitError

from .brute import Case, cases, every_cut, f_beta

#: Metric and options → what `of_columns` or `of_two` computes; macro F1 is F-beta with beta 1.
COLUMNS = [
    ("macro_f1", {}),
    ("f_beta", {"beta": 2.0, "average": "macro"}),
    ("f_beta", {"beta": 0.5, "average": "micro"}),
    ("f_beta", {"beta": 1.0, "average": "micro"}),
    ("label_accuracy", {}),
    ("balanced_accuracy", {}),
]
TWO = [
    ("macro_f1", {}),
    ("f_beta", {"beta": 2.0, "average": "macro"}),
    ("f_beta", {"beta": 0.5, "average": "binary"}),
    ("f_beta", {"beta": 2.0, "average": "micro"}),
    ("accuracy", {}),
    ("balanced_accuracy", {}),
]


def recalls(answers: np.ndarray, target: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    """(P,) recall of 0 and of 1 by (P, N) answers, of those that occur."""
    return [
        (answers[:, target == c] == c) @ weights[target == c] / weights[target == c].sum()
        for c in (0, 1)
        if weights[target == c].any()
    ]


def of_label(
    metric: str, beta: float, answers: np.ndarray, target: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """(P,) a label's own score of (P, N) answers."""
    if metric == "balanced_accuracy":
        return np.mean(recalls(answers, target, weights), axis=0)
    if metric == "label_accuracy":
        return (answers == target) @ weights / weights.sum()
    return f_beta(answers, target, weights, beta=beta, axis=-1)


def of_two(
    metric: str,
    answers: np.ndarray,
    target: np.ndarray,
    weights: np.ndarray,
    beta: float = 1.0,
    average: str = "macro",
) -> np.ndarray:
    """(P,) the score of (P, N) answers of two exclusive classes."""
    if metric == "accuracy" or average == "micro":
        return (answers == target) @ weights / weights.sum()
    if metric == "balanced_accuracy":
        return np.mean(recalls(answers, target, weights), axis=0)
    one = f_beta(answers, target, weights, beta=beta, axis=-1)
    if average == "binary":
        return one
    zero = f_beta(1 - answers, 1 - target, weights, beta=beta, axis=-1)
    occurs = [(answers == c).any(axis=1) | (target == c).any() for c in (0, 1)]
    return (zero + one) / np.sum(occurs, axis=0)


def two_labels(number: int, first: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A second label beside a case's own, and weights."""
    rng = np.random.default_rng(number)
    scores, target, weight = first
    other = np.round(rng.random(len(target)), int(rng.integers(0, 3)))
    truth = (rng.random(len(target)) < rng.choice([0.0, 0.3, 0.7, 1.0])).astype(int)
    weights = np.ones(len(target)) if weight is None else weight
    return np.stack([scores, other], axis=1), np.stack([target, truth], axis=1), weights


@pytest.mark.parametrize(("metric", "options"), COLUMNS)
def test_no_thresholds_of_labels_are_better_in_a_thousand_cases(
    metric: str, options: dict[str, object]
) -> None:
    beta = float(options.get("beta", 1.0))
    for number, case in enumerate(cases(1000, num_classes=2, most_rows=5)):
        scores, target, weights = two_labels(number, case)
        fitted = fit_thresholds(scores, target, metric=metric, weight=weights, **options)
        answers = thresholds(scores, values=fitted)
        here = weights > 0
        scores, target, weights, answers = scores[here], target[here], weights[here], answers[here]
        every = [every_cut(scores[:, c], 1)[0] for c in (0, 1)]
        if options.get("average") == "micro":
            pairs = np.array(list(itertools.product(range(len(every[0])), range(len(every[1])))))
            joint = np.stack([every[c][pairs[:, c]] for c in (0, 1)], axis=-1)
            micro = partial(f_beta, target=target, weights=weights[:, None], beta=beta, axis=-2)
            assert micro(answers) >= micro(joint).max() - 1e-12
            continue
        for c in (0, 1):
            score = partial(of_label, metric, beta, target=target[:, c], weights=weights)
            assert score(answers[None, :, c])[0] >= score(every[c]).max() - 1e-12


@pytest.mark.parametrize(("metric", "options"), TWO)
def test_no_threshold_between_two_classes_is_better_in_a_thousand_cases(
    metric: str, options: dict[str, object]
) -> None:
    for scores, target, weight in cases(1000, num_classes=2):
        fitted = fit_threshold(scores, target, metric=metric, weight=weight, **options)
        weights = np.ones(len(target)) if weight is None else weight
        here = weights > 0
        score = partial(of_two, metric, target=target[here], weights=weights[here], **options)
        answers = (scores[here] >= fitted).astype(int)
        every, _ = every_cut(scores[here], 1)
        assert score(answers=answers[None])[0] >= score(answers=every).max() - 1e-12


def test_of_equally_good_thresholds_the_nearest_to_the_fixed_is_taken() -> None:
    scores, target = np.array([0.1, 0.2, 0.6, 0.7]), np.array([0, 1, 0, 1])
    assert fit_threshold(scores, target, metric="accuracy") == pytest.approx(0.65)
    assert fit_threshold(scores, target, metric="accuracy", fixed=0.2) == pytest.approx(0.15)


def test_a_label_without_positives_keeps_its_place_under_f_beta() -> None:
    scores = np.array([[0.1, 0.1], [0.4, 0.3], [0.8, 0.9]])
    target = np.array([[0, 0], [0, 1], [0, 1]])
    for options in ({"average": "macro"}, {"average": "micro"}):
        found = fit_thresholds(scores, target, metric="f_beta", **options)
        assert thresholds(scores, values=found)[:, 1].tolist() == [0, 1, 1]
    macro = fit_thresholds(scores, target, metric="macro_f1", fixed=[0.7, 0.5])
    assert macro == pytest.approx([0.6, 0.2])
    nothing = fit_thresholds(scores, 0 * target, metric="f_beta", average="micro")
    assert nothing == pytest.approx([0.6, 0.6])


def test_micro_fits_labels_together() -> None:
    """A rare label's threshold depends on how the common one fares."""
    rng = np.random.default_rng(0)
    target = (rng.random((400, 2)) < [0.5, 0.05]).astype(int)
    scores = target + rng.normal(size=(400, 2))
    macro = fit_thresholds(scores, target, metric="f_beta", average="macro")
    micro = fit_thresholds(scores, target, metric="f_beta", average="micro")
    joint = [
        f_beta(thresholds(scores, values=v), target, np.ones((400, 1)), beta=1.0, axis=-2)
        for v in (micro, macro)
    ]
    assert joint[0] > joint[1]


def test_constant_scores_are_all_called_or_none() -> None:
    scores = np.full((4, 2), 0.3)
    target = np.array([[1, 0], [1, 0], [1, 1], [0, 0]])
    found = fit_thresholds(scores, target, metric="label_accuracy")
    assert thresholds(scores, values=found).tolist() == [[1, 0]] * 4
    assert found == pytest.approx([-0.2, 0.5])


def test_what_cannot_be_fitted_exactly_is_refused_by_name() -> None:
    hot = np.eye(2, dtype=int)
    with pytest.raises(NoExactFitError, match="accuracy, as a row is right only with all"):
        fit_thresholds(np.zeros((2, 2)), hot, metric="accuracy")
    with pytest.raises(NoExactFitError, match=r"f_beta .average: binary"):
        fit_thresholds(np.zeros((2, 2)), hot, metric="f_beta", average="binary")
    with pytest.raises(NoExactFitError, match=r"two classes .* exactly to log_loss"):
        fit_threshold(np.zeros(2), np.array([0, 1]), metric="log_loss")
    assert {name for name, _ in COLUMNS} == set(LABEL_METRICS)
    assert {name for name, _ in TWO} == set(TWO_CLASS_METRICS)
