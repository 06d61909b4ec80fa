"""The least ratio of two sums over rows, by Dinkelbach's iteration."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def least_ratio(solve: Callable[[float], T], ratio_of: Callable[[T], float], *, start: float) -> T:
    """The solution with the least `part / whole`.

    Where both are sums, `part - ratio * whole` is a sum too, and its minimum is easily found. At
    the least ratio that minimum is 0; every round moves the ratio down to that of the solution
    found, in practice four or five times.

    Args:
        solve: ratio → the solution with the least `part - ratio * whole`.
        ratio_of: its `part / whole`, with `whole` above 0.
        start: the ratio of any solution; the better, the fewer rounds.

    Source: Dinkelbach (1967), "On nonlinear fractional programming", Management Science 13(7),
    492-498.
    """
    while True:
        solution = solve(start)
        ratio = ratio_of(solution)
        if not ratio < start:
            return solution
        start = ratio
