"""Answers by the surest class: whole numbers decide all rows but those with classes too near."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from foldwise.blending.goal import Goal
from foldwise.blending.search.step import Step

#: Rows at a time, and numbers at a time, which stay in a core's cache.
_BLOCK, _CHUNK = 2**14, 2**17
#: Whole numbers that the range of scores is cut into; sums of two and a rest fit 16 bits.
_PARTS = 16_000
#: Rounding of a score, of the sum and of what is under the sum's highest, in whole numbers.
_NEAR = 3
#: Classes as near as this, relative to the higher, may be level in the metric's own arithmetic.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Surest:
    """Classes by the highest score; rows stand in the order of their target.

    Attributes:
        scores: (M, N, C).
        factors: (C,), or None for ones.
        order: (N,) row numbers.
        blocks: parts of that order, each of one true class.
        weight: (N,) in that order, or None for ones.
        coarse: of each block (M, C, n) int16: scores times factors in whole numbers.
        part: what 1 of them is worth.
        reach: the greatest distance of a score from 0.
        size: number of classes, of answers and of target.
    """

    scores: np.ndarray
    factors: np.ndarray | None
    order: np.ndarray
    blocks: list[tuple[int, slice]]
    weight: np.ndarray | None
    coarse: list[np.ndarray]
    part: float
    reach: float
    size: int

    def counts(self, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """Counts of all candidates; in doubt where classes are level but for rounding."""
        num_members, _, num_columns = self.scores.shape
        counts = np.zeros((num_members, self.size, self.size))
        is_in_doubt = np.zeros(num_members, dtype=bool)
        whole, may_be_level = self._base(step)
        for (truth, part), coarse in zip(self.blocks, self.coarse, strict=True):
            rows = self.order[part]
            weight = None if self.weight is None else self.weight[part]
            base, level = whole.take(rows, axis=1), may_be_level[rows]
            found = counts[:, truth, :num_columns]
            is_able = base > -_PARTS - _NEAR
            at = np.flatnonzero((np.add.reduce(is_able, axis=0, dtype=np.int16) > 1) | level)
            if len(at) < len(rows) / 2:
                # No member can change the class of the other rows.
                is_able[:, at] = False
                found += _weigh(is_able, weight)
                weight = None if weight is None else weight[at]
                rows, base, level = rows[at], base.take(at, axis=1), level[at]
            num_at_once = max(1, _CHUNK // max(base.size, 1))
            for first in range(0, num_members if len(rows) else 0, num_at_once):
                some = slice(first, first + num_at_once)
                numbers = coarse[some]
                if len(rows) < numbers.shape[2]:
                    numbers = numbers.take(at, axis=2)
                is_called, is_unclear = _called(step, base, numbers, level)
                found[some] += _weigh(is_called, weight)
                for number in np.flatnonzero(is_unclear.any(axis=1)).tolist():
                    member, unclear = first + number, np.flatnonzero(is_unclear[number])
                    answers, in_doubt = self._decide(step, member, rows[unclear])
                    is_in_doubt[member] |= in_doubt
                    each = None if weight is None else weight[unclear]
                    found[member] += np.bincount(answers, each, minlength=num_columns)
        return counts, is_in_doubt

    def _base(self, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """The step's sum in whole numbers below the row's highest, (C, N), rows as in the table.

        What is further below than members' scores are apart stays below: it is moved up to there.
        With it (N,) rows in which clipping may make classes level.
        """
        num_rows, num_columns = step.base.shape
        whole = np.empty((num_columns, num_rows), dtype=np.int16)
        level = np.zeros(num_rows, dtype=bool)
        for start in range(0, num_rows, _BLOCK):
            rows = slice(start, start + _BLOCK)
            base = np.ascontiguousarray(step.base[rows].T)
            if step.is_bounded:
                level[rows] = self._may_be_level(step, base)
            if self.factors is not None:
                base *= self.factors[:, None]
            base -= base.max(axis=0)
            base *= 1 / (abs(step.factor) * self.part)
            np.maximum(base, -_PARTS - 2 * _NEAR, out=base)
            whole[:, rows] = base
        return whole, level

    def _may_be_level(self, step: Step, base: np.ndarray) -> np.ndarray:
        """(n,) rows in which clipping may make classes level at the top."""
        room = abs(step.factor) * self.reach * (1 + _ROUNDING)
        low, high = step.finish.low, step.finish.high
        second, first = np.sort(base, axis=0)[-2:]
        level = np.zeros(base.shape[1], dtype=bool)
        if high is not None:
            level |= second + room >= high * step.size
        if low is not None:
            level |= first - room <= low * step.size
        return level

    def _decide(self, step: Step, member: int, rows: np.ndarray) -> tuple[np.ndarray, bool]:
        """The answers of a few rows in floating point, and whether they are in doubt."""
        blend = step.mix(step.base[rows], self.scores[member, rows])
        if self.factors is None and not step.finish.sums_to_1:
            return blend.argmax(axis=1), False
        if self.factors is not None:
            blend *= self.factors
        second, first = np.sort(blend, axis=1)[:, -2:].T
        is_close = first - second <= _ROUNDING * np.abs(first)
        if self.factors is None:
            # What clipping has made level stays so when rows are divided by their sums.
            is_close &= first > second
        return blend.argmax(axis=1), bool(is_close.any())


def by_argmax(scores: np.ndarray, goal: Goal, reach: tuple[float, float]) -> Surest | None:
    """The counter of answers by argmax; None where it has none.

    Args:
        scores: (M, N, C).
        goal: of the same rows.
        reach: least and greatest score.
    """
    target, factors, (_, num_rows, num_columns) = goal.target, goal.factors, scores.shape
    low, high = reach
    if target.shape != (num_rows,) or num_columns < 2:
        return None
    if factors is not None and (low < 0 or high > 1 or factors.min() < 0):
        return None
    if factors is not None:
        low, high = 0.0, high * float(factors.max())
    order = np.argsort(target, kind="stable")
    size = max(num_columns, int(target.max()) + 1)
    ends = np.searchsorted(target[order], np.arange(size + 1)).tolist()
    blocks = [
        (truth, slice(start, min(start + _BLOCK, end)))
        for truth, (first, end) in enumerate(pairwise(ends))
        for start in range(first, end, _BLOCK)
    ]
    part = (high - low) / _PARTS if high > low else 1.0
    weight = None if goal.weight is None else goal.weight[order]
    coarse = _coarse(scores, factors, low, part, [order[rows] for _, rows in blocks])
    farthest = max(abs(reach[0]), abs(reach[1]))
    return Surest(scores, factors, order, blocks, weight, coarse, part, farthest, size)


def _coarse(
    scores: np.ndarray,
    factors: np.ndarray | None,
    low: float,
    part: float,
    blocks: list[np.ndarray],
) -> list[np.ndarray]:
    """Scores above `low` in whole numbers of `part`, (M, C, n) of each block of row numbers."""
    num_members, num_rows, num_columns = scores.shape
    coarse = [np.empty((num_members, num_columns, len(rows)), np.int16) for rows in blocks]
    columns = np.empty((num_columns, num_rows), dtype=np.int16)
    scale = 1 / part if factors is None else factors / part
    for member, values in enumerate(scores):
        for start in range(0, num_rows, _BLOCK):
            rows = slice(start, start + _BLOCK)
            columns[:, rows] = (values[rows] * scale - low / part).astype(np.int16).T
        for places, block in zip(blocks, coarse, strict=True):
            np.take(columns, places, axis=1, out=block[member], mode="clip")
    return coarse


def _called(
    step: Step, base: np.ndarray, numbers: np.ndarray, is_level: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which class each row is called by each member's candidate, and which rows are not clear.

    Args:
        step: tells the sign.
        base: (C, n) of the step.
        numbers: (m, C, n) of members.
        is_level: (n,) rows that are never clear.

    Returns:
        (m, C, n) and (m, n) bool; rows that are not clear are called nothing.
    """
    sums = base + numbers if step.factor > 0 else base - numbers
    highest = sums.max(axis=1, keepdims=True)
    highest -= _NEAR
    is_near = sums >= highest
    if is_level.any():
        is_near[:, :, is_level] = True
    is_unclear = np.zeros((len(numbers), base.shape[1]), dtype=bool)
    if np.count_nonzero(is_near) > is_unclear.size:
        is_unclear = np.add.reduce(is_near, axis=1, dtype=np.int16) > 1
        is_near &= ~is_unclear[:, None]
    return is_near, is_unclear


def _weigh(is_called: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """The weight of the rows that are true, along the last axis."""
    if weight is not None:
        weighed: np.ndarray = is_called @ weight
        return weighed
    lines = is_called.reshape(-1, is_called.shape[-1])
    counts = np.array([np.count_nonzero(line) for line in lines], dtype=np.float64)
    return counts.reshape(is_called.shape[:-1])
