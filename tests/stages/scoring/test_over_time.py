from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foldwise.decide import Decision, Step
from foldwise.decide.fit_reach import reaches
from foldwise.errors import ConfigError
from foldwise.json_files import read_json
from foldwise.stages.evaluate import evaluate
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.scoring.over_time import asked_steps
from foldwise.tasks.problem import Problem

from ..ordered_competition import ordered_problem, wavering_run
from ..small_competition import QUIET, make_problem


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 200)
    monkeypatch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)


def scored(problem: Problem, name: str = "a") -> dict[str, Any]:
    return evaluate(problem.home, name, problem=problem, display=QUIET)


def steps_of(problem: Problem, name: str = "a") -> list[dict[str, Any]]:
    return list(read_json(problem.home.run(name).decision)["steps"])


@pytest.mark.parametrize("gives", ["scores", "answers"])
def test_smoothing_takes_over_where_it_wins_cross_fitted(tmp_path: Path, gives: str) -> None:
    problem = ordered_problem(
        tmp_path,
        submission={"gives": gives},
        metric="mean_average_precision" if gives == "scores" else "macro_f1",
    )
    wavering_run(problem)
    scores = scored(problem)
    (tried,) = scores["decision"]["over_time"]
    assert tried["is_used"]
    assert tried["gain"]["low"] > 0.02
    assert "win cross-fitted" in tried["reason"]
    assert steps_of(problem)[0]["name"] == "moving_average"
    assert steps_of(problem)[0]["fitted"]
    assert steps_of(problem)[0]["options"]["reach"] >= 30
    assert scores["how"]["got"] == "cross-fitted"
    assert "moving_average" in scores["how"]["sentence"]
    assert scores["decision"]["naive_score"] is not None
    plain = ordered_problem(
        tmp_path / "plain", steps=None, submission={"gives": gives},
        metric=problem.metric_name,
    )  # fmt: skip
    wavering_run(plain)
    gained = scores["score"] - scored(plain)["score"]
    assert gained == pytest.approx(tried["gain"]["point"], abs=0.05)


def test_smoothing_that_does_not_win_is_not_used(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path, task="regression")
    wavering_run(problem)  # Ages jump from frame to frame.
    scores = scored(problem)
    (tried,) = scores["decision"]["over_time"]
    assert not tried["is_used"]
    assert "do not win cross-fitted" in tried["reason"]
    assert [step["name"] for step in steps_of(problem)] == ["value"]
    assert scores["decision"]["kind"] == "fixed"


def test_hysteresis_comes_in_the_place_of_thresholds(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path, steps=["hysteresis"], metric="macro_f1")
    wavering_run(problem, noise=0.15)
    scores = scored(problem)
    (tried,) = scores["decision"]["over_time"]
    assert tried["is_used"]
    (step,) = steps_of(problem)
    assert step["name"] == "hysteresis"
    assert np.less(step["options"]["leave"], step["options"]["enter"]).any()
    assert scores["how"]["got"] == "cross-fitted"


def test_smoothing_and_hysteresis_are_tried_one_after_the_other(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path, steps=["median", "hysteresis"], metric="macro_f1")
    wavering_run(problem)
    tried = scored(problem)["decision"]["over_time"]
    assert [each["steps"] for each in tried] == [["median"], ["hysteresis"]]
    assert tried[0]["is_used"]


def test_no_fold_is_decided_by_what_has_seen_it(tmp_path: Path) -> None:
    problem = ordered_problem(
        tmp_path, steps=["moving_average", "hysteresis"], metric="macro_f1",
        submission={"decision": "fitted"},
    )  # fmt: skip
    run = wavering_run(problem)
    before = read_decided(problem, run)
    target = problem.target.copy()
    spoilt = before.folds == 1
    target[spoilt] = 1 - target[spoilt]
    vars(problem)["target"] = target
    after = read_decided(problem, run)
    assert before.by_fold is not None
    assert after.by_fold is not None
    assert after.by_fold[1] == before.by_fold[1]
    assert after.by_fold[0] != before.by_fold[0]
    np.testing.assert_array_equal(after.answers[spoilt], before.answers[spoilt])


def test_what_is_asked_for_is_used_and_its_gain_told_all_the_same(tmp_path: Path) -> None:
    problem = ordered_problem(
        tmp_path, submission={"decision": "fitted", "gives": "scores"}, metric="roc_auc"
    )
    wavering_run(problem)
    (tried,) = scored(problem)["decision"]["over_time"]
    assert tried["is_used"]
    assert tried["reason"].startswith("as asked for; cross-fitted +")
    assert tried["gain"]["low"] is not None


