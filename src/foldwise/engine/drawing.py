"""Which rows an epoch draws: the recipe's sampler, and what its class shares do to the logits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from foldwise import parts
from foldwise.config.recipe import Recipe
from foldwise.data.mask_sampling import BY_PEAK, MASK_SAMPLERS, MaskStanding
from foldwise.data.samplers import BY_CLASS, BY_LOSS, SAMPLERS, STEADY, Standing
from foldwise.errors import ConfigError
from foldwise.tasks.balancing import check_corrected
from foldwise.tasks.extra_rows import ExtraRows, fitted_target
from foldwise.tasks.problem import Problem

#: What `standing` says of the rows → (n,) chance of each, mean 1; None: each row once.
Sampler = Callable[[Any], np.ndarray | None]
#: Samplers that draw by what training notes of each row.
BY_NOTES = BY_LOSS | BY_PEAK


def bound_sampler(recipe: Recipe, problem: Problem, formulation: str) -> Sampler | None:
    """The recipe's sampler with its options, or None.

    Args:
        recipe: resolved.
        problem: competition with task and metric.
        formulation: of the task, by name.

    Raises:
        ConfigError: there are no classes to draw by, or the metric reads probabilities that could
            not be put right again.
    """
    spec = recipe.train.sampler
    if spec is None:
        return None
    if problem.task.kind == "map":
        return _bound(MASK_SAMPLERS, spec)
    bound = _bound(SAMPLERS, spec)
    _check_fit(parts.name_of(spec), problem, formulation)
    return bound


def _bound(table: Mapping[str, Sampler], spec: parts.Spec) -> Sampler:
    bound: Sampler = parts.bind(table, spec, what="sampler")
    return bound


def _check_fit(name: str, problem: Problem, formulation: str) -> None:
    # What is drawn by loss is not a matter of classes alone, and what drifts from epoch to epoch
    # leaves a network somewhere between its first and its last shares: neither can be taken out
    # of the logits again.
    has_one = problem.task.one_of_classes
    if name in BY_CLASS and not has_one:
        raise ConfigError(
            f"sampler {name} needs one class per sample, which task {problem.task.name} does not "
            "have",
            remedy="use hard, or take it out",
        )
    if name not in STEADY and problem.metric.takes == "scores":
        corrects = problem.task.formulations[formulation].prior
        other = "use balanced or square_root, which are corrected, or " if corrects else ""
        raise ConfigError(
            f"sampler {name} shifts the scores that {problem.metric_name} reads, and by how much "
            "cannot be known",
            remedy=f"{other}take it out",
        )
    check_corrected(name, problem, formulation)


def standing(
    problem: Problem,
    rows: np.ndarray,
    extra: ExtraRows | None = None,
    *,
    progress: float = 0.0,
    losses: np.ndarray | None = None,
) -> Standing | MaskStanding:
    """What a sampler may know of these train rows and the extra rows after them.

    Args:
        problem: competition and targets.
        rows: positions of train rows.
        extra: rows that are not of train.
        progress: of the schedule.
        losses: (n,) last losses, or of masks how sure the network was to see something; None: none
            is known.
    """
    if problem.task.kind == "map":
        present = problem.target[rows].present > 0
        return MaskStanding(present, np.full(len(rows), np.nan) if losses is None else losses)
    labels = fitted_target(problem, rows, extra)
    classes = labels if problem.task.one_of_classes else None
    known = np.full(len(labels), np.nan) if losses is None else losses
    return Standing(classes, progress, known)


def offset_of_shares(shares: np.ndarray, classes: np.ndarray, num_classes: int) -> np.ndarray:
    """(C,) log of natural over drawn class shares: added to logits it takes the sampler out.

    Args:
        shares: (N,) chance of each row, mean 1.
        classes: (N,) int64.
        num_classes: C; a class without rows gets 0.

    Source: Menon et al. (2021), "Long-tail learning via logit adjustment", ICLR.

    >>> offset_of_shares(np.array([0.75, 0.75, 1.5]), np.array([0, 0, 1]), 2).round(3).tolist()
    [0.288, -0.405]
    """
    natural = np.bincount(classes, minlength=num_classes).astype(np.float64)
    drawn = np.bincount(classes, weights=shares, minlength=num_classes)
    seen = natural > 0
    offset = np.zeros(num_classes)
    offset[seen] = np.log(natural[seen] / drawn[seen])
    return offset
