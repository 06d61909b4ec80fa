"""Intervals that cover the fitting: rows are resampled, and every blend is fitted again."""

from __future__ import annotations

import contextlib

import numpy as np

from foldwise.blending.crossfit import Done, cross_fitted, cross_fitted_best
from foldwise.blending.gain import Ends
from foldwise.blending.goal import Goal
from foldwise.blending.members import Members
from foldwise.blending.methods import Fit
from foldwise.errors import ConfigError, RunError
from foldwise.seeding import key, uniforms

#: Fewer rows or groups than this say too little about those not seen: no interval.
_FEWEST = 20
#: Of fewer resamples the 2.5 and 97.5 % points are no more than their extremes.
_FEWEST_RESAMPLES = 200


def check_resamples(num: int) -> None:
    """Refuse a number of resamples that gives no interval to be trusted; 0: none are drawn.

    Raises:
        ConfigError: fewer than 200, but not 0.
    """
    if num and num < _FEWEST_RESAMPLES:
        raise ConfigError(
            f"refit: found {num} resamples, wanted 0 or at least {_FEWEST_RESAMPLES}",
            remedy="the ends of an interval need many; 0: of the scores as they are, not refitted",
        )


def refit_intervals(
    members: Members,
    folds: np.ndarray,
    fit: Fit,
    goal: Goal,
    *,
    groups: np.ndarray | None,
    num: int,
    seed: int = 0,
    done: Done = lambda: None,
) -> tuple[Ends | None, Ends | None]:
    """How much better a blend is, with all fitting and choosing repeated on each resample.

    Rows (groups where there are any) are drawn with replacement; a row drawn twice lies in its
    fold twice, so the folds stay apart. The 2.5 and 97.5 % points are the ends. A resample holds
    63 % of the rows, some of them often, so weights are fitted a little worse than on all rows:
    the interval errs towards less gain. That the members were trained on these rows it does not
    cover.

    Args:
        members: out-of-fold predictions of N rows.
        folds: (N,) int.
        fit: a function of `BLENDS`, its options bound.
        goal: of the same rows.
        groups: (N,) labels of what belongs together; None: every row alone.
        num: resamples, at least 200.
        seed: another seed draws other resamples.
        done: called after each resample.

    Returns:
        Over the best single member, chosen in each fold on the others, and over the plain mean
        of all; None for fewer than 20 rows or groups, or if the score is undefined in more than
        half of the resamples.

    Raises:
        ConfigError: too few resamples.
    """
    check_resamples(num)
    units = _units(groups, len(folds))
    num_units = int(units.max()) + 1
    if num_units < _FEWEST:
        return None, None
    order = np.argsort(units, kind="stable")
    starts = np.searchsorted(units[order], np.arange(num_units + 1))
    stream = key("refit", seed)
    gains = []
    for number in range(num):
        drawn = (uniforms(stream, np.array([number]), num_units)[0] * num_units).astype(np.int64)
        rows = np.concatenate([order[starts[unit] : starts[unit + 1]] for unit in np.sort(drawn)])
        # A rare class, or all folds but one, may not be drawn.
        with contextlib.suppress(ValueError, RunError):
            gains.append(_gains(members.take(rows), folds[rows], fit, goal.take(rows)))
        done()
    if len(gains) < num / 2 or not gains:
        return None, None
    noun = "rows" if groups is None else "groups"
    covers = f"{num_units} {noun} resampled and blends refitted, {num} times"
    low, high = np.quantile(np.array(gains), [0.025, 0.975], axis=0)
    first, second = (Ends(float(low[k]), float(high[k]), covers) for k in range(2))
    return first, second


def _gains(members: Members, folds: np.ndarray, fit: Fit, goal: Goal) -> tuple[float, float]:
    crossed, _ = cross_fitted(members, folds, fit, goal)
    best, _ = cross_fitted_best(members, folds, goal)
    score = goal(crossed)
    return score - goal(best), score - goal(members.scores.mean(axis=0))


def _units(groups: np.ndarray | None, num_rows: int) -> np.ndarray:
    if groups is None:
        return np.arange(num_rows)
    numbers: np.ndarray = np.unique(groups, return_inverse=True)[1]
    return numbers
