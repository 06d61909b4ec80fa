"""Runs and shows the learning-rate range test of a recipe."""

from __future__ import annotations

from foldwise.cluster.local import run_jobs
from foldwise.errors import RunError
from foldwise.home import Home
from foldwise.stages.display import Display
from foldwise.stages.examining.cases import RecipeCase
from foldwise.stages.examining.lr_range import LrRange
from foldwise.stages.examining.trial_jobs import measuring_job, trial_log

_FUNCTION = "foldwise.stages.examining.lr_trial:range_test"
_LIMIT_S = 900.0


def show_lr_range(home: Home, case: RecipeCase, display: Display) -> LrRange:
    """Print how a recipe's loss answers to the rate, and what the recipe's own rate is in that.

    Args:
        home: the competition.
        case: the recipe, which nothing speaks against.
        display: where it is shown.

    Raises:
        RunError: the test could not be run.
    """
    job = measuring_job(home, case, _FUNCTION, name=case.name, limit_s=_LIMIT_S)
    display.say(f"  {case.name}: training steps at a rising rate ...")
    (outcome,) = run_jobs([job], parallel=1)
    if outcome.error is not None:
        raise RunError(f"{case.name}: range test: {outcome.error}", remedy=f"see {trial_log(home)}")
    found: LrRange = outcome.value
    lr = case.recipe.train.lr
    display.say(f"  {case.name}: loss from {found.rates[0]:.0e} to {found.rates[-1]:.0e}")
    display.say(f"  {found.drawn()}")
    if found.steepest is None:
        display.warn(f"{case.name}: the loss falls at no rate: see the trial's findings above")
        return found
    display.say(
        f"  {case.name}: the loss falls fastest at {found.steepest:.1e} and turns up after "
        f"{found.highest:.1e}; train.lr is {lr:.1e}"
    )
    if lr > found.highest:
        display.warn(
            f"{case.name}: train.lr {lr:g} is above {found.highest:.1e}, where the loss turned up: "
            f"try {found.steepest:.1e}, or a longer warm-up"
        )
    return found
