"""Log loss of all candidates: the true class's column alone, and one logarithm for 16 rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from foldwise.blending.goal import Goal
from foldwise.blending.search.step import Step, around

#: Rows at a time: the step's sum of them stays in a core's cache while members pass.
_BLOCK = 2**16
#: The metric moves probabilities into [_CLIP, 1 - _CLIP].
_CLIP = 1e-15
#: Products of 2**_HALVINGS probabilities stay above 1e-240, so that one logarithm does.
_HALVINGS = 4
#: Row sums as near to 1 as this change the mean logarithm by their mean distance from 1, and
#: by less than 1e-12 beyond it.
_NEAR = 1e-6


@dataclass(frozen=True)
class LogLoss:
    """E probabilities a member: of each row's true class, or of each row and column.

    Attributes:
        scores: (M, N, C).
        factors: (C,), or None for ones.
        at: (E,) where the probabilities stand in a flat (N, C); None: all of it.
        true: (M, E) the members' probabilities.
        flip: (E,) 1 where the probability is that of the class that is not true; None: nowhere.
        weight: (E,), or None for ones.
        excess: (M,) mean distance of row sums from 1; None where a row's sum must be divided by.
        doubt: by how much a score may be off, beyond rounding.
    """

    scores: np.ndarray
    factors: np.ndarray | None
    at: np.ndarray | None
    true: np.ndarray
    flip: np.ndarray | None
    weight: np.ndarray | None
    excess: np.ndarray | None
    doubt: float

    def bounds(self, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """Minus the losses, a rounding error apart."""
        flat = step.base.reshape(-1)
        base = flat if self.at is None else flat[self.at]
        is_divided = self.flip is None and (self.excess is None or step.is_bounded)
        is_plain = self.flip is None and not is_divided
        # Where only a sum is looked at, it is divided once, as a logarithm.
        mixed = replace(step, size=1.0) if is_plain else step
        lowest, highest = (_CLIP * step.size, np.inf) if is_plain else (_CLIP, 1 - _CLIP)
        total = np.zeros(len(self.true))
        for start in range(0, len(base), _BLOCK):
            part = slice(start, start + _BLOCK)
            weight = None if self.weight is None else self.weight[part]
            is_inside = is_plain and step.factor > 0 and base[part].min() >= lowest
            for member in range(len(total)):
                probs = mixed.mix(base[part], self.true[member, part])
                if self.flip is not None:
                    np.abs(np.subtract(self.flip[part], probs, out=probs), out=probs)
                if is_divided:
                    self._divide(probs, step, member, part)
                if not is_inside:
                    np.clip(probs, lowest, highest, out=probs)
                total[member] += _sum_of_logs(probs) if weight is None else np.log(probs) @ weight
        values = total / (len(base) if self.weight is None else self.weight.sum())
        if is_plain and self.excess is not None:
            mean = float(np.average(_row_sums(step.base), weights=self.weight))
            values -= np.log(step.size) + (mean + step.factor * (1 + self.excess)) / step.size - 1
        low, high = around(values)
        return low - self.doubt, high + self.doubt

    def _divide(self, probs: np.ndarray, step: Step, member: int, rows: slice) -> None:
        """Multiply by the true class's factor and divide by the row's sum, in place."""
        sums = np.zeros(len(probs))
        for column in range(self.scores.shape[2]):
            values = step.mix(step.base[rows, column], self.scores[member, rows, column])
            sums += values if self.factors is None else values * self.factors[column]
        is_empty = sums == 0
        if is_empty.any():
            if not step.finish.sums_to_1:
                raise ValueError("rows of blended scores sum to 0: not probabilities")
            # Equal shares, as `Finish` gives them.
            ones = np.ones(self.scores.shape[2]) if self.factors is None else self.factors
            probs[is_empty], sums[is_empty] = 1.0, ones.sum()
        probs /= sums
        if self.factors is not None and self.at is not None:
            probs *= self.factors[self.at[rows] % len(self.factors)]


def log_loss(scores: np.ndarray, goal: Goal, reach: tuple[float, float]) -> LogLoss | None:
    """The criterion of log loss; None where the metric would refuse members, or knows more."""
    target, (num_members, num_rows, num_columns) = goal.target, scores.shape
    is_open_ended = target.ndim == 1 and num_columns > 1 and goal.factors is None
    if target.dtype.kind not in "iub" or reach[0] < 0:
        return None
    if not is_open_ended and reach[1] > 1:
        return None
    top = 2 if target.ndim == 2 else max(2, num_columns)
    if target.min() < 0 or target.max() >= top:
        return None
    if target.ndim == 2 or num_columns == 1:
        if goal.factors is not None or target.size != num_rows * num_columns:
            return None
        weight = None if goal.weight is None else np.repeat(goal.weight, num_columns)
        flip = (target.reshape(-1) == 0).astype(np.float64)
        flat = scores.reshape(num_members, -1)
        return LogLoss(scores, None, None, flat, flip, weight, excess=None, doubt=0.0)
    at = np.arange(num_rows) * num_columns + target.astype(np.int64)
    true = np.empty((num_members, num_rows))
    excess, farthest = np.empty(num_members), 0.0
    for member, values in enumerate(scores):
        values.reshape(-1).take(at, out=true[member], mode="clip")
        if goal.factors is None:
            distance = _row_sums(values) - 1
            farthest = max(farthest, float(distance.max()), -float(distance.min()))
            excess[member] = np.average(distance, weights=goal.weight)
    if goal.factors is not None or farthest > _NEAR:
        return LogLoss(scores, goal.factors, at, true, None, goal.weight, excess=None, doubt=0.0)
    # A clipped probability does not feel its row's sum; only rows that all members deem next to
    # impossible can be clipped.
    is_impossible = true.min(axis=0) < 100 * _CLIP
    doubt = farthest * float(np.average(is_impossible, weights=goal.weight))
    return LogLoss(scores, None, at, true, None, goal.weight, excess, doubt)


def _row_sums(scores: np.ndarray) -> np.ndarray:
    sums: np.ndarray = scores @ np.ones(scores.shape[1])
    return sums


def _sum_of_logs(probs: np.ndarray) -> float:
    """The sum of the logarithms; overwrites what it is given."""
    length = len(probs)
    for _ in range(_HALVINGS):
        half = length // 2
        # With an odd length the one in the middle waits for the next round.
        probs[:half] *= probs[length - half : length]
        length -= half
    return float(np.log(probs[:length]).sum())
