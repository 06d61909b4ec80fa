"""Runs that label test rows for others: checked before work, and heard before students train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from foldwise.config.plan import BlendConfig
from foldwise.config.recipe import Recipe
from foldwise.errors import ConfigError, FoldwiseError, RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.display import Display
from foldwise.stages.predict import predict
from foldwise.stages.recipes import Places, joined
from foldwise.stages.training.extra import Taken
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import Problem

_MAX_LABELS = 40


def check_teachers(
    home: Home,
    name: str,
    recipe: Recipe,
    places: Places,
    *,
    recipes: Mapping[str, Recipe] | None = None,
    blends: Mapping[str, BlendConfig] | None = None,
) -> None:
    """Check that the runs that label test rows for a recipe are there, and do not learn from it.

    Args:
        home: the competition.
        name: of the recipe's run.
        recipe: resolved.
        places: where its keys stand.
        recipes: of the plan, whatever their order.
        blends: of the plan.

    Raises:
        ConfigError: some are not, do, or have chosen something on the fold they hold out.
    """
    chain = _Chain(home, recipes or {}, blends or {})
    found: list[ConfigError] = []
    for teacher in recipe.teachers:
        try:
            chain.check(teacher, name)
        except FoldwiseError as problem:
            found.append(places.error("pseudo.run", problem))
    if found:
        raise joined(found)


class _Chain:
    """What runs are made of: those of the plan, and those that are there."""

    def __init__(
        self, home: Home, recipes: Mapping[str, Recipe], blends: Mapping[str, BlendConfig]
    ) -> None:
        self._home, self._recipes, self._blends = home, recipes, blends

    def check(self, teacher: str, student: str) -> None:
        known = {*self._recipes, *self._blends, *self._home.run_names()}
        if teacher not in known:
            is_recipe = self._home.recipe(teacher).is_file()
            raise RunError(
                f"there is no run {teacher!r} to label test rows",
                remedy=f"train it first: foldwise train {teacher}"
                if is_recipe
                else f"known: {', '.join(sorted(known)) or 'none'}",
            )
        made_of = self._every(teacher)
        if student in made_of:
            raise RunError(
                f"{teacher} is made of {student} itself: what a run learns cannot come from it",
                remedy="name a run that does not need it; another generation is another recipe",
            )
        for name in made_of:
            if name in self._recipes and self._recipes[name].train.stop == "validation":
                raise RunError(
                    f"the epoch of {name} is chosen on the held-out fold itself (stop: "
                    "validation), of which its labels would tell",
                    remedy="use train.stop: fixed, inner or cross there, or another teacher",
                )

    def _every(self, name: str) -> set[str]:
        found: set[str] = set()
        waiting = [name]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += self._direct(one)
        return found

    def _direct(self, name: str) -> Sequence[str]:
        if name in self._blends:
            members = self._blends[name].members
            return [*self._recipes] if members == "all" else [_run_of(m) for m in members]
        if name in self._recipes:
            return [*self._recipes[name].sources, *self._recipes[name].teachers]
        record = read_json(self._home.runs / name / "run.json") or {}
        if record.get("kind") == "recipe":
            recipe = Recipe.model_validate(record["recipe"])
            return [*recipe.sources, *recipe.teachers]
        return [_run_of(member["name"]) for member in record.get("members", [])]


def _run_of(member: str) -> str:
    return member.removesuffix("/reference")


def teach(units: Sequence[Unit], *, display: Display) -> tuple[list[Unit], dict[str, str]]:
    """Find the extra rows of units that are to be trained, and show them.

    Args:
        units: to be trained; those without extra rows pass through.
        display: where rows by label and fold are shown.

    Returns:
        Units that can be trained, as new objects since what they are made from may have changed;
        and unit → why it cannot be.
    """
    fresh = [unit.again() if unit.recipe.has_extra_rows else unit for unit in units]
    asking = [unit for unit in fresh if unit.recipe.has_extra_rows]
    merge_teachers(asking)
    refused: dict[str, str] = {}
    taken: dict[str, dict[str, list[tuple[Unit, Taken]]]] = {}
    for unit in asking:
        try:
            found = unit.taken
        except FoldwiseError as problem:
            refused[unit.name] = str(problem)
            continue
        for each in found if not unit.is_done() else ():
            taken.setdefault(unit.run.name, {}).setdefault(each.name, []).append((unit, each))
    for run, kinds in taken.items():
        for kind, rows in kinds.items():
            display.say(f"{run}: {_heading(kind, rows[0][0], rows[0][1])}")
            display.say(_table(rows).to_string())
    return [unit for unit in fresh if unit.name not in refused], refused


def merge_teachers(students: Sequence[Unit]) -> None:
    """Merge the scores of single teachers, whose decisions are read from them.

    Args:
        students: of one competition; those that nobody teaches ask for nothing.
    """
    alone = {unit.recipe.teachers[0] for unit in students if len(unit.recipe.teachers) == 1}
    for name in sorted(alone):
        problem = students[0].problem
        record = read_json(problem.home.new_run(name).record) or {}
        if record.get("kind") == "recipe":
            try:
                predict(problem.home, name, problem=problem)
            except RunError:  # Of no fold there is anything; each student says so.
                continue


def _heading(kind: str, unit: Unit, taken: Taken) -> str:
    weight = f"weight {float(taken.rows.weight[0]):g}"
    pseudo = unit.recipe.pseudo
    if kind != "pseudo" or pseudo is None:
        return f"rows of external {kind} ({weight})"
    return (
        f"test rows labelled by {', '.join(pseudo.runs)} without the fold they are trained for "
        f"({pseudo.labels} labels, {weight})"
    )


def _table(rows: Sequence[tuple[Unit, Taken]]) -> pd.DataFrame:
    """Rows by label, and what was left out, a column for each unit."""
    columns = {unit.folder.name: _counts(unit.problem, taken) for unit, taken in rows}
    table = pd.DataFrame(columns).fillna(0)
    if (table == table.round()).all(axis=None):
        table = table.astype(int)
    return table.head(_MAX_LABELS) if len(table) > 2 * _MAX_LABELS else table


def _counts(problem: Problem, taken: Taken) -> dict[str, float]:
    target = taken.rows.target
    dropped = {f"left out, {reason}": num for reason, num in taken.dropped.items() if num}
    every = {"rows taken": len(target), **dropped}
    if not problem.task.has_classes:
        return {**every, "mean label": round(float(np.mean(target)), 4)}
    hot = target if target.ndim == 2 else np.eye(problem.num_classes, dtype=int)[target]
    by_label = zip(problem.competition.classes, hot.sum(axis=0).tolist(), strict=True)
    return {**every, **dict(by_label)}
