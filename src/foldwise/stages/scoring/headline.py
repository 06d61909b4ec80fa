"""The score, its interval, and what each fold and each further metric says."""

from __future__ import annotations

from typing import Any

import numpy as np

from foldwise.metrics import Metric
from foldwise.metrics.bootstrap import FEWEST
from foldwise.parts import Spec, name_of, options_of
from foldwise.seeding import key, uniforms
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.stages.scoring.intervals import score_interval

_NOT_COVERED = "not covered: other folds, seeds and training runs"
#: Resamples for what is expected of a fold; fewer where many scores must be read for each.
FOLD_DRAWS, _FEWEST_DRAWS, _MOST_READ = 400, 100, 20_000_000
#: From the 99th percentile (2.33 standard errors) to 3 standard errors.
_STRETCH = 3 / 2.33


def headline(held: HeldOut) -> dict[str, Any]:
    """The competition's metric pooled over out-of-fold rows, as it stands in `scores.json`.

    Where `test_prior` differs from the train mix, rows are weighted for the test mix; that score
    is the headline, and the unweighted one stands beside it.
    """
    problem, metric = held.problem, held.problem.metric
    score, reason = _defined(held, metric)
    folds = _folds(held, metric)
    values = [fold["score"] for fold in folds if fold["score"] is not None]
    return {
        "metric": metric_facts(held, problem.competition.metric, metric),
        "score": score,
        "undefined": reason,
        **_interval(held, metric, score),
        "prior": _prior(held, metric, score),
        "fold_mean": float(np.mean(values)) if values else None,
        "fold_std": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "folds": folds,
        "present_folds": held.present_folds,
        "missing_folds": held.missing_folds,
        "complete": not held.missing_folds,
        "num_rows": len(held),
        "num_train": len(problem.train),
    }


def metric_facts(held: HeldOut, spec: Spec, metric: Metric) -> dict[str, Any]:
    """What must be known to show a metric's values."""
    return {
        "name": name_of(spec),
        "options": options_of(spec),
        "label": metric.label,
        "higher_is_better": metric.higher_is_better,
        "takes": metric.takes,
        "lowest": metric.lowest,
        "highest": metric.highest,
    }


def more_metrics(held: HeldOut) -> list[dict[str, Any]]:
    """Further metrics: those asked for in `competition.yaml`, then others that suit the task."""
    problem = held.problem
    asked = list(problem.competition.more_metrics)
    taken = {problem.metric_name, *map(name_of, asked)}
    others: list[Spec] = [name for name in problem.task.metrics if name not in taken]
    rows = []
    for spec in [*asked, *others]:
        metric = problem.bound_metric(spec)
        score, reason = _defined(held, metric)
        train_mix = _defined(held, metric, weighted=False)[0] if held.weight is not None else None
        rows.append(
            {
                **metric_facts(held, spec, metric),
                "score": score,
                "train_mix": train_mix,
                "asked": spec in asked,
                "undefined": reason,
            }
        )
    return rows


def _defined(
    held: HeldOut, metric: Metric, *, weighted: bool = True
) -> tuple[float | None, str | None]:
    """The score, or None and why it is undefined."""
    try:
        return held.score(metric, weighted=weighted), None
    except ValueError as error:
        return None, str(error)


def _interval(held: HeldOut, metric: Metric, score: float | None) -> dict[str, Any]:
    found = None if score is None else score_interval(held, metric)
    if found is not None:
        return {
            "interval": {"low": found.low, "high": found.high, "level": found.level},
            "interval_note": f"{found.covers}; {_NOT_COVERED}",
        }
    unit = "rows" if held.groups is None else "groups"
    num_units, _ = _units(held)
    note = (
        f"no interval: {num_units} {unit} are fewer than {FEWEST}"
        if num_units < FEWEST
        else "no interval: the metric is undefined on all rows or in most resamples"
    )
    return {"interval": None, "interval_note": note}


def _prior(held: HeldOut, metric: Metric, score: float | None) -> dict[str, Any] | None:
    if held.weight is None:
        return None
    train_mix, _ = _defined(held, metric, weighted=False)
    prior = held.problem.competition.test_prior
    mix = prior if isinstance(prior, str) else "given"
    return {
        "test_prior": prior,
        "test_mix": score,
        "train_mix": train_mix,
        "sentence": f"the score weighs rows for the {mix} class mix expected in test; beside it "
        "the same answers with every row counted once, as in train",
    }


def _folds(held: HeldOut, metric: Metric) -> list[dict[str, Any]]:
    """Each fold's score, and the range in which the other folds lead one to expect it."""
    rows = []
    for fold in sorted(set(held.folds.tolist())):
        inside = held.folds == fold
        score, _ = _defined(held.among(inside), metric)
        rows.append(
            {
                "fold": fold,
                "rows": int(inside.sum()),
                "score": score,
                "expected": _expected(held.among(~inside), held.among(inside), metric),
            }
        )
    return rows


def _expected(others: HeldOut, fold: HeldOut, metric: Metric) -> list[float] | None:
    """Ends of the range in which the other folds lead one to expect the score of this one.

    As many rows (groups, where there are any) as the fold has are drawn from the other folds,
    again and again, and scored. The 1st and 99th percentile, set away from the median to where 3
    standard errors would be, and a little farther since the other folds are a sample too.
    """
    num_others, units = _units(others)
    num_fold, _ = _units(fold)
    if num_others < FEWEST:
        return None
    rescored = metric.prepared(others.preds(metric), others.target)
    weight = np.ones(len(others)) if others.weight is None else others.weight
    num_draws = min(FOLD_DRAWS, max(_FEWEST_DRAWS, _MOST_READ // others.scores.size))
    values = []
    for draw in range(num_draws):
        drawn = uniforms(key("fold"), np.array([draw]), num_fold)[0] * num_others
        times = np.bincount(drawn.astype(np.int64), minlength=num_others)
        try:
            values.append(rescored(times[units] * weight))
        except ValueError:  # Undefined here: a rare class was not drawn.
            continue
    if len(values) < num_draws / 2:
        return None
    low, middle, high = np.quantile(values, [0.01, 0.5, 0.99])
    stretch = _STRETCH * float(np.sqrt(1 + num_fold / num_others))
    return [
        max(float(middle - stretch * (middle - low)), metric.lowest),
        min(float(middle + stretch * (high - middle)), metric.highest),
    ]


def _units(held: HeldOut) -> tuple[int, np.ndarray]:
    """Number of groups, or rows where there are none, and the number of each row's."""
    if held.groups is None:
        return len(held), np.arange(len(held))
    names, units = np.unique(held.groups, return_inverse=True)
    return len(names), units
