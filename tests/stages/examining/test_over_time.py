from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foldwise.stages.examining.cases import Ground
from foldwise.stages.examining.finding import Fault
from foldwise.stages.examining.over_time import over_time, unproved_over_time

from ..ordered_competition import ordered_problem
from ..small_competition import make_problem


def ground(folder: Path, **changes: Any) -> Ground:
    problem = ordered_problem(folder, **changes)
    return Ground(problem.home, problem.competition, problem.task, {}, train=problem.train)


def test_sound_steps_over_time_are_left_alone(tmp_path: Path) -> None:
    case = ground(tmp_path)
    assert list(over_time(case)) == []
    assert list(unproved_over_time(case)) == []


@pytest.mark.plants("over-time")
def test_a_competition_without_sequences_is_told_what_it_lacks(tmp_path: Path) -> None:
    steps = {"over_time": {"steps": ["median"]}}
    problem = make_problem(tmp_path, thumbs=False, submission=steps)
    case = Ground(problem.home, problem.competition, problem.task, {}, train=problem.train)
    (fault,) = over_time(case)
    assert fault.level == "error"
    assert fault.key == "submission.over_time"
    assert "no columns.order" in fault.message


@pytest.mark.plants("over-time")
def test_steps_that_do_not_suit_the_task_are_told(tmp_path: Path) -> None:
    (fault,) = over_time(ground(tmp_path, task="regression", steps=["peaks"]))
    assert "labels that come and go" in fault.message


@pytest.mark.parametrize("decision", ["auto", "fitted"])
@pytest.mark.plants("unproved-over-time")
def test_too_few_groups_to_prove_a_gain_are_told(tmp_path: Path, decision: str) -> None:
    case = ground(tmp_path, submission={"decision": decision})
    assert case.train is not None
    few = case.train.take(case.train.frame["cell:track"].isin(["track1", "track2"]).to_numpy())
    case = Ground(case.home, case.competition, case.task, {}, train=few)
    found: list[Fault] = list(unproved_over_time(case))
    assert [fault.level for fault in found] == ["warning"] * (decision == "auto")
    assert all("2 groups are fewer than 20" in fault.message for fault in found)
