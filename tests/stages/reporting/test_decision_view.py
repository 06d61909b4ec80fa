from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foldwise.rundir import RunDir
from foldwise.stages.evaluate import evaluate
from foldwise.stages.reporting.decision_view import Stored, decision_view
from foldwise.stages.reporting.material import gather
from foldwise.stages.reporting.spread_view import spread_view
from tests.stages.small_competition import QUIET, make_problem, write_run, write_scores

GRADES = ("0", "1", "2")


def _step(name: str, *, fitted: bool = False, **options: Any) -> dict[str, Any]:
    return {"name": name, "options": options, "fitted": fitted}


FIXED = _step("cuts", values=[0.5, 1.5])
FITTED = _step("cuts", values=[0.4, 1.2], fitted=True)


def _scores(kind: str, gain: dict[str, Any] | None, **folds: str) -> dict[str, Any]:
    return {
        "score": 0.6,
        "how": {"got": "cross-fitted"},
        "metric": {"higher_is_better": True},
        "decision": {
            "asked": "auto",
            "kind": kind,
            "reason": "one fold is too few",
            "gain": gain,
            "folds": folds,
            "naive_score": 0.65 if kind == "fitted" else None,
        },
    }


GAIN = {"point": 0.03, "low": 0.01, "high": 0.05, "covers": "400 rows resampled", "num_rows": 400}


def test_a_decision_that_won_shows_both_cuts_and_the_spread_over_folds() -> None:
    stored = Stored(FITTED, FIXED, {"0": FITTED, "1": FIXED})
    scores = _scores("fitted", GAIN, **{"0": "fitted", "1": "fixed"})
    view = decision_view(scores, stored, GRADES)
    assert view is not None
    first = view["lines"][0]
    assert first == {"name": "0 | 1", "fixed": 0.5, "value": 0.4, "low": 0.4, "high": 0.5}
    assert "they win cross-fitted by +0.0300" in view["sentence"]
    assert "+0.0500, is what fitting promises too much" in view["scores"]
    assert "without fold 1 the fixed ones would have stayed" in view["folds"]
    (cuts,) = stored.cuts(1, GRADES)
    assert cuts.per_fold == (0.4, 1.2, 0.5, 1.5)
    assert cuts.is_fitted


def test_a_decision_that_lost_is_fixed_and_says_by_how_much() -> None:
    lost = {**GAIN, "point": -0.00001, "low": -0.02, "high": 0.02}
    view = decision_view(_scores("fixed", lost), Stored(FIXED, FIXED, {}), GRADES)
    assert view is not None
    assert "do not win cross-fitted, +0.0000" in view["sentence"]  # No negative zero.
    assert view["scores"] is None
    assert view["folds"] is None
    assert not view["is_fitted"]


def test_without_a_gain_the_reason_is_told() -> None:
    view = decision_view(_scores("fixed", None), Stored(FIXED, FIXED, {}), GRADES)
    assert view is not None
    assert "one fold is too few" in view["sentence"]
    assert view["plots"] is None


def test_a_choice_of_the_surest_class_has_nothing_to_show() -> None:
    stored = Stored(_step("argmax"), _step("argmax"), {})
    assert decision_view(_scores("fixed", None), stored, GRADES) is None
    assert stored.cuts(3, GRADES) == []


def test_one_threshold_for_all_and_one_for_each_are_told_apart() -> None:
    stored = Stored(
        _step("thresholds", values=[0.3, 0.6, 0.5], fitted=True), _step("thresholds"), {}
    )
    assert [line["value"] for line in stored.lines(("car", "sign", "tree"))] == [0.3, 0.6, 0.5]
    assert [cuts.fixed for cuts in stored.cuts(3, ())] == [(0.5,)] * 3


def test_two_classes_with_a_fitted_threshold_stood_at_one_half() -> None:
    stored = Stored(_step("threshold", value=0.3, fitted=True), _step("argmax"), {})
    assert stored.lines(("ape",)) == [
        {"name": "ape", "fixed": 0.5, "value": 0.3, "low": None, "high": None}
    ]


def test_the_surest_of_two_is_a_threshold_where_another_was_tried() -> None:
    step = {"steps": [_step("argmax")]}
    stored = {**step, "inputs": {"fixed": step}, "folds": {}}
    tried, not_tried = (Stored.of({**stored, "choice": {"gain": gain}}) for gain in (GAIN, None))
    assert tried.word == "threshold"
    assert tried.cuts(1, ("ape", "bear"))[0].values == (0.5,)
    assert not_tried.word is None


@pytest.mark.parametrize("task", ["ordinal", "multilabel"])
def test_a_run_whose_scores_are_cut_has_its_cuts_drawn(tmp_path: Path, task: str) -> None:
    problem = make_problem(tmp_path, task, thumbs=False)
    write_run(problem, "a")
    evaluate(problem.home, "a", problem=problem, display=QUIET)
    view = spread_view(gather(problem.home), "a")
    assert view is not None
    is_cut = "cut fixed" in view["charts"][0]["plot"]
    assert is_cut == (view["decision"] is not None)


def test_scores_that_were_shrunk_are_cut_where_it_was_fitted(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "ordinal", num_train=300, thumbs=False)
    rng = np.random.default_rng(0)
    shrunk = 0.4 * problem.target + 0.1 * rng.normal(size=300)
    test = 0.4 * rng.integers(0, 5, 30) + 0.1 * rng.normal(size=30)
    oof = np.clip(shrunk, 0, 4)[:, None]
    run = RunDir(problem.home.runs / "a")
    ids = problem.train.ids
    write_scores(problem, run, ids, oof, problem.folds, np.clip(test, 0, 4)[:, None])
    evaluate(problem.home, "a", problem=problem, display=QUIET)
    material = gather(problem.home)
    view = spread_view(material, "a")
    assert view is not None
    assert view["decision"]["is_fitted"]
    assert 'class="cut"' in view["decision"]["charts"][0]["plot"]
    assert view["decision"]["runs"][0]["kind"] == "fitted"
