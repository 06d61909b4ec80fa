"""Log loss of all candidates: the true class's column alone, one logarithm for many rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from foldwise.blending.goal import Goal
from foldwise.blending.search.reach import finite_reach
from foldwise.blending.search.step import Step, around

#: Rows at a time: the step's sum of them stays in a core's cache while members pass.
_BLOCK = 2**16
#: Rows at a time of whole members, which stay in a core's cache.
_ROWS = 2**13
#: The metric moves probabilities into [_CLIP, 1 - _CLIP].
_CLIP = 1e-15
#: Powers of ten that products of probabilities stay within, so that one logarithm does for many.
_RANGE = {np.dtype(np.float32): 37.0, np.dtype(np.float64): 300.0}
_MOST_HALVINGS = 6
#: Error of a mean logarithm in single precision, relative to 1 and the mean of their sizes.
_SINGLE = 1e-6
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
        true: (M, E) the members' probabilities; in single precision they tell who may win, and
            these few are looked up in `scores` again.
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
        whole = float(len(base) if self.weight is None else self.weight.sum())
        if not is_plain:
            return around(self._one_by_one(step, base, is_divided) / whole)
        assert self.excess is not None
        if self.weight is None:
            mean = float(step.base.sum()) / len(base)
        else:
            mean = float(np.average(_row_sums(step.base), weights=self.weight))
        beside = np.log(step.size) + (mean + step.factor * (1 + self.excess)) / step.size - 1
        means = self._plain(step, base, self.true) / whole
        if self.true.dtype == np.float64:
            low, high = around(means - beside)
            return low - self.doubt, high + self.doubt
        room = _SINGLE * (1 + np.abs(means) + 2 * np.log(step.size + abs(step.factor)))
        low, high = means - beside - room - self.doubt, means - beside + room + self.doubt
        for member in np.flatnonzero(high >= low.max()):
            true = self._exact(int(member), slice(None))[None]
            ends = around(self._plain(step, base, true) / whole - beside[member])
            low[member], high[member] = ends[0][0] - self.doubt, ends[1][0] + self.doubt
        return low, high

    def _plain(self, step: Step, base: np.ndarray, true: np.ndarray) -> np.ndarray:
        """(M,) sums of the logarithms of sums, which are divided once, as a logarithm."""
        base = base.astype(true.dtype, copy=False)
        lowest, most = _CLIP * step.size, step.size + abs(step.factor)
        buffer = np.empty(min(_BLOCK, len(base)), dtype=true.dtype)
        total = np.zeros(len(true))
        for start in range(0, len(base), _BLOCK):
            part = base[start : start + _BLOCK]
            rows, probs = slice(start, start + len(part)), buffer[: len(part)]
            least = float(part.min()) if step.factor > 0 else 0.0
            for member, values in enumerate(true):
                if step.factor == 1:
                    np.add(part, values[rows], out=probs)
                else:
                    np.multiply(values[rows], step.factor, out=probs)
                    probs += part
                if least < lowest:
                    np.maximum(probs, lowest, out=probs)
                if self.weight is None:
                    total[member] += _sum_of_logs(probs, max(least, lowest), most)
                else:
                    total[member] += np.log(probs, out=probs) @ self.weight[rows]
        return total

    def _one_by_one(self, step: Step, base: np.ndarray, is_divided: bool) -> np.ndarray:
        """(M,) sums of the logarithms of blended probabilities."""
        total = np.zeros(len(self.true))
        for start in range(0, len(base), _BLOCK):
            part = slice(start, start + _BLOCK)
            weight = None if self.weight is None else self.weight[part]
            for member in range(len(total)):
                probs = step.mix(base[part], self._exact(member, part))
                if self.flip is not None:
                    np.abs(np.subtract(self.flip[part], probs, out=probs), out=probs)
                if is_divided:
                    self._divide(probs, step, member, part)
                np.clip(probs, _CLIP, 1 - _CLIP, out=probs)
                total[member] += (
                    _sum_of_logs(probs, _CLIP, 1.0) if weight is None else np.log(probs) @ weight
                )
        return total

    def _exact(self, member: int, rows: slice) -> np.ndarray:
        """A member's probabilities in double precision."""
        if self.at is None or self.true.dtype == np.float64:
            return self.true[member, rows]
        found: np.ndarray = self.scores[member].reshape(-1).take(self.at[rows])
        return found

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


def log_loss(scores: np.ndarray, goal: Goal) -> LogLoss | None:
    """The criterion of log loss; None where the metric would refuse members, or knows more."""
    target, (num_members, num_rows, num_columns) = goal.target, scores.shape
    if target.dtype.kind not in "iub":
        return None
    # Without factors, rows of probabilities are looked at below, where their sums are.
    if target.ndim == 2 or num_columns == 1 or goal.factors is not None:
        reach = finite_reach(scores)
        if reach is None or reach[0] < 0 or reach[1] > 1:
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
    # Factors, weights and row sums need exact numbers of all members.
    is_single = goal.factors is None and goal.weight is None
    true = np.empty((num_members, num_rows), dtype=np.float32 if is_single else np.float64)
    excess, distance = np.empty(num_members), np.empty(num_rows)
    least, farthest = 0.0, 0.0
    for member, values in enumerate(scores):
        if goal.factors is not None:
            true[member] = values.reshape(-1).take(at)
            continue
        # Rows in blocks: each is fetched from memory once, for its sum and its true class.
        for start in range(0, num_rows, _ROWS):
            part = slice(start, start + _ROWS)
            block = values[part]
            true[member, part] = block.reshape(-1).take(at[part] - start * num_columns)
            np.subtract(_row_sums(block), 1, out=distance[part])
            least = min(least, float(block.min()))
        lowest, highest = float(distance.min()), float(distance.max())
        if least < 0 or not (math.isfinite(lowest) and math.isfinite(highest)):
            return None
        farthest = max(farthest, highest, -lowest)
        excess[member] = np.average(distance, weights=goal.weight)
    if goal.factors is not None or farthest > _NEAR:
        if is_single:
            true = np.stack([values.reshape(-1).take(at) for values in scores])
        return LogLoss(scores, goal.factors, at, true, None, goal.weight, excess=None, doubt=0.0)
    # A clipped probability does not feel its row's sum; only rows that all members deem next to
    # impossible can be clipped.
    is_impossible = true.min(axis=0) < 100 * _CLIP
    doubt = farthest * float(np.average(is_impossible, weights=goal.weight))
    return LogLoss(scores, None, at, true, None, goal.weight, excess, doubt)


def _row_sums(scores: np.ndarray) -> np.ndarray:
    # A product with ones would keep all of the library's threads busy.
    sums: np.ndarray = np.einsum("ij->i", scores)
    return sums


def _sum_of_logs(probs: np.ndarray, least: float, most: float) -> float:
    """The sum of the logarithms; overwrites what it is given.

    Args:
        probs: (E,).
        least: none is below.
        most: none is above.
    """
    power = max(-math.log10(least), math.log10(most), 1e-3)
    num_halvings = int(min(_MOST_HALVINGS, math.log2(_RANGE[probs.dtype] / power)))
    length = len(probs)
    for _ in range(num_halvings):
        half = length // 2
        # With an odd length the one in the middle waits for the next round.
        probs[:half] *= probs[length - half : length]
        length -= half
    return float(np.log(probs[:length]).sum(dtype=np.float64))
