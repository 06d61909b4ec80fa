"""Training rows that are not of the train table: their samples, labels and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldwise.samples import Samples
from foldwise.tasks.problem import Problem


@dataclass(frozen=True)
class ExtraRows:
    """Rows that join the training of a unit, and are never scored.

    Attributes:
        samples: n test or external rows.
        places: (n,) int64, where their features stand: behind those of the train rows come the
            test rows, then all external rows.
        target: (n,) or (n, C) labels, as `Problem.target` has them.
        soft: (n, C) float64 labels on the common scale, which are learned instead; None: `target`.
        weight: (n,) float64 above 0 of their losses; that of a train row is 1.
    """

    samples: Samples
    places: np.ndarray
    target: np.ndarray
    soft: np.ndarray | None
    weight: np.ndarray

    def __len__(self) -> int:
        return len(self.samples)


def all_rows(problem: Problem) -> Samples:
    """Rows of train, then of test, then external ones."""
    parts = [problem.train, problem.test, *([] if problem.external is None else [problem.external])]
    return Samples(pd.concat([part.frame for part in parts], ignore_index=True).fillna(""))


def fitted_samples(problem: Problem, rows: np.ndarray, extra: ExtraRows | None) -> Samples:
    """The train rows at these positions, then the extra rows."""
    own = problem.train.take(rows)
    if extra is None:
        return own
    return Samples(pd.concat([own.frame, extra.samples.frame], ignore_index=True))


def fitted_target(
    problem: Problem, rows: np.ndarray | slice, extra: ExtraRows | None
) -> np.ndarray:
    """The labels of the train rows at these positions, then those of the extra rows."""
    own: np.ndarray = problem.target[rows]
    return own if extra is None else np.concatenate([own, extra.target])


def joined_rows(problem: Problem, parts: Sequence[ExtraRows]) -> ExtraRows:
    """Several kinds of extra rows as one, softly labelled if any is."""
    soft = None
    if any(part.soft is not None for part in parts):
        hot = [problem.task.one_hot(part.target, problem.num_classes) for part in parts]
        each = zip(parts, hot, strict=True)
        soft = np.concatenate([own if part.soft is None else part.soft for part, own in each])
    return ExtraRows(
        Samples(pd.concat([part.samples.frame for part in parts], ignore_index=True)),
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.target for part in parts]),
        soft,
        np.concatenate([part.weight for part in parts]),
    )
