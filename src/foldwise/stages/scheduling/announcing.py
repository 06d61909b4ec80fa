"""Says before the units of a run are trained how long they will take, stage by stage."""

from __future__ import annotations

from collections.abc import Sequence

from foldwise.stages.display import Display
from foldwise.stages.progress import duration
from foldwise.stages.scheduling.forecast import (
    measure,
    num_epochs,
    run_seconds,
)
from foldwise.stages.scheduling.lanes import side_by_side
from foldwise.stages.scheduling.phases import kinds
from foldwise.stages.scheduling.rates import Rates
from foldwise.stages.scheduling.unit_forecast import Forecast, unit_forecast
from foldwise.stages.training.unit import Unit

#: Pixels trained on (2000 images of 224 px) that take about a minute: no trial for less.
_WORTH_PX = 1e8


def announced(units: Sequence[Unit], show: Display) -> dict[str, Rates]:
    """Say how long the units of a run that are not done will take; a short trial tells.

    Args:
        units: of one run, at the length they are to have.
        show: where it is said.

    Returns:
        Run → its rates; nothing for what is soon done, and where the trial failed, as training
        will, which says why.
    """
    waiting = [unit for unit in units if not unit.is_done()]
    if not waiting or _is_soon_done(waiting):
        return {}
    first = waiting[0]
    rates, _ = measure(first.problem.home, {first.run.name: first.recipe})
    if first.run.name in rates:
        for line in told(waiting, rates[first.run.name]):
            show.say(f"  {first.run.name}: {line}")
    return rates


def told(waiting: Sequence[Unit], rates: Rates, *, parallel: int | None = None) -> list[str]:
    """One unit stage by stage, and all of them side by side; as lines.

    Args:
        waiting: units of one run, at least one.
        rates: of their recipe.
        parallel: units at a time; None: by GPUs or cores.
    """
    first = waiting[0]
    epochs = first.epochs or num_epochs(first.recipe)
    one = unit_forecast(first, rates, epochs)
    total = run_seconds(waiting, rates, epochs, parallel=parallel)
    return forecast_lines(one, len(waiting), total, parallel=parallel)


def forecast_lines(
    one: Forecast, num_units: int, total: float, *, parallel: int | None = None
) -> list[str]:
    """The forecast of one unit and of all, in words."""
    at_once = min(side_by_side(parallel)[0], num_units)
    lines = [f"one unit: {one}"]
    if num_units > 1:
        how = f"{at_once} at a time" if at_once > 1 else "one after the other"
        lines.append(f"{num_units} units, {how}: about {duration(total)}")
    return lines


def _is_soon_done(waiting: Sequence[Unit]) -> bool:
    first = waiting[0]
    if first.recipe.freeze == "backbone" or first.recipe.is_second_level:
        return True  # Features take the time, and show it themselves.
    pixels = sum(kind.size**2 for kind in kinds(first.recipe, first.epochs))
    return pixels * sum(unit.num_fitted for unit in waiting) < _WORTH_PX
