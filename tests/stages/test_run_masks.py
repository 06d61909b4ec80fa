"""`run` on masks: a segmenter, a classifier of the same samples, and the pair of them as a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foldwise import predictions as predictions_file
from foldwise.config.writing import write_yaml
from foldwise.errors import ConfigError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.doctor import doctor
from foldwise.stages.run import run
from foldwise.stages.submitting.ledger import read_ledger
from tests.builders import SMALL
from tests.stages.small_competition import QUIET
from tests.stages.small_masks import masks_home

PLAN: dict[str, Any] = {
    "recipes": {"a": {}, "g": {}},
    "folds": {"count": 3},
    "blends": {"pair": {"members": ["a"], "gate": "g"}},
    "parallel": 1,
}


def start(folder: Path, plan: dict[str, Any] = PLAN, **changes: Any) -> Home:
    home = masks_home(folder, **changes)
    write_yaml(home.recipe("g"), {**SMALL, "target": "presence"})
    write_yaml(home.plan, plan, overwrite=True)
    return home


@pytest.mark.slow
def test_a_plan_with_a_gate_is_run_to_the_end(tmp_path: Path) -> None:
    home = start(tmp_path)
    done = run(home, display=QUIET)
    assert done.failed == {}
    assert home.submission.exists()
    pair = read_json(home.run("pair").record)
    assert pair["gate"]["name"] == "g"
    assert [member["name"] for member in pair["members"]] == ["a"]
    assert predictions_file.read(home.run("pair").test).scores.gates is not None
    assert {entry.facts["run"] for entry in read_ledger(home)} <= {"a", "pair"}
    assert home.report.exists()


def findings(home: Home) -> list[str]:
    return [f"{each.rule}: {each}" for each in doctor(home, trial=False, display=QUIET)]


def test_the_doctor_is_content_with_a_gate(tmp_path: Path) -> None:
    assert findings(start(tmp_path)) == []


def test_a_gate_that_is_nowhere_is_found(tmp_path: Path) -> None:
    plan = {**PLAN, "blends": {"pair": {"members": ["a"], "gate": "gg"}}}
    (found,) = findings(start(tmp_path, plan))
    assert "gg is no recipe, run or blend of the plan" in found


@pytest.mark.plants("wrong-question")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"blends": {"pair": {"members": ["a"], "gate": "a"}}}, "a: says where classes are"),
        ({"blends": {"pair": {"members": ["a"], "gate": "pair"}}}, "pair is not blended yet"),
        ({"blends": {"both": {"members": ["a", "g"]}}}, "g: says which classes are in an image"),
        ({"submit": "g"}, "g: says which classes are in an image"),
    ],
)
def test_runs_that_answer_something_else_are_found_before_work(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    home = start(tmp_path, {**PLAN, **changes})
    (found,) = findings(home)
    assert found.startswith("wrong-question: ")
    assert words in found
    with pytest.raises(ConfigError, match=words):
        run(home, display=QUIET)
    assert not home.samples.exists()


def test_a_blend_of_gates_may_be_a_gate(tmp_path: Path) -> None:
    blends = {"both": {"members": ["g", "h"]}, "pair": {"members": ["a"], "gate": "both"}}
    home = start(tmp_path, {**PLAN, "recipes": {"a": {}, "g": {}, "h": {}}, "blends": blends})
    write_yaml(home.recipe("h"), {**SMALL, "target": "presence"})
    assert findings(home) == []


@pytest.mark.plants("blend-gate")
def test_a_gate_where_every_pixel_has_a_class_is_found(tmp_path: Path) -> None:
    found = findings(start(tmp_path, exclusive=True))
    (gated,) = [each for each in found if each.startswith("blend-gate: ")]
    assert "every pixel has a class, so nothing is gated" in gated
