"""Scores of runs as one seed gives them, fold by fold and resampled, and what seeds do to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from foldwise.choosing.seed_noise import Repeats
from foldwise.errors import FoldwiseError, RunError
from foldwise.metrics.bootstrap import Resampled, resampled_scores
from foldwise.stages.comparing.runs import Run, read_run, seeds_of
from foldwise.stages.scoring.held_out import HeldOut
from foldwise.tasks.problem import Problem

#: Resamples of the rows.
RESAMPLES = 1000


def repeats(runs: Sequence[Run], *, with_seeds: bool) -> tuple[list[Repeats], Resampled | None]:
    """The runs' scores on the rows that all of them have.

    Args:
        runs: with equal rows.
        with_seeds: each seed alone; else the merged predictions, as if there were no seeds.

    Raises:
        RunError: the metric is undefined on these rows.
    """
    views = [list(run.seeds.values()) if with_seeds else [run.held] for run in runs]
    first = runs[0].held
    metric = first.problem.metric
    preds = [[held.preds(metric) for held in seeds] for seeds in views]
    try:
        resampled = resampled_scores(
            metric, [part for seeds in preds for part in seeds], first.target,
            weight=first.weight, groups=first.groups, num=RESAMPLES,
        )  # fmt: skip
        found = []
        begin = 0
        for run, parts in zip(runs, preds, strict=True):
            own = slice(begin, begin + len(parts))
            begin += len(parts)
            rows = None if resampled is None else resampled.scores[:, own].T
            found.append(_repeats(run, tuple(run.seeds) if with_seeds else (), parts, rows))
    except ValueError as error:
        raise _undefined(error) from None
    return found, resampled


def ledger(problem: Problem, compared: Sequence[Run]) -> tuple[list[Repeats], list[str]]:
    """The competition's other runs of several seeds, and why some of them say nothing.

    Args:
        problem: whose runs.
        compared: runs that are not wanted again; seed noise is learnt on their rows.

    Returns:
        Scores without resamples; a sentence for each run that is left out.
    """
    found, left_out = [], []
    folds = compared[0].held.present_folds
    names = {run.name for run in compared}
    metric = problem.metric
    for name in problem.home.run_names():
        place = problem.home.run(name)
        record = place.read_record()
        if name in names or record["kind"] != "recipe":
            continue
        if not problem.is_asked_in(record):  # Scored by another metric.
            continue
        try:
            if len(seeds_of(place, record)) < 2:
                continue
            run = read_run(problem, name)
            lacking = sorted(set(folds) - set(run.held.present_folds))
            if lacking:
                raise RunError(f"{name}: lacks fold {', '.join(map(str, lacking))}")
            run = run.among(folds)
            parts = [held.preds(metric) for held in run.seeds.values()]
            found.append(_repeats(run, tuple(run.seeds), parts, None))
        except (FoldwiseError, ValueError) as error:
            left_out.append(f"seed noise is not learnt from {name}: {error}")
    return found, left_out


def fold_scores(views: Sequence[HeldOut]) -> dict[int, float | None]:
    """Fold → mean over views of the score of its rows alone; None where it is undefined.

    Args:
        views: the same rows as each seed has them, or as all seeds together have.
    """
    return {fold: _mean_score(views, fold) for fold in sorted(set(views[0].folds.tolist()))}


def nearer_rows(reference: Sequence[HeldOut], challenger: Sequence[HeldOut]) -> dict[str, float]:
    """On how many rows the one or the other has the nearer answer; mean over pairs of views.

    An answer of classes is right or wrong as a whole; a grade, a value or a mask can be nearer.
    """
    theirs, own = ([_errors(held) for held in views] for views in (reference, challenger))
    pairs = [(one, two) for one in theirs for two in own]
    return {
        "num_rows": len(reference[0]),
        "challenger_nearer": float(np.mean([(two < one).sum() for one, two in pairs])),
        "reference_nearer": float(np.mean([(one < two).sum() for one, two in pairs])),
    }


def _errors(held: HeldOut) -> np.ndarray:
    """(n,) how far answers are from the truth; of masks what their mean Dice lacks of 1."""
    num = len(held)
    if held.problem.task.kind == "map":
        # Here alone: it loads numba, which few have and none but masks needs.
        from foldwise.metrics.dice import dice_per_mask
        from foldwise.stages.scoring.mask_beside import counts_of

        return np.asarray(1.0 - dice_per_mask(counts_of(held)).mean(axis=1))
    answers, target = held.answers.reshape(num, -1), held.target.reshape(num, -1)
    if held.problem.task.has_classes and held.scores.shape[1] > 1:
        return np.asarray((answers != target).any(axis=1))
    return np.asarray(np.abs(answers - target).sum(axis=1))


def _mean_score(views: Sequence[HeldOut], fold: int) -> float | None:
    metric = views[0].problem.metric
    try:
        return float(np.mean([held.among(held.folds == fold).score(metric) for held in views]))
    except ValueError:
        return None


def _repeats(
    run: Run, seeds: tuple[int, ...], preds: Sequence[np.ndarray], resampled: np.ndarray | None
) -> Repeats:
    held = run.held
    metric = held.problem.metric

    def score(part: np.ndarray) -> float:
        return metric(part, held.target, held.weight)

    scores = np.array([score(part) for part in preds])
    folds = sorted(set(held.folds.tolist()))
    if len(preds) < 2:
        by_fold = np.repeat(scores[:, None], len(folds), axis=1)
    else:
        masks = [_along(held.folds == fold, preds[0]) for fold in folds]
        by_fold = np.array(
            [
                [np.mean([score(np.where(mask, own, other)) for other in preds]) for mask in masks]
                for own in preds
            ]
        )
    return Repeats(run.name, seeds, scores, by_fold, resampled)


def _along(mask: np.ndarray, part: np.ndarray) -> np.ndarray:
    return mask if part.ndim == 1 else mask[:, None]


def _undefined(error: ValueError) -> RunError:
    return RunError(
        f"the metric is undefined on the rows that the runs share: {error}",
        remedy="train more folds of both first",
    )


def score_facts(run: Run, alone: Repeats | None) -> dict[str, Any]:
    """A run's line of the result: its merged score and that of each seed."""
    scores = {} if alone is None else dict(zip(alone.seeds, alone.scores.tolist(), strict=True))
    values = list(scores.values())
    return {
        "name": run.name,
        "kind": run.kind,
        "score": run.held.score(run.held.problem.metric),
        "seeds": {str(seed): score for seed, score in scores.items()},
        "seed_mean": float(np.mean(values)) if values else None,
        "seed_sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
    }
