from __future__ import annotations

import inspect
import json
from typing import Any

import numpy as np
import pytest

from foldwise.decide import (
    ANSWER_STEPS,
    DECISIONS,
    OVER_TIME,
    SCORE_STEPS,
    Decision,
    Step,
    Timeline,
)
from foldwise.errors import ConfigError, DataError
from foldwise.maps.maps import Maps
from foldwise.masks.of_samples import Masks

SHIFT = Step("prior_shift", {"train": [0.8, 0.2], "test": [0.5, 0.5]})
HALF = Step("thresholds", {"values": 0.5})
#: Two rows that are alone, so that neither changes the other.
APART = Timeline(np.array([-1, -1]), np.zeros(2))

#: Levels of two samples of two classes.
LEVELS = np.arange(2 * 2 * 3 * 4, dtype=np.uint8).reshape(2, 2, 3, 4) * 5
MAPS = Maps(np.array([[3, 4], [3, 4]]), 2, np.arange(2), LEVELS.__getitem__)
#: One decision for each step of the table, and scores it takes.
EXAMPLES: dict[str, tuple[Decision, Any]] = {
    "argmax": (Decision((Step("argmax"),)), np.array([[0.2, 0.8], [0.6, 0.4]])),
    "threshold": (
        Decision((Step("threshold", {"value": 0.3}),)),
        np.array([[0.2, 0.8], [0.8, 0.2]]),
    ),
    "thresholds": (
        Decision((Step("thresholds", {"values": [0.3, 0.1 + 0.2]}, fitted=True),)),
        np.array([[0.2, 0.8], [0.6, 0.4]]),
    ),
    "cuts": (Decision((Step("cuts", {"values": [0.5, 1.5]}),)), np.array([[0.2], [1.7]])),
    "value": (Decision((Step("value", {"low": 0.0, "decimals": 1}),)), np.array([[-0.2], [1.77]])),
    "prior_shift": (Decision((SHIFT, Step("argmax"))), np.array([[0.7, 0.3], [0.9, 0.1]])),
    **{
        name: (Decision((Step(name, {"reach": 1.0}), HALF)), np.array([[0.7, 0.3], [0.9, 0.1]]))
        for name in ("moving_average", "median", "peaks")
    },
    "hysteresis": (
        Decision((Step("hysteresis", {"enter": [0.8, 0.2], "leave": 0.1}),)),
        np.array([[0.7, 0.3], [0.9, 0.1]]),
    ),
    "masks": (Decision((Step("masks", {"thresholds": [0.3, 0.1 + 0.2]}),)), MAPS),
    "surest_class": (Decision((Step("surest_class"),)), MAPS),
}


def assert_same(one: Any, two: Any) -> None:
    if isinstance(one, Masks):
        assert one.tobytes() == two.tobytes()
    else:
        np.testing.assert_array_equal(one, two)


def test_the_tables_part_score_steps_from_answer_steps() -> None:
    assert DECISIONS == SCORE_STEPS | ANSWER_STEPS
    assert not SCORE_STEPS.keys() & ANSWER_STEPS.keys()
    assert EXAMPLES.keys() == DECISIONS.keys()


@pytest.mark.parametrize("name", DECISIONS)
def test_every_step_takes_scores_and_keyword_options(name: str) -> None:
    first, *options = inspect.signature(DECISIONS[name]).parameters.values()
    assert first.name == "scores"
    if name in OVER_TIME:
        assert options.pop(0).name == "timeline"
    assert all(option.kind is inspect.Parameter.KEYWORD_ONLY for option in options)


@pytest.mark.parametrize("name", DECISIONS)
def test_every_decision_survives_json_and_answers_the_same(name: str) -> None:
    decision, scores = EXAMPLES[name]
    again = Decision.from_json(json.loads(json.dumps(decision.to_json(), allow_nan=False)))
    assert again == decision
    assert again.is_fitted == decision.is_fitted == (name == "thresholds")
    assert_same(again.answers(scores, APART), decision.answers(scores, APART))


@pytest.mark.parametrize("name", DECISIONS)
def test_every_decision_leaves_its_input_alone_and_answers_each_row_for_itself(name: str) -> None:
    decision, scores = EXAMPLES[name]
    values = LEVELS if isinstance(scores, Maps) else scores
    before = values.copy()
    answers = decision.answers(scores, APART)
    np.testing.assert_array_equal(values, before)
    for row in range(len(scores)):
        alone = decision.answers(scores[[row]], APART.take(np.array([row])))
        assert_same(alone, answers[[row]])
    none = decision.answers(scores[:0], APART.take(np.arange(0)))
    assert_same(none, answers[:0])


def test_steps_act_in_order() -> None:
    decision = Decision((SHIFT, Step("argmax")))
    scores = np.array([[0.7, 0.3]])
    np.testing.assert_allclose(
        decision.scores(scores), [[0.7 / 0.8, 1.5]] / np.sum(0.7 / 0.8 + 1.5)
    )
    assert decision.answers(scores).tolist() == [1]
    assert Decision((Step("argmax"),)).answers(scores).tolist() == [0]
    np.testing.assert_array_equal(Decision((Step("argmax"),)).scores(scores), scores)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((), "at least one step"),
        ((Step("argmin"),), "did you mean 'argmax'"),
        ((Step("thresholds", {"value": 0.5}),), "did you mean 'values'"),
        ((Step("cuts"),), "values"),
        ((Step("cuts", {"values": "high"}),), "values"),
        ((SHIFT,), "prior_shift gives scores"),
        ((Step("argmax"), Step("argmax")), "step 1, argmax, gives answers"),
    ],
)
def test_impossible_decisions_are_refused(steps: tuple[Step, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Decision(steps)


def test_all_problems_of_a_decision_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Decision((Step("argmax"), Step("argmin"), Step("cuts"), SHIFT))
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_never_decided(bad: float) -> None:
    scores = np.array([[0.2], [bad], [bad]])
    with pytest.raises(DataError, match=r"2 of 3 samples .* row 1"):
        EXAMPLES["cuts"][0].answers(scores)


@pytest.mark.parametrize("value", [{}, {"format": 1}, {"format": 1, "steps": [{}]}, {"format": 2}])
def test_files_that_hold_no_decision_are_refused(value: dict[str, object]) -> None:
    with pytest.raises(DataError, match=r"decision"):
        Decision.from_json(value)


@pytest.mark.parametrize("name", OVER_TIME)
def test_steps_over_time_refuse_rows_that_stand_nowhere(name: str) -> None:
    decision, scores = EXAMPLES[name]
    assert decision.is_over_time
    with pytest.raises(DataError, match=rf"{name} needs to know where the rows stand in time"):
        decision.answers(scores)


def test_a_decision_written_before_there_were_steps_over_time_is_read() -> None:
    old = {
        "format": 1,
        "steps": [{"name": "cuts", "options": {"values": [0.5, 1.5]}, "fitted": True}],
        "folds": {},
        "choice": {"asked": "auto", "kind": "fitted", "reason": "", "gain": None, "folds": {}},
    }
    decision = Decision.from_json(old)
    assert not decision.is_over_time
    assert decision.answers(np.array([[0.2], [1.7]])).tolist() == [0, 2]
