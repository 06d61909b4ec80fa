"""Solves a head as its formulation asks: as one, or question by question, each on its own rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from foldwise.models.linear_head import Kind, LinearHead, solve_head

#: conditional: a sigmoid per border among the rows above that before; two_step: one sigmoid on
#: all rows, then a softmax on those above the first grade.
Solver = Kind | Literal["conditional", "two_step"]


@dataclass(frozen=True)
class Question:
    """Some outputs of a head, and what they are learned from.

    Attributes:
        kind: how they are solved.
        rows: (N,) bool, the rows that are asked.
        target: (n,) or (n, o), of these rows.
        num_outputs: o.
    """

    kind: Kind
    rows: np.ndarray
    target: np.ndarray
    num_outputs: int


def solve(
    features: np.ndarray,
    target: np.ndarray,
    solver: Solver,
    *,
    num_outputs: int,
    groups: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
    seed: int = 0,
) -> LinearHead:
    """The head of a formulation; arguments as of `solve_head`.

    Args:
        features: (N, D) float.
        target: as the formulation encodes it.
        solver: of the formulation.
        num_outputs: O.
        groups: (N,) rows of one group stay together in the inner folds.
        sample_weight: (N,) at least 0; None: all equal.
        seed: of the inner folds.

    Returns:
        The head; of several questions the largest penalty, and a note for each. A question that
        no row is asked stays open: weight and bias 0.
    """
    match solver:
        case "conditional":
            questions = _conditional(target, num_outputs)
        case "two_step":
            questions = _two_step(target, num_outputs)
        case _:
            return solve_head(
                features,
                target,
                solver,
                num_outputs=num_outputs,
                groups=groups,
                sample_weight=sample_weight,
                seed=seed,
            )
    heads = []
    for question in questions:
        rows = question.rows
        weighs = rows if sample_weight is None else rows & (sample_weight > 0)
        if not weighs.any():
            heads.append(_open(question.num_outputs, features.shape[1]))
            continue
        head = solve_head(
            features[rows],
            question.target,
            question.kind,
            num_outputs=question.num_outputs,
            groups=None if groups is None else groups[rows],
            sample_weight=None if sample_weight is None else sample_weight[rows],
            seed=seed,
        )
        heads.append(head)
    return LinearHead(
        np.concatenate([head.weight for head in heads]),
        np.concatenate([head.bias for head in heads]),
        max(head.penalty for head in heads),
        "; ".join(head.note for head in heads),
    )


def _open(num_outputs: int, num_features: int) -> LinearHead:
    weight = np.zeros((num_outputs, num_features), dtype=np.float32)
    return LinearHead(weight, np.zeros(num_outputs, dtype=np.float32), 0.0, "no rows: left open")


def _conditional(target: np.ndarray, num_outputs: int) -> Iterator[Question]:
    above = target > 0.5
    for border in range(num_outputs):
        rows = np.ones(len(target), dtype=bool) if border == 0 else above[:, border - 1]
        yield Question("sigmoid", rows, target[rows, border : border + 1], 1)


def _two_step(target: np.ndarray, num_outputs: int) -> Iterator[Question]:
    above = target > 0
    yield Question("sigmoid", np.ones(len(target), dtype=bool), above[:, None], 1)
    yield Question("softmax", above, target[above] - 1, num_outputs - 1)
