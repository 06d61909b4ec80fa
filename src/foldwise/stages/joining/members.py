"""The members of a blend, chosen and checked for likeness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from foldwise.errors import DataError, FoldwiseError, RunError
from foldwise.json_files import read_json
from foldwise.maps.maps import Maps
from foldwise.stages.joining.member import Member, read_outside_member, read_run
from foldwise.stages.joining.outside_scores import is_outside
from foldwise.stages.recipes import load_plan
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.tasks.presence import PRESENCE
from foldwise.tasks.problem import Problem


@dataclass(frozen=True)
class Chosen:
    """The members of a blend on their common rows.

    Attributes:
        members: at least one, all with the same rows.
        left_out: name → why it is no member, where all runs of the plan were asked for.
    """

    members: tuple[Member, ...]
    left_out: dict[str, str]


def choose_members(
    problem: Problem,
    wanted: Sequence[str] | Literal["all"],
    *,
    blend: str,
    any_scale: bool = False,
) -> Chosen:
    """Read members and check that they can be blended.

    Args:
        problem: what they answer.
        wanted: runs, references (`b/reference`) or score files (`oof.csv,test.csv`); `all`: the
            plan's recipes that have scores, and of those the ones with the most complete folds.
        blend: the blend's own name.
        any_scale: scores from outside need not be probabilities or grades.

    Raises:
        RunError: named members that cannot be blended, each with the reason: no such run, other
            ids or folds, a fold missing, scores that are no numbers, out of range, or the same
            for every row; or nothing is left to blend.
    """
    is_all = wanted == "all"
    names = planned_members(problem) if is_all else list(wanted)
    problems: dict[str, str] = {}
    members = _read_all(problem, names, blend, any_scale, problems)
    _refuse_lacking(members, problems)
    members = [member for member in members if member.name not in problems]
    if problems and not is_all:
        raise RunError(
            *problems.values(), remedy="mend these members, or leave them out of the blend"
        )
    if not members:
        raise RunError(
            f"{blend}: nothing to blend", *problems.values(), remedy="train the members first"
        )
    return Chosen(tuple(_on_common_rows(members)), problems)


def planned_members(problem: Problem) -> list[str]:
    """The plan's recipes whose runs have out-of-fold scores of what is asked, in its order."""
    names = load_plan(problem.home).recipes
    runs = {name: problem.home.run(name) for name in names}
    return [
        name
        for name, run in runs.items()
        if run.oof.exists() and problem.is_asked_in(run.read_record())
    ]


def question_of(problem: Problem, wanted: Sequence[str] | Literal["all"]) -> Problem:
    """What the members answer: the competition's question, or which classes are in an image.

    Raises:
        RunError: some answer the one and some the other.
    """
    asked = {
        name: problem.asked_in(read_json(problem.home.run(name).record) or {})
        for name in ([] if wanted == "all" else wanted)
        if not is_outside(name)
    }
    others = [name for name, found in asked.items() if not found.is_handed_in]
    if others and len(others) < len(wanted):
        raise RunError(
            f"{', '.join(others)}: says which classes are in an image ({PRESENCE}), and the other "
            "members where they are",
            remedy="leave it out of the members; as gate of a blend it says what is answered",
        )
    return problem.presence if others else problem


def _read_all(
    problem: Problem,
    names: Sequence[str],
    blend: str,
    any_scale: bool,
    problems: dict[str, str],
) -> list[Member]:
    members: list[Member] = []
    for spec in names:
        try:
            member = _read(problem, spec, blend, any_scale)
        except FoldwiseError as error:
            problems[spec] = str(error)
            continue
        if member.name in {other.name for other in members}:
            problems[spec] = f"{spec}: is named twice"
            continue
        members.append(member)
    return members


def _read(problem: Problem, spec: str, blend: str, any_scale: bool) -> Member:
    if is_outside(spec):
        member = read_outside_member(problem, spec, any_scale=any_scale)
    else:
        member = read_run(problem, spec)
    if blend in [member.name, *member.facts["made_of"]]:
        raise RunError(f"{spec}: the blend {blend!r} cannot be a member of itself")
    for what, scores in (("out-of-fold", member.held.scores), ("test", member.test)):
        is_map = isinstance(scores, Maps)
        if is_map and scores.gates is not None:
            raise RunError(
                f"{spec}: is gated, and a mean of maps has no gates",
                remedy="blend its members, and name the gate of that blend",
            )
        if not is_map and len(scores) > 1 and not np.ptp(scores, axis=0).any():
            raise DataError(
                f"{spec}: its {what} scores are the same for every row, {_shown(scores[0])}",
                remedy="such a member only waters others down: leave it out, or predict it again",
            )
    return member


def _refuse_lacking(members: Sequence[Member], problems: dict[str, str]) -> None:
    """Name members that lack a fold which another one has."""
    every = {fold for member in members for fold in member.held.present_folds}
    for member in members:
        lacking = sorted(every - set(member.held.present_folds))
        if lacking:
            problems[member.name] = (
                f"{member.name}: lacks {_rows_of(member.held, lacking)}, which other members have"
            )
        elif not every:
            problems[member.name] = f"{member.name}: has no complete fold"


def _rows_of(held: HeldOut, folds: Sequence[int]) -> str:
    """What is missing of some folds, rows that are missing one by one with the first's id."""
    problem, parts = held.problem, []
    for fold in folds:
        rows = np.flatnonzero(problem.folds == fold)
        missing = rows[~np.isin(rows, held.rows)]
        if len(missing) == len(rows):
            parts.append(f"fold {fold}")
        else:
            first = problem.train.ids[missing[0]]
            parts.append(f"{len(missing)} rows of fold {fold}, such as {first}")
    return ", ".join(parts)


def _on_common_rows(members: Sequence[Member]) -> list[Member]:
    """All members on the complete folds, which are the same for all."""
    folds = members[0].held.present_folds
    return [member.among(np.isin(member.held.folds, folds)) for member in members]


def _shown(scores: np.ndarray) -> str:
    return ", ".join(f"{value:.4g}" for value in scores[:5]) + (" ..." if len(scores) > 5 else "")
