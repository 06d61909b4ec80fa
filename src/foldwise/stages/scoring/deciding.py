"""From a run's scores to answers: the fixed decision, or a fitted one that has won cross-fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.config.writing import dump, fingerprint
from foldwise.decide import Decision
from foldwise.json_files import read_json
from foldwise.parts import name_of, options_of
from foldwise.publish import publish_json
from foldwise.rundir import RunDir
from foldwise.stages.scoring.choice import Choice, Without, choose
from foldwise.stages.scoring.held_out import (
    HeldOut,
    decision_of,
    file_hash,
    held_out,
    ordered_columns,
    run_label,
)
from foldwise.tasks.problem import Problem

#: Raised whenever the same scores would be decided otherwise than before.
_VERSION = 1
#: As that, of maps alone.
_VERSION_OF_MAPS = 3


def read_decided(problem: Problem, run: RunDir) -> HeldOut:
    """A run's out-of-fold scores with the decisions that were fitted without each fold.

    What was decided is kept in `decision.json` and made again when the scores have changed.

    Raises:
        RunError, DataError: as `read_held_out`.
        ConfigError: `submission.decision` asks for what the metric has no exact fit for.
    """
    record = run.read_record()
    problem = problem.asked_in(record)
    name = run_label(problem.home, run)
    fixed = held_out(
        problem, predictions_file.read(run.oof), decision_of(problem, record), name=name
    )
    stored = read_json(run.decision)
    inputs = _inputs(problem, run, fixed)
    if stored is None or stored.get("inputs") != inputs:
        is_constant = record.get("is_constant", False)
        decided = _decided(problem, run, fixed, is_constant=is_constant)
        stored = {**decided, "inputs": inputs}
        publish_json(run.decision, stored)
    folds = {int(fold): Decision.from_json(value) for fold, value in stored["folds"].items()}
    held = replace(fixed, decision=Decision.from_json(stored), by_fold=folds or None)
    return held.with_answers() if problem.task.kind == "map" else held


def scores_without(run: RunDir, held: HeldOut, fold: int) -> np.ndarray:
    """(n, C) a blend's scores of all rows but a fold's, by the blend fitted without that fold.

    Args:
        run: a blend that has the fold's `RunDir.without`.
        held: its out-of-fold rows.
        fold: whose rows, and targets, are left out.

    Raises:
        DataError: the file is damaged, or lacks rows or columns.
    """
    name = f"{held.name} (without fold {fold})"
    columns = held.problem.columns
    found = ordered_columns(predictions_file.read(run.without(fold)), columns, name=name)
    rows = held.rows[held.folds != fold]
    scores: np.ndarray = found.align(held.problem.train.ids[rows], name=name).scores
    return scores


def decision_facts(run: RunDir) -> dict[str, Any]:
    """What `decision.json` says of the choice, for `scores.json`.

    Returns:
        `asked`, `kind`, `reason`, `gain`, `over_time`, `masks`, `steps`; `folds`: the kind chosen
        for each; `naive_score`: of the final decision on the rows it was fitted to; None if it is
        fixed, or if a blend's weights were fitted as well.
    """
    stored = read_json(run.decision)
    return {"over_time": [], "masks": [], **stored["choice"], "steps": stored["steps"]}


def decide(fixed: HeldOut, without: Without) -> tuple[Choice, dict[int, Choice]]:
    """The decision for rows that are not among these, and what is decided without each fold.

    Args:
        fixed: out-of-fold scores with the fixed decision.
        without: as of `choose`.

    Returns:
        The final choice; fold → the choice on the other folds, empty where there is one fold.

    Raises:
        ConfigError: as `choose`.
    """
    if fixed.problem.task.kind == "map":
        # Here alone: it loads numba, which few have and none but masks needs.
        from foldwise.stages.scoring.mask_choice import decide_masks

        return decide_masks(fixed)
    asked = fixed.problem.competition.submission.decision
    final = choose(fixed, without, asked, fewest_folds=3)
    folds = np.unique(fixed.folds).tolist()
    by_fold: dict[int, Choice] = {}
    if len(folds) > 1:
        for fold in folds:
            others = without(fold)
            by_fold[fold] = choose(others, _dropping(others), asked)
    return final, by_fold


def _decided(problem: Problem, run: RunDir, fixed: HeldOut, *, is_constant: bool) -> dict[str, Any]:
    """The content of `decision.json`, without what it was made from."""

    def without(fold: int) -> HeldOut:
        return _without(run, fixed, fold)

    final, by_fold = _undecided(fixed) if is_constant else decide(fixed, without)
    is_same = all(choice.decision == final.decision for choice in by_fold.values())
    naive = None
    # Where a blend's weights were fitted, too, these scores are cross-fitted: no naive ones.
    if final.kind != "fixed" and not run.every_without:
        naive = replace(fixed, decision=final.decision).score(problem.metric)
    return {
        **final.decision.to_json(),
        "folds": {}
        if is_same
        else {str(fold): choice.decision.to_json() for fold, choice in by_fold.items()},
        "choice": {
            "asked": problem.competition.submission.decision,
            "kind": final.kind,
            "reason": final.reason,
            "gain": final.gain,
            "over_time": [asdict(tried) for tried in final.over_time],
            "masks": [asdict(tried) for tried in final.masks],
            "folds": {str(fold): choice.kind for fold, choice in by_fold.items()},
            "naive_score": naive,
        },
    }


def _undecided(fixed: HeldOut) -> tuple[Choice, dict[int, Choice]]:
    """As `decide`, where every row has the same scores, so that there is nothing to fit."""
    return Choice(fixed.decision, "fixed", "every sample has the same scores"), {}


def _without(run: RunDir, fixed: HeldOut, fold: int) -> HeldOut:
    """All rows but a fold's, by what has not seen it."""
    others = fixed.among(fixed.folds != fold)
    if not run.without(fold).exists():
        return others
    return others.with_scores(scores_without(run, fixed, fold))


def _dropping(held: HeldOut) -> Without:
    return lambda fold: held.among(held.folds != fold)


def _inputs(problem: Problem, run: RunDir, fixed: HeldOut) -> Mapping[str, Any]:
    folds = np.unique(fixed.folds).tolist()
    submission, time = dump(problem.competition.submission), fixed.timeline
    # As before there were any, so that decisions of then still count.
    if time is None:
        del submission["over_time"]
    if not submission["fixed"]:
        del submission["fixed"]
    inputs = {
        "version": _VERSION,
        "oof": file_hash(run.oof),
        "without": [file_hash(run.without(fold)) for fold in folds],
        "fixed": fixed.decision.to_json(),
        "metric": [name_of(problem.competition.metric), options_of(problem.competition.metric)],
        "submission": fingerprint(submission),
        "shares": [None if part is None else part.tolist() for part in problem.shares()],
        "target": fingerprint(
            fixed.target.tobytes().hex() if problem.task.kind == "map" else fixed.target.tolist()
        ),
        "folds": problem.folds_hash,
        "groups": file_hash(problem.home.groups),
    }
    if problem.task.kind == "map":
        inputs["maps"] = _VERSION_OF_MAPS
    if time is not None:
        inputs["timeline"] = fingerprint([time.sequences.tolist(), time.order.tolist()])
    return inputs
