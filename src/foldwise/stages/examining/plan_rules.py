"""Rules on `plan.yaml`: recipes, folds, blends, what is submitted."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np

from foldwise import parts
from foldwise.blending import BLENDS
from foldwise.errors import ConfigError
from foldwise.home import Home
from foldwise.stages.examining.cases import PlanCase
from foldwise.stages.examining.finding import Fault, error, warning
from foldwise.stages.examining.questions import wrong_questions
from foldwise.stages.joining.outside_scores import is_outside


def recipe_file(case: PlanCase) -> Iterator[Fault]:
    """A recipe of the plan has no file."""
    home = case.ground.home
    known = sorted(path.stem for path in home.recipes.glob("*.yaml"))
    for name in case.plan.recipes:
        if not home.recipe(name).is_file():
            yield error(
                f"recipes.{name}", f"there is no {home.recipe(name).name}" + _near(name, known)
            )


def rare_class(case: PlanCase) -> Iterator[Fault]:
    """There are more folds than groups, or rows, of the rarest class."""
    ground, wanted = case.ground, case.plan.folds.count
    if ground.target is None or ground.counts is None or ground.folds is not None:
        return
    if case.plan.folds.scheme in ("group", "time_blocks", "column"):
        return
    groups = ground.groups
    if groups is not None and len(set(groups.tolist())) < 2:
        return  # The rule group-values says so.
    for index, name in enumerate(ground.competition.classes):
        held = ground.target[:, index] > 0 if ground.target.ndim == 2 else ground.target == index
        units = int(held.sum()) if groups is None else len(set(groups[held].tolist()))
        if 0 < units < wanted:
            what = "rows" if groups is None else "groups"
            yield warning(
                "folds.count",
                f"{wanted} folds, and class {name} has {units} {what} only: it is missing from "
                "some folds, or there will be fewer",
                f"use folds.count: {max(2, units)}",
            )


def leaking_groups(case: PlanCase) -> Iterator[Fault]:
    """Rows of one group lie in several folds."""
    ground, column = case.ground, case.plan.folds.column
    groups = ground.groups
    if groups is None or ground.train is None:
        return
    names = ", ".join(ground.competition.columns.group)
    if ground.folds is not None:
        if num := _num_split(groups, ground.folds):
            yield warning(
                "folds.scheme",
                f"{num} groups of {names} have rows in several folds of folds.csv: scores will be "
                "too good",
                "delete folds.csv and runs/ to make folds anew",
            )
        return
    if case.plan.folds.scheme != "column" or f"cell:{column}" not in ground.train.frame:
        return
    if num := _num_split(groups, np.array(ground.train.cells(str(column)), dtype=object)):
        yield warning(
            "folds.column",
            f"{num} groups of {names} have rows under several values of {column!r}: scores will "
            "be too good",
            "use scheme: auto, or take the group column out if it does not matter",
        )


def fold_column(case: PlanCase) -> Iterator[Fault]:
    """The folds' scheme needs a column that is not there."""
    folds, ground = case.plan.folds, case.ground
    if folds.scheme == "time_blocks" and ground.competition.columns.order is None:
        yield error(
            "folds.scheme", "time_blocks needs columns.order in competition.yaml", "name it there"
        )
    has_groups = bool(ground.competition.columns.group) or folds.duplicates == "group"
    if folds.scheme in ("group", "stratified_group") and not has_groups:
        yield error("folds.scheme", f"{folds.scheme}: there is no group column", "use auto")
    if folds.scheme == "column":
        table = ground.tables.get("train")
        assert folds.column is not None
        if table is not None and folds.column not in table.frame.columns:
            yield error(
                "folds.column",
                f"{table.path.name} has no column {folds.column!r}"
                + _near(folds.column, table.frame.columns),
            )


def blend_member(case: PlanCase) -> Iterator[Fault]:
    """A member of a blend is no recipe, run or pair of score files, or stands there twice."""
    for name, blend in case.plan.blends.items():
        key = f"blends.{name}.members"
        members = () if blend.members == "all" else blend.members
        for member in members:
            if member == name:
                yield error(key, f"the blend {name} cannot be a member of itself")
            elif is_outside(member):
                if problem := _outside_problem(case.ground.home, member):
                    yield error(key, problem, "paths start here, or in the competition's folder")
            elif member.removesuffix("/reference") not in case.runs:
                yield error(key, f"{member} is no recipe, run or file" + _near(member, case.runs))
        if len(set(members)) < len(members):
            yield error(key, f"{', '.join(members)} names a member twice", "name each once")


def blend_gate(case: PlanCase) -> Iterator[Fault]:
    """A gate stands where nothing is gated."""
    masks = case.ground.competition.masks
    for name, blend in case.plan.blends.items():
        if blend.gate is not None and (masks is None or masks.exclusive):
            why = "every pixel has a class" if masks is not None else "no masks are asked for"
            found = f"{blend.gate}: {why}, so nothing is gated"
            yield error(f"blends.{name}.gate", found, "take it out")


def wrong_question(case: PlanCase) -> Iterator[Fault]:
    """A gate, a member or what is submitted answers another question than it has to."""
    for wrong in wrong_questions(case.ground.home, case.plan, case.recipes):
        yield error(wrong.key, wrong.found, wrong.remedy)


def blend_name(case: PlanCase) -> Iterator[Fault]:
    """A blend has a recipe's name: both would write one run."""
    for name in case.plan.blends:
        if name in case.plan.recipes:
            yield error(
                f"blends.{name}", "is a recipe's name, too: both would write one run", "rename it"
            )


def blend_method(case: PlanCase) -> Iterator[Fault]:
    """A way to blend is unknown, or has no such option."""
    for name, blend in case.plan.blends.items():
        try:
            parts.bind(BLENDS, blend.method, what="blend method", code=case.ground.home.code)
        except ConfigError as problem:
            yield error(f"blends.{name}.method", "; ".join(problem.problems), problem.remedy)


def submit_run(case: PlanCase) -> Iterator[Fault]:
    """What is to be submitted will not be there."""
    wanted = case.plan.submit
    if wanted != "best" and wanted.removesuffix("/reference") not in case.runs:
        yield error(
            "submit", f"{wanted} is no recipe, blend or run" + _near(wanted, {"best", *case.runs})
        )


def _num_split(groups: np.ndarray, folds: np.ndarray) -> int:
    """Groups with rows in several folds."""
    pairs = set(zip(groups.tolist(), folds.tolist(), strict=True))
    return sum(count > 1 for count in Counter(group for group, _ in pairs).values())


def _outside_problem(home: Home, spec: str) -> str:
    """Why a pair of score files cannot be read; empty if it may."""
    names = [name.strip() for name in spec.split(",")]
    if len(names) != 2:
        return f"{spec}: wanted two files, as in oof.csv,test.csv"
    folders = (Path(), home.path, (home.path / names[0]).parent)
    absent = [name for name in names if not any((f / name).is_file() for f in folders)]
    return f"{', '.join(absent)}: no such file" if absent else ""


def _near(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known: {', '.join(sorted(known)) or 'none'}"


RULES: dict[str, Callable[[PlanCase], Iterator[Fault]]] = {
    "recipe-file": recipe_file,
    "rare-class": rare_class,
    "leaking-groups": leaking_groups,
    "fold-column": fold_column,
    "blend-member": blend_member,
    "blend-gate": blend_gate,
    "wrong-question": wrong_question,
    "blend-name": blend_name,
    "blend-method": blend_method,
    "submit-run": submit_run,
}
