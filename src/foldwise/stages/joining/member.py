"""One member of a blend: a run, a reference, or a pair of score files from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from foldwise import predictions as predictions_file
from foldwise.errors import DataError
from foldwise.predictions import Predictions
from foldwise.rundir import RunDir
from foldwise.stages.joining.outside_scores import read_outside
from foldwise.stages.scoring.deciding import scores_without
from foldwise.stages.scoring.held_out import (
    HeldOut,
    decision_of,
    file_hash,
    ordered_columns,
    read_held_out,
    run_label,
)
from foldwise.stages.scoring.how_got import how_got
from foldwise.stages.training.records import formulation_and_network
from foldwise.tasks.problem import Problem


@dataclass(frozen=True)
class Member:
    """What is blended.

    Attributes:
        held: out-of-fold scores with the member's own decision.
        test: (M, C) float64 scores of the problem's test rows, in their order; or their `Maps`.
        without: fold → (N, C) the scores of the same rows by what has not seen the fold's targets;
            the fold's own rows stand there as in `held`. Empty unless it is a blend whose weights
            were fitted.
        facts: for the blend's record: `name`, `kind`, `how` its score was got, hashes `oof`,
            `test` and `without`, `commit`, names it is `made_of`, `notes`; `formulation` and
            `backbone`, None where they are not known; `on_common_scale`, or of any scale.
    """

    held: HeldOut
    test: Any
    without: Mapping[int, np.ndarray]
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        """The run's name, or the path of the out-of-fold file."""
        return self.held.name

    def among(self, mask: np.ndarray) -> Member:
        """The same on some of the out-of-fold rows: (N,) bool."""
        without = {fold: scores[mask] for fold, scores in self.without.items()}
        return replace(self, held=self.held.among(mask), without=without)


def read_run(problem: Problem, name: str) -> Member:
    """A run, a blend or a reference as member.

    Raises:
        RunError, DataError: as `read_held_out`, or test rows have no scores.
    """
    run = problem.home.run(name)
    record = run.read_record()
    problem = problem.asked_in(record)
    held = read_held_out(problem, run)
    label = run_label(problem.home, run)
    test = ordered_columns(predictions_file.read(run.test), problem.columns, name=f"{label} (test)")
    return Member(
        held,
        _aligned(problem, test, f"{label} (test)"),
        _without(run, held),
        {
            "name": label,
            "kind": record["kind"],
            "how": how_got(run, record, decision_of(problem, record))["got"],
            "oof": file_hash(run.oof),
            "test": file_hash(run.test),
            "without": [file_hash(path) for path in run.every_without],
            "commit": record.get("commit"),
            "made_of": _made_of(record),
            "notes": record["notes"] if record["kind"] == "outside" else [],
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
        {},
        {
            "name": found.held.name,
            "kind": "outside",
            # Only a recorded fold says that a row was held out; else it is a word to be trusted.
            "how": "cross-fitted" if found.has_folds else "unknown",
            "oof": found.hashes[0],
            "test": found.hashes[1],
            "without": [],
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
    formulation, network = formulation_and_network(problem.task, record)
    return {"formulation": formulation, "backbone": network}


def _made_of(record: Mapping[str, Any]) -> list[str]:
    """Names of all members and of the gate, and of theirs, below a blend."""
    members = [*record.get("members", []), *filter(None, [record.get("gate")])]
    return [name for member in members for name in (member["name"], *member["made_of"])]


def _without(run: RunDir, held: HeldOut) -> dict[int, np.ndarray]:
    """Fold → a blend's scores by the weights that were fitted without it; see `Member`."""
    found = {}
    for fold in np.unique(held.folds).tolist():
        if run.without(fold).exists():
            scores = held.scores.copy()
            others = held.folds != fold
            scores[others] = scores_without(run, held, fold)
            found[fold] = scores
    return found


def _aligned(problem: Problem, test: Predictions, name: str) -> Any:
    """(M, C) finite scores of the problem's test rows, in their order; or their `Maps`.

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
    if found.kind == "map":  # Levels are finite by their type.
        return found.scores
    bad = np.flatnonzero(~np.isfinite(found.scores).all(axis=1))
    if len(bad):
        raise DataError(
            f"{name}: scores of {len(bad)} of {len(found)} rows are NaN or infinite, such as "
            + ", ".join(map(str, found.ids[bad[:5]])),
            remedy="predict these rows again, or leave this member out",
        )
    return found.scores
