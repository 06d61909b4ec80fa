"""Which samples to look at: of each class the truths drawn worst and the largest false alarms."""

from __future__ import annotations

from typing import Any

import numpy as np

from foldwise.metrics.dice import dice_per_mask
from foldwise.metrics.mask_counts import MaskCounts
from foldwise.stages.scoring.held_out import HeldOut

_MAX_CASES = 8


def mask_cases(held: HeldOut, counts: MaskCounts) -> list[dict[str, Any]]:
    """Of each class `drawn`, the truths with the lowest Dice, and `false`, the largest alarms.

    Of truths that were missed altogether the largest come first. Every group is shown once before
    any is shown twice: neighbours in a burst err alike.
    """
    dice = dice_per_mask(counts)
    cases = []
    for c, name in enumerate(held.problem.competition.classes):
        there, answered = counts.true[:, c], counts.answered[:, c]
        drawn = np.flatnonzero(there)
        drawn = drawn[np.lexsort((-there[drawn], dice[drawn, c]))]
        false = np.flatnonzero((there == 0) & (answered > 0))
        false = false[np.argsort(-answered[false], kind="stable")]
        shown = (groups_in_turn(rows, held.groups)[:_MAX_CASES] for rows in (drawn, false))
        missed, alarms = ([_case(held, counts, dice, row, c) for row in rows] for rows in shown)
        cases.append({"class": name, "drawn": missed, "false": alarms})
    return cases


def groups_in_turn(rows: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """The rows in their order, but the first of every group before the second of any.

    Args:
        rows: (n,) int64.
        groups: (N,) what belongs together; None: every row alone.

    >>> groups_in_turn(np.array([0, 1, 2, 3]), np.array(["a", "a", "b", "b"])).tolist()
    [0, 2, 1, 3]
    """
    if groups is None:
        return rows
    seen: dict[str, int] = {}
    turns = []
    for group in groups[rows].tolist():
        seen[group] = seen.get(group, 0) + 1
        turns.append(seen[group])
    return rows[np.argsort(turns, kind="stable")]


def _case(
    held: HeldOut, counts: MaskCounts, dice: np.ndarray, row: int, place: int
) -> dict[str, Any]:
    return {
        "id": str(held.problem.train.ids[held.rows[row]]),
        "fold": int(held.folds[row]),
        "dice": float(dice[row, place]),
        "true": int(counts.true[row, place]),
        "answered": int(counts.answered[row, place]),
        "common": int(counts.common[row, place]),
    }
