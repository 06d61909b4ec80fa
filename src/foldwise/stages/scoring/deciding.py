"""From a run's scores to answers: the fixed decision, or a fitted one that has won cross-fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from foldwise import predictions as predictions_file
from foldwise.config.writing import fingerprint
from foldwise.decide import Decision, NoExactFitError, fit_decision
from foldwise.errors import ConfigError
from foldwise.parts import name_of, options_of
from foldwise.publish import publish_json
from foldwise.rundir import RunDir, read_json
from foldwise.stages.scoring.held_out import (
    HeldOut,
    decision_of,
    file_hash,
    held_out,
    ordered_columns,
    run_label,
)
from foldwise.stages.scoring.intervals import gain_over
from foldwise.tasks.problem import Problem

#: Raised whenever the same scores would be decided otherwise than before.
_VERSION = 1

#: The fold → scores of all rows but its own, as far as the fold's targets had no part in them.
Without = Callable[[int], HeldOut]


@dataclass(frozen=True)
class Choice:
    """A decision and how it was chosen.

    Attributes:
        decision: for any rows.
        kind: `fixed`, `fitted` or `shares`.
        reason: one sentence.
        gain: of fitted cuts over the fixed ones, cross-fitted; None where none were fitted.
    """

    decision: Decision
    kind: str
    reason: str
    gain: dict[str, Any] | None = None


def read_decided(problem: Problem, run: RunDir) -> HeldOut:
    """A run's out-of-fold scores with the decisions that were fitted without each fold.

    What was decided is kept in `decision.json` and made again when the scores have changed.

    Raises:
        RunError, DataError: as `read_held_out`.
        ConfigError: `submission.decision` asks for what the metric has no exact fit for.
    """
    record = run.read_record()
    name = run_label(problem.home, run)
    fixed = held_out(
        problem, predictions_file.read(run.oof), decision_of(problem, record), name=name
    )
    stored = read_json(run.decision)
    inputs = _inputs(problem, run, fixed)
    if stored is None or stored.get("inputs") != inputs:
        stored = {**_decided(problem, run, fixed), "inputs": inputs}
        publish_json(run.decision, stored)
    folds = {int(fold): Decision.from_json(value) for fold, value in stored["folds"].items()}
    return replace(fixed, decision=Decision.from_json(stored), by_fold=folds or None)


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
    return found.align(held.problem.train.ids[held.rows[held.folds != fold]], name=name).scores


def decision_facts(run: RunDir) -> dict[str, Any]:
    """What `decision.json` says of the choice, for `scores.json`.

    Returns:
        `asked`, `kind`, `reason`, `gain`, `steps`; `folds`: the kind chosen for each fold;
        `naive_score`: of the final decision on the rows it was fitted to; None if it is fixed, or
        if a blend's weights were fitted as well.
    """
    stored = read_json(run.decision)
    return {**stored["choice"], "steps": stored["steps"]}


def choose(fixed: HeldOut, without: Without, asked: str, *, fewest_folds: int = 2) -> Choice:
    """The decision for rows that are not among these.

    Args:
        fixed: out-of-fold scores with the fixed decision.
        without: the same rows but one fold's, from scores the fold had no part in.
        asked: `auto`, `fixed`, `fitted` or `shares`.
        fewest_folds: with fewer, `auto` is fixed; 3 where the choice itself is cross-fitted, since
            it is made without each fold on at least two.

    Raises:
        ConfigError: fitted decisions are asked for, and the metric has no exact fit.
    """
    problem = fixed.problem
    if asked == "fixed":
        return Choice(fixed.decision, "fixed", "the formulation's fixed decision, as asked for")
    if problem.competition.submission.gives == "scores":
        return Choice(fixed.decision, "fixed", "nothing is decided: scores are asked for")
    if problem.metric.takes == "scores" and asked == "auto":
        return Choice(fixed.decision, "fixed", "the metric reads scores, whatever is decided")
    method: Literal["exact", "shares"] = "shares" if asked == "shares" else "exact"
    try:
        found = fitted(fixed, method)
    except NoExactFitError as error:
        if asked != "auto":
            raise ConfigError(
                f"submission.decision: {asked}: {error}", remedy="use decision: auto or fixed"
            ) from None
        return Choice(fixed.decision, "fixed", str(error))
    if asked != "auto":
        return Choice(found, "shares" if asked == "shares" else "fitted", "as asked for")
    return _winner(fixed, without, found, fewest_folds)


def _winner(fixed: HeldOut, without: Without, found: Decision, fewest_folds: int) -> Choice:
    """The fitted decision if it wins on folds it was not fitted to, else the fixed one."""
    folds = np.unique(fixed.folds).tolist()
    if len(folds) < fewest_folds:
        few = "1 fold is" if len(folds) == 1 else f"{len(folds)} folds are"
        return Choice(fixed.decision, "fixed", f"{few} too few to cross-fit the choice of another")
    try:
        others = {fold: fitted(without(fold), "exact") for fold in folds}
        gain = gain_over(fixed, replace(fixed, by_fold=others))
    except NoExactFitError as error:
        return Choice(fixed.decision, "fixed", str(error))
    if gain is None or gain.low is None or gain.high is None:
        return Choice(
            fixed.decision,
            "fixed",
            "a fitted one could not be proved better: no interval can be given",
        )
    ends = f"{gain.point:+z.4f}, {gain.low:+z.4f} to {gain.high:+z.4f}, {gain.covers}"
    if gain.low > 0:
        return Choice(
            found, "fitted", f"fitted cuts or thresholds win cross-fitted: {ends}", asdict(gain)
        )
    return Choice(
        fixed.decision,
        "fixed",
        f"fitted cuts or thresholds do not win cross-fitted: {ends}",
        asdict(gain),
    )


def fitted(held: HeldOut, method: Literal["exact", "shares"]) -> Decision:
    """The decision fitted to these rows.

    Raises:
        NoExactFitError: none is known for the metric.
    """
    problem = held.problem
    return fit_decision(
        held.decision,
        held.scores,
        held.target,
        metric=problem.metric_name,
        options=options_of(problem.competition.metric),
        num_classes=problem.num_classes,
        weight=held.weight,
        method=method,
        shares=_shares(held) if method == "shares" else None,
    )


def _shares(held: HeldOut) -> np.ndarray:
    """(C,) share of each class among these rows, as they count under the test mix."""
    classes = np.arange(held.problem.num_classes)
    hot = held.target if held.target.ndim == 2 else held.target[:, None] == classes
    return np.average(hot, axis=0, weights=held.weight)


def _decided(problem: Problem, run: RunDir, fixed: HeldOut) -> dict[str, Any]:
    """The content of `decision.json`, without what it was made from."""
    asked = problem.competition.submission.decision

    def without(fold: int) -> HeldOut:
        return _without(run, fixed, fold)

    final = choose(fixed, without, asked, fewest_folds=3)
    folds = np.unique(fixed.folds).tolist()
    by_fold: dict[int, Choice] = {}
    if len(folds) > 1:
        for fold in folds:
            others = without(fold)
            by_fold[fold] = choose(others, _dropping(others), asked)
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
            "asked": asked,
            "kind": final.kind,
            "reason": final.reason,
            "gain": final.gain,
            "folds": {str(fold): choice.kind for fold, choice in by_fold.items()},
            "naive_score": naive,
        },
    }


def _without(run: RunDir, fixed: HeldOut, fold: int) -> HeldOut:
    """All rows but a fold's, by what has not seen it."""
    others = fixed.among(fixed.folds != fold)
    if not run.without(fold).exists():
        return others
    return replace(others, scores=scores_without(run, fixed, fold))


def _dropping(held: HeldOut) -> Without:
    return lambda fold: held.among(held.folds != fold)


def _inputs(problem: Problem, run: RunDir, fixed: HeldOut) -> Mapping[str, Any]:
    folds = np.unique(fixed.folds).tolist()
    return {
        "version": _VERSION,
        "oof": file_hash(run.oof),
        "without": [file_hash(run.without(fold)) for fold in folds],
        "fixed": fixed.decision.to_json(),
        "metric": [name_of(problem.competition.metric), options_of(problem.competition.metric)],
        "submission": fingerprint(problem.competition.submission),
        "shares": [None if part is None else part.tolist() for part in problem.shares()],
        "target": fingerprint(fixed.target.tolist()),
        "folds": problem.folds_hash,
        "groups": file_hash(problem.home.groups),
    }
