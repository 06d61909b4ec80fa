"""Measures and shows what steps of a recipe cost: the trade between batch, size and time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psutil
from rich.table import Table

from foldwise import device as machine
from foldwise.cluster.local import run_jobs
from foldwise.errors import RunError
from foldwise.home import Home
from foldwise.stages.display import Display
from foldwise.stages.examining.cases import RecipeCase
from foldwise.stages.examining.costs import Cost, CostModel, near_size, trial_points
from foldwise.stages.examining.trial_jobs import measuring_job, trial_log
from foldwise.stages.scheduling.lanes import side_by_side

_FUNCTION = "foldwise.stages.examining.cost_trial:cost_of_step"
#: Shares of a recipe's size that the table shows.
_SHARES = (0.72, 1.0, 1.28)
_MOST_SHOWN = 512
#: Of the memory there is, what a unit may take: fragments and the display need some.
_USABLE = 0.9
_TRIAL_LIMIT_S = 120.0


def show_costs(home: Home, case: RecipeCase, display: Display) -> None:
    """Print memory and time of a recipe's steps by precision, batch and size.

    Of each precision, what the device has in hardware and what the recipe asks for; with the
    largest batch that fits, and how to cut the recipe's own where it does not.

    Args:
        home: the competition.
        case: the recipe, which nothing speaks against.
        display: where it is shown.

    Raises:
        RunError: no trial in the recipe's own precision went well.
    """
    own, *others = _precisions(case.recipe.train.precision)
    largest = _show(home, case, own, display)
    _advise(case, largest, display)
    for precision in others:
        try:
            _show(home, case, precision, display)
        except RunError as problem:
            display.warn(str(problem))
    if "bf16" not in (own, *others):
        display.say("  bf16 is left out: this device has no instructions for it")


def _precisions(asked: str) -> list[str]:
    """Those to try: the recipe's own first, then fp32 and the half precision at hand."""
    from foldwise.engine.precision import autocast_dtype, precisions_of

    device = machine.pick()
    if asked == "auto":
        asked = "fp32" if autocast_dtype(asked, device) is None else "bf16"
    return list(dict.fromkeys([asked, *precisions_of(device)[:2]]))


def _show(home: Home, case: RecipeCase, precision: str, display: Display) -> int:
    """Measure and print what steps cost in a precision; returns the largest batch that fits."""
    train = case.recipe.train.model_copy(update={"precision": precision})
    case = replace(case, recipe=case.recipe.model_copy(update={"train": train}))
    recipe = case.recipe
    corners, checked = trial_points(recipe.train.batch, recipe.input.size)
    trials = list(_measured(home, case, (*corners, checked)))
    fitted = [cost for cost in trials if (cost.batch, cost.size) != checked]
    if not fitted:
        raise RunError(
            f"{case.name}: no step could be tried in {precision}, not even with {corners[0][0]} "
            "images",
            remedy=f"see {trial_log(home)}",
        )
    model = CostModel.of(fitted)
    memory = _USABLE * _memory_of_a_unit(fitted[0].device)
    display.console.print(_table(case, model, memory))
    most = max(_MOST_SHOWN, recipe.train.batch)
    if num_failed := len(corners) - len(fitted):
        # Too few points to tell the parts of the model from each other beyond them.
        most = max(cost.batch for cost in fitted)
        display.warn(
            f"{case.name}: {num_failed} of {len(corners)} trials failed in {precision}, so no more "
            f"than {most} images are counted on: see {trial_log(home)}"
        )
    largest = model.largest_batch(recipe.input.size, memory, most=most)
    display.say(
        f"  {case.name}: in {precision} {'at least' if largest == most else 'up to'} {largest} "
        f"images of {recipe.input.size} px at a time fit into {memory / 2**30:.1f} GiB, which a "
        "unit may use here"
    )
    if (found := trials[-1]) not in fitted:
        forecast = model.at(*checked)
        display.say(
            f"  checked on {found.batch} images of {found.size} px: memory "
            f"{forecast.memory / found.memory - 1:+.0%}, time "
            f"{forecast.seconds / found.seconds - 1:+.0%} off"
        )
    return largest


def _advise(case: RecipeCase, largest: int, display: Display) -> None:
    """Warn where a part of the recipe's batch is more than fits."""
    train = case.recipe.train
    if largest == 0:
        display.warn(
            f"{case.name}: not even one image fits: use a smaller input.size or network, or fewer "
            "units side by side"
        )
    elif largest < -(-train.batch // train.accumulate):
        parts = -(-train.batch // largest)
        display.warn(f"{case.name}: set train.accumulate: {parts} for its {train.batch}")


def _measured(home: Home, case: RecipeCase, points: tuple[tuple[int, int], ...]) -> Iterator[Cost]:
    """One after the other, each in a fresh process whose memory is its own."""
    jobs = [
        measuring_job(
            home,
            case,
            _FUNCTION,
            batch,
            size,
            name=f"{case.name}, {batch} images of {size} px",
            limit_s=_TRIAL_LIMIT_S * len(points),
        )
        for batch, size in points
    ]
    for outcome in run_jobs(jobs, parallel=1):
        if outcome.error is None:
            yield outcome.value


def _memory_of_a_unit(device: str) -> float:
    """Bytes: of the GPU, or of this machine shared by the units side by side."""
    if device == "cuda":
        import torch

        return float(torch.cuda.get_device_properties(0).total_memory)
    at_once, _ = side_by_side(None)
    return float(psutil.virtual_memory().total) / at_once


def _table(case: RecipeCase, model: CostModel, memory: float) -> Table:
    size = case.recipe.input.size
    sizes = list(dict.fromkeys(size if s == 1 else near_size(size, s) for s in _SHARES))
    table = Table(
        title=f"{case.name} on {model.device} in {case.recipe.train.precision}: memory of a unit, "
        "and images a second",
        title_justify="left",
    )
    table.add_column("batch", justify="right")
    for each in sizes:
        table.add_column(f"{each} px", justify="right")
    batch = 4
    while batch <= _MOST_SHOWN:
        costs = [model.at(batch, each) for each in sizes]
        cells = [
            f"{cost.memory / 2**30:.1f} GiB, {batch / cost.seconds:.0f}/s"
            if cost.memory <= memory
            else "too much"
            for cost in costs
        ]
        table.add_row(str(batch), *cells)
        if all(cost.memory > memory for cost in costs):
            break
        batch *= 2
    return table
