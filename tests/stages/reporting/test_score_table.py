from __future__ import annotations

from pathlib import Path

from foldwise.stages.evaluate import evaluate
from foldwise.stages.reporting.material import gather
from foldwise.stages.reporting.score_table import score_table
from tests.stages.small_competition import QUIET, make_problem, write_run


def test_runs_stand_best_first_and_optimistic_ones_are_hollow(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "honest", noise=0.8)
    write_run(problem, "peeked", noise=0.6, train={"stop": "validation"})
    for name in ("honest", "peeked"):
        evaluate(problem.home, name, problem=problem, display=QUIET)
    view = score_table(gather(problem.home).scored, "honest")
    assert view is not None
    first, second = view["rows"][:2]
    assert (first["label"], second["label"]) == ("peeked", "honest")
    assert "hollow" in first["plot"]
    assert "hollow" not in second["plot"]


def test_the_score_of_the_submitted_run_is_marked_in_every_row(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "a")
    evaluate(problem.home, "a", problem=problem, display=QUIET)
    material = gather(problem.home)
    marked, plain = score_table(material.scored, "a"), score_table(material.scored, None)
    assert marked is not None
    assert plain is not None
    assert all('class="rule"' in row["plot"] for row in marked["rows"])
    assert not any('class="rule"' in row["plot"] for row in plain["rows"])


def test_few_groups_leave_a_score_without_interval(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, group_size=12, thumbs=False)
    write_run(problem, "a")
    evaluate(problem.home, "a", problem=problem, display=QUIET)
    view = score_table(gather(problem.home).scored, "a")
    assert view is not None
    assert view["rows"][0]["interval"] is None
    assert "span" not in view["rows"][0]["plot"]
