"""Members of a blend: runs, references and score files from outside, checked for likeness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from foldwise import predictions as predictions_file
from foldwise.errors import DataError, FoldwiseError, RunError
from foldwise.predictions import Predictions
from foldwise.rundir import Home
from foldwise.stages.joining.outside_scores import is_outside, read_outside
from foldwise.stages.recipes import load_plan
from foldwise.stages.scoring.held_out import (
    HeldOut,
    decision_of,
    file_hash,
    ordered_columns,
    read_held_out,
    run_label,
)
from foldwise.stages.scoring.how_got import how_got
from foldwise.tasks.problem import Problem


@dataclass(frozen=True)
class Member:
    """What is blended.

    Attributes:
        held: out-of-fold scores with the member's own decision.
        test: (M, C) float64 scores of the problem's test rows, in their order.
        facts: for the blend's record: `name`, `kind`, `how` its score was got, hashes `oof` and
            `test`, `commit`, names it is `made_of`, `notes`; `formulation` and `backbone`, None
            where they are not known; `on_common_scale`, or of any scale.
    """

    held: HeldOut
    test: np.ndarray
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        """The run's name, or the path of the out-of-fold file."""
        return self.held.name


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
    names = planned_members(problem.home) if is_all else list(wanted)
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


def planned_members(home: Home) -> list[str]:
    """The plan's recipes whose runs have out-of-fold scores, in the plan's order."""
    return [name for name in load_plan(home).recipes if home.run(name).oof.exists()]


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
        if len(scores) > 1 and not np.ptp(scores, axis=0).any():
            raise DataError(
                f"{spec}: its {what} scores are the same for every row, {_shown(scores[0])}",
                remedy="such a member only waters others down: leave it out, or predict it again",
            )
    return member


def read_run(problem: Problem, name: str) -> Member:
    """A run, a blend or a reference as member.

    Raises:
        RunError, DataError: as `read_held_out`, or test rows have no scores.
    """
    run = problem.home.run(name)
    record = run.read_record()
    held = read_held_out(problem, run)
    label = run_label(problem.home, run)
    test = ordered_columns(predictions_file.read(run.test), problem.columns, name=f"{label} (test)")
    return Member(
        held,
        _aligned(problem, test, f"{label} (test)"),
        {
            "name": label,
            "kind": record["kind"],
            "how": how_got(run, record, decision_of(problem, record))["got"],
            "oof": file_hash(run.oof),
            "test": file_hash(run.test),
            "commit": record.get("commit"),
            "made_of": _made_of(record),
            "notes": [],
            **_make(problem, record),
            "on_common_scale": True,
        },
    )


def read_outside_member(problem: Problem, spec: str, *, any_scale: bool = False) -> Member:
    """A pair of score files as member.

    Raises:
        RunError, DataError: as `read_outside`.
    """
    found = read_outside(problem, spec, any_scale=any_scale)
    return Member(
        found.held,
        _aligned(problem, found.test, found.test_name),
        {
            "name": found.held.name,
            "kind": "outside",
            # Only a recorded fold says that a row was held out; else it is a word to be trusted.
            "how": "cross-fitted" if found.has_folds else "unknown",
            "oof": found.hashes[0],
            "test": found.hashes[1],
            "commit": None,
            "made_of": [],
            "notes": list(found.notes),
            "formulation": None,
            "backbone": None,
            "on_common_scale": found.on_common_scale,
        },
    )


def _make(problem: Problem, record: Mapping[str, Any]) -> dict[str, str | None]:
    """Formulation and backbone of a recipe's run; a blend or a reference has none of its own."""
    if record["kind"] != "recipe":
        return {"formulation": None, "backbone": None}
    recipe = record["recipe"]
    return {
        "formulation": recipe["formulation"] or problem.task.default_formulation,
        "backbone": recipe["model"]["name"],
    }


def _made_of(record: Mapping[str, Any]) -> list[str]:
    """Names of all members, and of theirs, below a blend."""
    members = record.get("members", [])
    return [name for member in members for name in (member["name"], *member["made_of"])]


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
    return [Member(m.held.among(np.isin(m.held.folds, folds)), m.test, m.facts) for m in members]


def _aligned(problem: Problem, test: Predictions, name: str) -> np.ndarray:
    """(M, C) finite scores of the problem's test rows, in their order.

    Raises:
        DataError: ids missing, or there more than once; scores that are no numbers.
    """
    repeated = test.ids[pd.Index(test.ids).duplicated()]
    if len(repeated):
        raise DataError(
            f"{name}: {len(repeated)} ids are there more than once, such as {repeated[0]}",
            remedy="keep one row for each id",
        )
    found = test.align(problem.test.ids, name=name)
    bad = np.flatnonzero(~np.isfinite(found.scores).all(axis=1))
    if len(bad):
        raise DataError(
            f"{name}: scores of {len(bad)} of {len(found)} rows are NaN or infinite, such as "
            + ", ".join(map(str, found.ids[bad[:5]])),
            remedy="predict these rows again, or leave this member out",
        )
    return found.scores


def _shown(scores: np.ndarray) -> str:
    return ", ".join(f"{value:.4g}" for value in scores[:5]) + (" ..." if len(scores) > 5 else "")
