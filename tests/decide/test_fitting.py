from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from foldwise.decide import ANSWER_STEPS, Decision, Step, fit_decision
from foldwise.decide.fitting import FITS
from foldwise.errors import ConfigError, NoExactFitError

RNG = np.random.default_rng(0)
HALF = Step("cuts", {"values": [0.5, 1.5]})
GRADES = RNG.integers(0, 3, 200)
HOT = (RNG.random((200, 3)) < [0.1, 0.3, 0.5]).astype(int)
SHIFT = Step("prior_shift", {"train": [0.8, 0.2], "test": [0.5, 0.5]})

#: Last step → decision, scores, target, metric, name of the fitted step.
EXAMPLES: dict[str, tuple[Decision, np.ndarray, np.ndarray, str, str]] = {
    "cuts": (
        Decision((HALF,)),
        (0.4 * GRADES + 0.3 * RNG.random(200))[:, None],
        GRADES,
        "qwk",
        "cuts",
    ),
    "thresholds": (
        Decision((Step("thresholds", {"values": 0.5}),)),
        0.3 * HOT + 0.4 * RNG.random((200, 3)),
        HOT,
        "macro_f1",
        "thresholds",
    ),
    "argmax": (
        Decision((SHIFT, Step("argmax"))),
        np.stack([1 - 0.5 * RNG.random(200), 0.4 * RNG.random(200) + 0.1 * HOT[:, 1]], axis=1) / 2,
        HOT[:, 1],
        "f_beta",
        "threshold",
    ),
    "threshold": (
        Decision((Step("threshold", {"value": 0.4}),)),
        np.stack([np.ones(200), RNG.random(200) + HOT[:, 2]], axis=1),
        HOT[:, 2],
        "balanced_accuracy",
        "threshold",
    ),
}


def fitted(last: str, **changes: Any) -> Decision:
    decision, scores, target, metric, _ = EXAMPLES[last]
    num_classes = 2 if last in ("argmax", "threshold") else 3
    asked = {"metric": metric, "options": {}, "num_classes": num_classes, **changes}
    return fit_decision(decision, scores, target, **asked)


def test_every_step_that_can_be_fitted_has_an_example() -> None:
    assert FITS.keys() == EXAMPLES.keys()
    assert FITS.keys() <= ANSWER_STEPS.keys()


@pytest.mark.parametrize("last", FITS)
def test_only_the_last_step_is_replaced_and_the_result_survives_json(last: str) -> None:
    decision, scores, target, _, name = EXAMPLES[last]
    found = fitted(last)
    assert found.steps[:-1] == decision.steps[:-1]
    assert found.steps[-1].name == name
    assert found.is_fitted
    assert not decision.is_fitted
    again = Decision.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False)))
    assert again == found
    right = (again.answers(scores) == target).mean()
    assert right > (decision.answers(scores) == target).mean()


@pytest.mark.parametrize("last", FITS)
def test_shares_are_met_whatever_the_metric(last: str) -> None:
    _, scores, target, _, _ = EXAMPLES[last]
    classes = np.arange(2 if last in ("argmax", "threshold") else 3)
    hot = target if target.ndim == 2 else target[:, None] == classes
    found = fitted(last, method="shares", shares=hot.mean(axis=0), metric="mine:score")
    answers = found.answers(scores)
    decided = answers if answers.ndim == 2 else answers[:, None] == classes
    np.testing.assert_allclose(decided.mean(axis=0), hot.mean(axis=0), atol=1e-12)


def test_the_metrics_options_count() -> None:
    _, scores, _, _, _ = EXAMPLES["argmax"]
    called = {
        beta: fitted("argmax", options={"beta": beta, "average": "binary"}).answers(scores).sum()
        for beta in (0.25, 4.0)
    }
    assert called[0.25] < called[4.0]


def test_options_that_no_cut_depends_on_are_of_no_matter() -> None:
    assert fitted("cuts", options={"num_grades": 3}) == fitted("cuts")


def test_score_steps_before_the_answer_act_first() -> None:
    decision, scores, target, _, _ = EXAMPLES["argmax"]
    plain = Decision((Step("argmax"),))
    shifted = decision.scores(scores)
    asked: dict[str, Any] = {"metric": "accuracy", "options": {}, "num_classes": 2}
    ours = fit_decision(decision, scores, target, **asked)
    assert ours.steps[-1] == fit_decision(plain, shifted, target, **asked).steps[-1]


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (Decision((Step("value"),)), "ends with value"),
        (Decision((Step("argmax"),)), "3 exclusive classes"),
        (Decision((Step("thresholds"),)), r"thresholds of labels .* exactly to qwk"),
    ],
)
def test_what_has_no_exact_fit_is_refused_in_one_sentence(decision: Decision, message: str) -> None:
    with pytest.raises(NoExactFitError, match=message) as caught:
        fit_decision(
            decision, np.ones((2, 3)), np.ones((2, 3), int), metric="qwk", options={}, num_classes=3
        )
    assert "\n" not in str(caught.value)


def test_cuts_are_fitted_to_one_column() -> None:
    with pytest.raises(ConfigError, match="one score per sample"):
        fit_decision(
            Decision((HALF,)), np.ones((2, 3)), GRADES[:2], metric="qwk", options={}, num_classes=3
        )


def test_shares_must_be_given_to_be_met() -> None:
    with pytest.raises(ValueError, match="needs shares"):
        fitted("cuts", method="shares")
