from __future__ import annotations

from pathlib import Path

import pytest

from foldwise.json_files import read_json
from foldwise.stages.evaluate import evaluate
from foldwise.stages.report import report
from foldwise.stages.reporting.over_time_view import over_time_view

from ..ordered_competition import ordered_problem, wavering_run
from ..small_competition import QUIET


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 200)
    monkeypatch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)


def test_steps_are_told_with_their_gain_and_what_was_fitted(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path, steps=["moving_average", "hysteresis"], metric="macro_f1")
    run = wavering_run(problem)
    scores = evaluate(problem.home, "a", problem=problem, display=QUIET)
    found = over_time_view(scores["decision"]["over_time"], read_json(run.decision), "frame")
    assert found is not None
    assert found["sentences"][0].startswith("moving average: used; win cross-fitted: +")
    assert [row["name"] for row in found["plots"]["rows"]] == ["moving average", "hysteresis"]
    assert found["lines"][0]["name"] == "moving average: reach (frame)"
    page = report(problem.home, display=QUIET).read_text()
    assert "Over time" in page
    assert "moving average: reach (frame)" in page
    assert "Scored on the rows they were fitted to" in page


def test_where_nothing_is_cut_the_page_tells_of_steps_over_time_alone(tmp_path: Path) -> None:
    problem = ordered_problem(tmp_path, task="regression", steps=["median"])
    wavering_run(problem)
    evaluate(problem.home, "a", problem=problem, display=QUIET)
    page = report(problem.home, display=QUIET).read_text()
    assert "Median: not used; do not win cross-fitted" in page


def test_without_steps_over_time_there_is_nothing_to_tell() -> None:
    assert over_time_view([], {"steps": [], "folds": {}}, "frame") is None
