from __future__ import annotations

from pathlib import Path

import pytest

from foldwise.stages.evaluate import evaluate
from foldwise.stages.pick import pick
from foldwise.stages.report import report
from foldwise.stages.reporting.material import gather
from foldwise.stages.reporting.picks_view import picks_view
from foldwise.tasks.problem import Problem
from tests.stages.small_competition import QUIET, make_problem, write_run


@pytest.fixture
def three(tmp_path: Path) -> Problem:
    problem = make_problem(tmp_path, thumbs=False)
    for seed, name in enumerate("abc"):
        write_run(problem, name, noise=0.6 + 0.1 * seed, seed=seed)
        evaluate(problem.home, name, problem=problem, display=QUIET)
    return problem


def test_one_run_leaves_nothing_to_choose(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "a")
    evaluate(problem.home, "a", problem=problem, display=QUIET)
    assert picks_view(gather(problem.home)) is None


def test_before_picking_a_line_says_what_would_do(three: Problem) -> None:
    view = picks_view(gather(three.home))
    assert view is not None
    assert view["state"] == "absent"
    text = report(three.home, display=QUIET).read_text(encoding="utf-8")
    assert "Which 2 submissions to end with: <code>foldwise pick</code>" in text
    assert "Final picks" not in text


def test_the_picks_come_with_reasons_other_rules_and_the_shake_up(three: Problem) -> None:
    found = pick(three.home, problem=three, display=QUIET)
    view = picks_view(gather(three.home))
    assert view is not None
    assert view["state"] == "there"
    assert view["picks"] == found["picks"]
    assert [row["title"] for row in view["sets"]] == ["these picks", "best by cv"]
    expected = [row["private"]["expected"] for row in view["rows"]]
    assert expected == sorted(expected, reverse=True)
    assert sum("point b" in row["plot"] for row in view["rows"]) == 2
    text = report(three.home, display=QUIET).read_text(encoding="utf-8")
    assert '<section id="picks">' in text
    assert "Shake-up" in text


@pytest.mark.parametrize(("name", "said"), [("d", "d is new"), ("a", "a has changed since")])
def test_picks_made_from_other_runs_are_out_of_date(three: Problem, name: str, said: str) -> None:
    pick(three.home, problem=three, display=QUIET)
    write_run(three, name, seed=9)
    evaluate(three.home, name, problem=three, display=QUIET)
    view = picks_view(gather(three.home))
    assert view is not None
    assert (view["state"], view["reason"]) == ("outdated", said)
