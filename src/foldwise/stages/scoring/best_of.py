"""The best of several runs as far as one can know it without the rows it is scored on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from foldwise.maps.maps import Maps, scattered_maps
from foldwise.stages.scoring.held_out import HeldOut


@dataclass(frozen=True)
class Best:
    """The best of several runs.

    Attributes:
        held: in each fold the scores, and the decision, of the run that is best on the others.
        names: runs that were taken for some fold, in the order given.
        is_cross_fitted: whether that could be done; else it is the best on all rows, which looks
            better than it is.
    """

    held: HeldOut
    names: tuple[str, ...]
    is_cross_fitted: bool


def best_of(held: HeldOut, runs: Sequence[HeldOut]) -> Best:
    """The best run for the rows of another, chosen in each fold on the other folds.

    To be chosen for a fold, each run is decided by the decision that was fitted without it.

    Args:
        held: whose rows count.
        runs: at least one; those that lack rows of `held` are passed over if another has all.
    """
    whole = _whole(held, runs)
    if len(whole) < 2:
        only = (whole or runs)[0]
        return Best(only, (only.name,), is_cross_fitted=True)
    parts = [each.among(np.isin(each.rows, held.rows)) for each in whole]
    try:
        return _cross_fitted(parts)
    except ValueError:  # One fold alone, or the metric is undefined without one of the folds.
        pass
    highest = _highest(parts)
    only = parts[0] if highest is None else highest
    return Best(only, (only.name,), is_cross_fitted=False)


def highest_of(held: HeldOut, runs: Sequence[HeldOut]) -> HeldOut | None:
    """The run that scores highest on the rows of another, which looks better than it is.

    A gain over it is one however the best run is chosen.

    Args:
        held: whose rows count.
        runs: at least one; those that lack rows of `held` are passed over.

    Returns:
        None: no run has all rows, or the metric is undefined on them.
    """
    return _highest([each.among(np.isin(each.rows, held.rows)) for each in _whole(held, runs)])


def _whole(held: HeldOut, runs: Sequence[HeldOut]) -> list[HeldOut]:
    return [each for each in runs if np.isin(held.rows, each.rows).all()]


def _highest(parts: Sequence[HeldOut]) -> HeldOut | None:
    try:
        return parts[_first_best([_score(part) for part in parts])] if parts else None
    except ValueError:
        return None


def _cross_fitted(parts: Sequence[HeldOut]) -> Best:
    folds = parts[0].folds
    names = np.unique(folds).tolist()
    if len(names) < 2:
        raise ValueError("one fold is too few to choose on the others")
    chosen = {
        fold: _first_best(
            [
                _score(
                    replace(part, decision=part.without(fold), by_fold=None).among(folds != fold)
                )
                for part in parts
            ]
        )
        for fold in names
    }
    scores = _of_chosen(parts, chosen)
    by_fold = {fold: parts[k].without(fold) for fold, k in chosen.items()}
    taken = tuple(part.name for k, part in enumerate(parts) if k in chosen.values())
    best = replace(parts[0].with_scores(scores), by_fold=by_fold)
    return Best(best, taken, is_cross_fitted=True)


def _of_chosen(parts: Sequence[HeldOut], chosen: dict[int, int]) -> Any:
    """In each fold the scores of the run that was chosen for it."""
    folds, first = parts[0].folds, parts[0].scores
    if isinstance(first, Maps):
        return scattered_maps(
            [
                (np.flatnonzero(folds == fold), parts[k].scores[folds == fold])
                for fold, k in chosen.items()
            ]
        )
    scores = first.copy()
    for fold, k in chosen.items():
        scores[folds == fold] = parts[k].scores[folds == fold]
    return scores


def _score(part: HeldOut) -> float:
    metric = part.problem.metric
    return part.score(metric) if metric.higher_is_better else -part.score(metric)


def _first_best(scores: Sequence[float]) -> int:
    return int(np.argmax(scores))
