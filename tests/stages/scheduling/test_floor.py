"""The first file of a limited run: valid, honest about what it is, and soon replaced."""

from __future__ import annotations

import json
from pathlib import Path

from foldwise.stages.prepare import prepare
from foldwise.stages.replay import replay
from foldwise.stages.scheduling.floor import FLOOR, hand_in_floor, stands_on_floor
from foldwise.stages.split import split
from foldwise.stages.submit import check_submission, submit
from foldwise.tasks.problem import open_problem
from tests.builders import SMALL, make_home
from tests.stages.small_competition import QUIET, make_problem, write_run


def test_any_finished_fold_takes_the_place_of_the_floor(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    home = problem.home
    assert stands_on_floor(home)
    hand_in_floor(problem, QUIET)
    assert check_submission(home, home.submission) == []
    assert stands_on_floor(home)
    scores = json.loads(home.run(FLOOR).scores.read_text("utf-8"))
    assert "no network" in scores["how"]["sentence"]
    write_run(problem, "a", folds=(0,), noise=3.0)
    submit(home, "a", problem=problem, display=QUIET)
    assert not stands_on_floor(home)


def test_what_is_handed_in_already_stays(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, thumbs=False)
    write_run(problem, "a")
    submit(problem.home, "a", problem=problem, display=QUIET)
    before = problem.home.submission.read_bytes()
    hand_in_floor(problem, QUIET)
    assert problem.home.submission.read_bytes() == before
    assert not problem.home.run(FLOOR).path.exists()


def test_it_can_be_made_again(tmp_path: Path) -> None:
    home = make_home(tmp_path, recipes={"a": SMALL}, num_train=24)
    prepare(home)
    split(home)
    hand_in_floor(open_problem(home), QUIET)
    assert replay(home, FLOOR, display=QUIET).is_same
