from __future__ import annotations

from typing import Any

from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.stages.replaying.rebuilding import needed_runs
from foldwise.stages.submitting.provenance import MadeRun, Provenance


def trained(**recipe: Any) -> MadeRun:
    values = {"model": {"name": "small_cnn"}, **recipe}
    resolved = from_values(values, Recipe, source="test").model_dump(mode="json")
    return MadeRun({"kind": "recipe", "recipe": resolved}, {}, {"fold0-seed0": {}})


def blended(*members: str) -> MadeRun:
    return MadeRun({"kind": "blend", "members": [{"name": name} for name in members]}, {}, {})


#: A blend of a network, its frozen head and a student, whose teacher is a blend of two others.
MADE = Provenance(
    run="mix",
    competition={},
    materials={},
    tables={},
    runs={
        "c": trained(),
        "d": trained(),
        "teacher": blended("c", "d"),
        "student": trained(pseudo={"run": "teacher"}),
        "b": trained(),
        "b/reference": MadeRun({"kind": "reference"}, {}, {}),
        "mix": blended("student", "b/reference", "oof.csv,test.csv"),
        "oof.csv,test.csv": MadeRun({"kind": "files"}, {}, {}),
    },
    machine={},
)


def test_members_and_what_a_reference_belongs_to_are_needed() -> None:
    wanted = {"mix", "student", "b/reference", "b", "oof.csv,test.csv"}
    assert needed_runs(MADE, {}) == wanted


def test_a_teacher_is_needed_only_for_a_student_that_is_trained_again() -> None:
    assert needed_runs(MADE, {"c": ["fold0-seed0"]}) == needed_runs(MADE, {})
    assert needed_runs(MADE, {"student": ["fold0-seed0"]}) == set(MADE.runs)