def test_steps_that_are_given_whole_are_used_as_they_are_by_a_fixed_decision(
    tmp_path: Path,
) -> None:
    problem = ordered_problem(
        tmp_path,
        steps=[{"name": "median", "reach": 60}],
        submission={"decision": "fixed", "gives": "scores"},
    )
    wavering_run(problem)
    scores = scored(problem)
    assert scores["decision"]["kind"] == "fixed"
    assert steps_of(problem)[0] == {"name": "median", "options": {"reach": 60}, "fitted": False}
    assert scores["decision"]["folds"] == dict.fromkeys("012", "fixed")


def test_too_few_groups_for_an_interval_leave_steps_over_time_out(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path)
    run = wavering_run(problem)
    held = read_decided(problem, run)
    few = problem.groups
    assert few is not None
    vars(problem)["groups"] = np.array([f"g{fold}" for fold in held.folds], dtype=object)
    run.decision.unlink()
    (tried,) = scored(problem)["decision"]["over_time"]
    assert not tried["is_used"]
    assert "could not be proved better" in tried["reason"]


def test_some_rows_are_decided_as_they_are_among_all(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path)
    held = read_decided(problem, wavering_run(problem))
    steps = (Step("moving_average", {"reach": 60.0}), Step("thresholds", {"values": 0.5}))
    held = replace(held, decision=Decision(steps), by_fold=None)
    whole = held.decided_scores
    for rows in (np.array([5]), np.arange(0, 300, 7), held.folds == 1, held.folds != 1):
        np.testing.assert_array_equal(held.among(rows).decided_scores, whole[rows])
        np.testing.assert_array_equal(held.among(rows).answers, held.answers[rows])
    some = held.among(np.arange(1, 360, 2))
    np.testing.assert_array_equal(some.among(np.arange(9)).decided_scores, whole[1:19:2])
    by_fold = dict.fromkeys(range(3), held.decision)
    folded = replace(held, by_fold=by_fold).among(np.arange(0, 300, 7))
    np.testing.assert_array_equal(folded.decided_scores, whole[::7][: len(folded)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": ["moving_mean"]}, "did you mean 'moving_average'"),
        ({"steps": [{"name": "median", "window": 3}]}, "unknown option 'window'"),
        ({"steps": [{"name": "median", "reach": -1}]}, "reach: .*greater than or equal to 0"),
        ({"steps": ["median", "median"]}, "median stands there twice"),
        ({"steps": ["hysteresis", "median"]}, "it must be the last"),
        ({"steps": [{"name": "median", "exclusive": True}]}, "exclusive follows from the task"),
        ({"steps": [{"name": "hysteresis", "enter": 0.5}]}, "give both enter and leave"),
        (
            {"steps": [{"name": "hysteresis", "enter": 0.4, "leave": 0.5}], "metric": "macro_f1"},
            r"leave 0\.5 is above enter 0\.4",
        ),
        (
            {"steps": [{"name": "hysteresis", "enter": [0.5, 0.5], "leave": 0.1}]},
            "2 thresholds for 3 labels",
        ),
        ({"submission": {"decision": "fixed"}}, "moving_average must be"),
        ({"steps": ["hysteresis"], "submission": {"gives": "scores"}}, "holds scores"),
        ({"steps": ["hysteresis"]}, "mean average precision reads scores"),
        ({"steps": ["hysteresis"], "metric": "accuracy"}, "cannot be fitted to accuracy"),
        ({"steps": ["peaks"], "task": "regression"}, "for labels that come and go"),
        ({"steps": ["hysteresis"], "task": "multiclass"}, "for labels that come and go"),
    ],
)
def test_steps_that_cannot_be_honoured_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    problem = ordered_problem(tmp_path, **changes)
    with pytest.raises(ConfigError, match=message):
        asked_steps(problem)


def test_a_competition_without_sequences_is_told_file_line_and_remedy(tmp_path: Path) -> None:
    problem = make_problem(
        tmp_path, thumbs=False, submission={"over_time": {"steps": ["moving_average"]}}
    )
    from foldwise.stages.examining.over_time import check_over_time

    with pytest.raises(ConfigError) as caught:
        check_over_time(problem)
    text = str(caught.value)
    assert "competition.yaml:" in text
    assert "submission.over_time" in text
    assert "no columns.order" in text
    assert "columns.group" in caught.value.remedy


def test_candidates_go_up_to_half_of_the_longest_sequence(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path)
    held = read_decided(problem, wavering_run(problem))
    assert held.timeline is not None
    assert reaches(held.timeline) == [0.0, 30.0, 60.0, 90.0, 120.0]
