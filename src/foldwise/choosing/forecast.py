"""How many more seeds would settle a comparison, if the difference seen is the true one."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal

from scipy.special import stdtrit

from foldwise.choosing.noise import Noise

#: More seeds than this are not counted: nobody trains them.
MOST_SEEDS = 200

Reason = Literal["settled", "seeds", "too many seeds", "samples", "unknown", "no seeds", "units"]


@dataclass(frozen=True)
class Forecast:
    """What would settle it.

    Attributes:
        more: further seeds of both recipes; None: no number would do.
        reason: `settled`: nothing is needed. `seeds`: `more` of them. `too many seeds`: beyond
            `MOST_SEEDS`. `samples`: never by seeds alone, the rows' own noise leaves it open.
            `unknown`: how much seeds matter; `more` would tell. `no seeds`: there is nothing to
            repeat. `units`: too few rows or groups for any interval.
    """

    more: int | None
    reason: Reason


def forecast(
    difference: float,
    noise: Noise,
    *,
    has_seeds: bool,
    num_seeds: int,
    level: float,
    is_settled: bool,
) -> Forecast:
    """How many more paired seeds until the interval lies on one side of 0.

    It is even odds, not a promise: at that number the expected difference just reaches the
    interval's half width (simulated: 46 to 56 % of planted effects are settled there by one look).
    Who looks after every added seed is done sooner, in the median at 0.5 to 0.9 of that number,
    and pays for it with false verdicts (see `paired.FALSE_WHEN_PEEKING`). Forecasts from three
    seeds lie 0.6 to 1.1 times as high in the median as those from the true noise and difference.

    Args:
        difference: seen, taken for true.
        noise: of it; without `per_pair` the noise of seeds is unknown.
        has_seeds: whether the runs can be trained again.
        num_seeds: seeds that both have.
        level: of the interval.
        is_settled: whether a verdict has been given.
    """
    if is_settled:
        return Forecast(0, "settled")
    if not has_seeds:
        return Forecast(None, "no seeds")
    if noise.per_pair is None:
        return Forecast(max(1, 2 - num_seeds), "unknown")
    quantile = (1 + level) / 2
    if abs(difference) <= stdtrit(noise.df_rows, quantile) * noise.lasting**0.5:
        return Forecast(None, "samples")

    def is_enough(total: int) -> bool:
        then = noise.after(total)
        return bool(abs(difference) > stdtrit(then.df, quantile) * then.error)

    # More seeds never widen the interval, so the first number that is enough can be bisected for.
    totals = range(max(2, num_seeds + 1), num_seeds + MOST_SEEDS + 1)
    first = bisect_left(totals, True, key=is_enough)
    return (
        Forecast(totals[first] - num_seeds, "seeds")
        if first < len(totals)
        else Forecast(None, "too many seeds")
    )
