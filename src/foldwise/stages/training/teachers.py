"""What a fold's teacher says of the test rows: only models that have not seen that fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.blending.blend import Blend
from foldwise.blending.members import Members
from foldwise.config.recipe import Recipe
from foldwise.decide.decision import Decision
from foldwise.errors import RunError
from foldwise.json_files import read_json
from foldwise.rundir import RunDir
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.scoring.held_out import decision_of, ordered_columns
from foldwise.stages.scoring.how_got import how_got
from foldwise.tasks.presence import target_of
from foldwise.tasks.problem import Problem

if TYPE_CHECKING:
    from foldwise.stages.training.unit import Unit


def taught_scores(student: Unit) -> np.ndarray:
    """The teachers' scores of the test rows for a student of one fold and seed.

    Each teacher is its unit of that fold and seed; a blend merges those of its members by what
    was fitted without the fold. Several teachers are merged by the mean. For a student that is
    trained on all rows it is the mean over all folds.

    Returns:
        (M, C) float64 on the common scale, in the order of the problem's test rows.

    Raises:
        RunError: a teacher is not trained, or cannot be taken apart by folds.
    """
    return _mean([_scores(student, name) for name in student.recipe.teachers])


def taught_decision(student: Unit) -> Decision:
    """From the teachers' scores to labels, by nothing that was fitted to the student's fold.

    One run or blend has decisions that were fitted without each fold; several together have the
    task's fixed one.

    Raises:
        RunError, DataError: its out-of-fold scores cannot be read.
    """
    problem, names = student.problem, student.recipe.teachers
    if len(names) > 1:
        return problem.default_decision()
    _check_asked(student, names[0], problem.home.run(names[0]).read_record())
    decided = read_decided(problem, problem.home.run(names[0]))
    folds = set(decided.folds.tolist())
    if student.fold is None or student.fold not in folds:
        return decided.decision
    if folds == {student.fold} and decided.decision.is_fitted:
        raise RunError(
            f"{names[0]}: its decision is fitted to fold {student.fold}, the only one there is",
            remedy=f"train more folds of {names[0]}, or use submission.decision: fixed",
        )
    return decided.without(student.fold)


def _scores(student: Unit, name: str) -> np.ndarray:
    problem = student.problem
    run = problem.home.run(name)
    record = run.read_record()
    _check_asked(student, name, record)
    _check_honest(problem, run, record)
    if record["kind"] == "blend":
        return _blended(student, run, record)
    found = []
    for unit in _units(student, run, record):
        is_reference = record["kind"] == "reference"
        path = unit.folder.reference_test if is_reference else unit.folder.test
        part = ordered_columns(predictions_file.read(path), problem.columns, name=unit.name)
        found.append(part.align(problem.test.ids, name=unit.name).scores)
    return _mean(found)


def _check_asked(student: Unit, name: str, record: Mapping[str, Any]) -> None:
    if target_of(record) != student.recipe.target:
        raise RunError(
            f"{name}: was asked something else than {student.run.name}, which it is to teach",
            remedy="name a run with the same target in its recipe",
        )


def _check_honest(problem: Problem, run: RunDir, record: Mapping[str, Any]) -> None:
    if record["kind"] == "outside":
        raise RunError(
            f"{run.name}: its scores are from outside: nobody knows which models they come from, "
            "so they may tell of the fold that is held out",
            remedy="name runs of recipes, or blends of such runs",
        )
    how = how_got(run, record, decision_of(problem, record))
    if how["got"] != "cross-fitted":
        raise RunError(
            f"{run.name}: cannot label rows for others: its score is {how['got']}, "
            f"{how['sentence']}",
            remedy="name a run of which nothing was chosen or fitted on the held-out fold",
        )


def _blended(student: Unit, run: RunDir, record: Mapping[str, Any]) -> np.ndarray:
    stored = read_json(run.blend)
    if "without" not in stored:
        raise RunError(
            f"{run.name} was blended by an older foldwise, which kept no weights by fold",
            remedy="blend it again: `foldwise blend`, or `foldwise run` for those of the plan",
        )
    # Where no fold has a blend of its own, all were alike, or the fold had no part in this one.
    blend = Blend.from_json(stored["without"].get(str(student.fold), stored))
    if blend.takes == "votes":
        raise RunError(
            f"{run.name} blends decided answers, which say nothing of new rows by themselves",
            remedy="name a blend of scores as teacher, or its members",
        )
    members = [_scores(student, member["name"]) for member in record["members"]]
    return blend.apply(Members(np.stack(members)))


def _units(student: Unit, run: RunDir, record: Mapping[str, Any]) -> list[Unit]:
    """The units of a run whose test scores are its fold's; of all folds for a student on all rows.

    Raises:
        RunError: one is not trained, or has not scored the test rows there are now.
    """
    recipe = Recipe.model_validate(record["recipe"])
    own = RunDir(run.path.parent) if record["kind"] == "reference" else run
    folds = [student.fold]
    if student.fold is None:
        every = sorted(set(student.problem.folds.tolist()))
        folds = every if recipe.folds == "all" else list(recipe.folds)
    units = [
        replace(student, recipe=recipe, run=own, fold=fold, epochs=record["epochs"])
        for fold in folds
    ]
    for unit in units:
        if not unit.is_scored():
            what = "the test rows are not scored" if unit.is_done() else "is not trained"
            raise RunError(
                f"{unit.name}, which labels the test rows: {what}",
                remedy=f"run `foldwise train {own.name}` with fold {unit.fold} and seed "
                f"{unit.seed} first",
            )
    return units


def _mean(parts: Sequence[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.mean(parts, axis=0)
