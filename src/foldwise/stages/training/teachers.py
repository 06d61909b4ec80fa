"""What a fold's teacher says of the test rows: only models that have not seen that fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.blending.blend import Blend
from foldwise.blending.members import Members
from foldwise.config.recipe import Recipe
from foldwise.decide.decision import Decision
from foldwise.errors import RunError
from foldwise.rundir import RunDir, read_json
from foldwise.stages.scoring.deciding import read_decided
from foldwise.stages.scoring.held_out import decision_of, ordered_columns
from foldwise.stages.scoring.how_got import how_got
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


def teacher_units(student: Unit, name: str) -> list[Unit]:
    """The units whose test scores a teacher's are made of, members of blends included.

    Raises:
        RunError: there is no such run, or it has no units.
    """
    run = student.problem.home.run(name)
    record = run.read_record()
    if record["kind"] == "blend":
        return [unit for one in record["members"] for unit in teacher_units(student, one["name"])]
    if record["kind"] not in ("recipe", "reference"):
        raise RunError(
            f"{name} is of kind {record['kind']}: nobody knows which models its test scores come "
            "from, so they may know the fold that is held out",
            remedy="name runs of recipes, or blends of such runs",
        )
    recipe = Recipe.model_validate(record["recipe"])
    own = RunDir(run.path.parent) if record["kind"] == "reference" else run
    return [
        replace(student, recipe=recipe, run=own, fold=fold, epochs=record["epochs"])
        for fold in _folds(student, recipe)
    ]


def _folds(student: Unit, recipe: Recipe) -> Sequence[int]:
    if student.fold is not None:
        return [student.fold]
    every = sorted(set(student.problem.folds.tolist()))
    return every if recipe.folds == "all" else list(recipe.folds)


def _scores(student: Unit, name: str) -> np.ndarray:
    problem = student.problem
    run = problem.home.run(name)
    _check_honest(problem, run)
    if run.read_record()["kind"] == "blend":
        return _blended(student, run)
    units = teacher_units(student, name)
    _check_scored(units)
    is_reference = units[0].run != run
    found = []
    for unit in units:
        path = unit.folder.reference_test if is_reference else unit.folder.test
        part = ordered_columns(predictions_file.read(path), problem.columns, name=unit.name)
        found.append(part.align(problem.test.ids, name=unit.name).scores)
    return _mean(found)


def _blended(student: Unit, run: RunDir) -> np.ndarray:
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
    members = run.read_record()["members"]
    return blend.apply(Members(np.stack([_scores(student, each["name"]) for each in members])))


def _check_honest(problem: Problem, run: RunDir) -> None:
    record = run.read_record()
    how = how_got(run, record, decision_of(problem, record))
    if how["got"] != "cross-fitted":
        raise RunError(
            f"{run.name}: cannot label rows for others: its score is {how['got']}, "
            f"{how['sentence']}",
            remedy="name a run of which nothing was chosen or fitted on the held-out fold",
        )


def _check_scored(units: Sequence[Unit]) -> None:
    lacking = [unit for unit in units if not unit.is_scored()]
    if lacking:
        unit = lacking[0]
        what = "the test rows are not scored" if unit.is_done() else "is not trained"
        raise RunError(
            f"{unit.name}, which labels the test rows: {what}",
            remedy=f"run `foldwise train {unit.run.name}` with fold {unit.fold} and seed "
            f"{unit.seed} first",
        )


def _mean(parts: Sequence[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.mean(parts, axis=0)
