"""The heads on frozen features of a plan: what fine-tuning and blending have to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from foldwise.blending.crossfit import best_member, cross_fitted_best
from foldwise.blending.goal import Goal
from foldwise.blending.members import Members
from foldwise.rundir import Home, RunDir, read_json
from foldwise.stages.recipes import load_plan
from foldwise.stages.scoring.held_out import HeldOut, file_hash, run_label


@dataclass(frozen=True)
class Best:
    """The best of several frozen heads, as far as one can know it without the rows it scores.

    Attributes:
        held: in each fold the scores of the head that is best on the other folds.
        names: heads that were taken for some fold, in the order given.
        is_cross_fitted: whether that could be done; else it is the best on all rows, which looks
            better than it is.
    """

    held: HeldOut
    names: tuple[str, ...]
    is_cross_fitted: bool


def frozen_runs(home: Home, run: RunDir, record: dict[str, Any]) -> list[RunDir]:
    """All frozen heads a run is judged against, its own first; none for a frozen run.

    These are the plan's recipes with `freeze: backbone` and the references that its fine-tuned
    ones keep, as far as they have out-of-fold scores.
    """
    if record["kind"] == "reference" or is_frozen(record):
        return []
    names = load_plan(home).recipes if home.plan.exists() else ()
    found = [run.reference]
    for other in (RunDir(home.runs / name) for name in names):
        found.append(other if is_frozen(read_json(other.record) or {}) else other.reference)
    unique = {place.path: place for place in found if place.record.exists() and place.oof.exists()}
    return list(unique.values())


def inputs_of_frozen(home: Home, run: RunDir, record: dict[str, Any]) -> list[list[str | None]]:
    """Names and hashes of the frozen heads; others make `scores.json` stale."""
    return [[run_label(home, each), file_hash(each.oof)] for each in frozen_runs(home, run, record)]


def is_frozen(record: dict[str, Any]) -> bool:
    """Whether a run's recipe trains a head alone."""
    return bool(record.get("recipe", {}).get("freeze") == "backbone")


def best_frozen(held: HeldOut, frozen: Sequence[HeldOut]) -> Best:
    """The best frozen head for a run's rows, chosen in each fold on the other folds.

    Args:
        held: the run's rows.
        frozen: at least one; heads that lack rows of the run are passed over if another has all.
    """
    whole = [each for each in frozen if np.isin(held.rows, each.rows).all()]
    if len(whole) < 2:
        only = (whole or frozen)[0]
        return Best(only, (only.name,), is_cross_fitted=True)
    parts = [each.among(np.isin(each.rows, held.rows)) for each in whole]
    members = Members(np.stack([part.scores for part in parts]))
    base = parts[0]
    sign = 1 if base.problem.metric.higher_is_better else -1

    def score(scores: np.ndarray, rows: np.ndarray | None) -> float:
        at = slice(None) if rows is None else rows
        part = replace(base, rows=base.rows[at], scores=scores, by_fold=None)
        return sign * part.score(base.problem.metric)

    goal = Goal(base.target, score)
    if len(np.unique(base.folds)) > 1:
        try:
            scores, chosen = cross_fitted_best(members, base.folds, goal)
        except ValueError:  # The metric is undefined without one of the folds.
            pass
        else:
            names = tuple(part.name for k, part in enumerate(parts) if k in chosen.values())
            by_fold = {fold: parts[k].without(fold) for fold, k in chosen.items()}
            best = replace(base, scores=scores, by_fold=by_fold)
            return Best(best, names, is_cross_fitted=True)
    try:
        only = parts[best_member(members, goal)]
    except ValueError:
        only = base
    return Best(only, (only.name,), is_cross_fitted=False)
