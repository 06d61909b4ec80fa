"""Gains on one scale: cross-fitted with its interval, the naive one beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foldwise.stages.reporting.strips import axis_strip, common_scale, interval_strip


@dataclass(frozen=True)
class Gain:
    """How much better something is than something simpler; positive is better.

    Attributes:
        name: what it is over.
        cross_fitted: None where nothing could be cross-fitted.
        naive: None where it is not known.
        ends: of the paired interval of the cross-fitted gain; None without one.
        verdict: `gain`, `loss`, `undecided`.
    """

    name: str
    cross_fitted: float | None
    naive: float | None
    ends: tuple[float, float] | None
    verdict: str


def gain_table(gains: Sequence[Gain]) -> dict[str, Any]:
    """Rows with a strip each, and the axis they share."""
    values = [0.0]
    for gain in gains:
        known = (gain.cross_fitted, gain.naive, *(gain.ends or ()))
        values += [value for value in known if value is not None]
    # Nothing but zeros has no scale of its own.
    scale = common_scale(values if any(values) else [-1.0, 1.0])
    return {
        "rows": [
            {
                "name": gain.name,
                "cross_fitted": gain.cross_fitted,
                "naive": gain.naive,
                "ends": gain.ends,
                "verdict": gain.verdict,
                "plot": interval_strip(
                    scale,
                    gain.cross_fitted,
                    gain.ends,
                    rules=(0.0,),
                    look="b",
                    naive=gain.naive,
                    about=f"gain {gain.name}: cross-fitted with its interval, naive",
                ),
            }
            for gain in gains
        ],
        "axis": axis_strip(scale, "gain, right of 0 is better", most=4),
        "has_naive": any(gain.naive is not None for gain in gains),
    }
