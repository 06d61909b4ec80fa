"""Rules on the course of training: rates, epochs, averages, stopping, time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import starmap

from foldwise.engine import frozen
from foldwise.parts import name_of
from foldwise.stages.examining import unhonoured
from foldwise.stages.examining.cases import RecipeCase
from foldwise.stages.examining.finding import Fault, error, warning

_ADAM_LIKE = ("adam", "radam", "nadam", "adamw", "adabelief", "lamb", "adan", "lion")
#: Full fine-tuning at 1e-3 from the first epoch scored 0.69 where the frozen features gave 0.92.
_HIGH_TUNING, _HIGH_SCRATCH = 1e-3, 3e-2


def lr_order(case: RecipeCase) -> Iterator[Fault]:
    """The lowest rate is above the highest, or a stage's rates contradict its course."""
    train = case.recipe.train
    if not case.own_stages:
        if train.min_lr > train.lr:
            yield error(
                "train.min_lr",
                f"{train.min_lr:g} is above train.lr, {train.lr:g}",
                "lower train.min_lr or raise train.lr",
            )
        return
    yield from unhonoured.unreached_rates(case.recipe)
    for index, stage in enumerate(case.own_stages):
        if stage.start_lr == stage.end_lr == 0:
            key = f"train.schedule.stages.{index}"
            yield error(key, "both rates are 0: nothing is learned", "give it a rate or drop it")
    last = case.own_stages[-1]
    if last.shape != "constant" and last.end_lr > last.start_lr:
        yield warning(
            f"train.schedule.stages.{len(case.own_stages) - 1}",
            f"training ends while the rate rises, from {last.start_lr:g} to {last.end_lr:g}",
            "swap start_lr and end_lr, or add a stage that cools down",
        )


def schedule_length(case: RecipeCase) -> Iterator[Fault]:
    """Warm-up, head and hold take more epochs than there are."""
    train, schedule = case.recipe.train, case.recipe.train.schedule
    if case.own_stages or train.epochs == 0:
        return
    if name_of(schedule.preset) != "staged":
        if schedule.warmup >= train.epochs:
            yield error(
                "train.schedule.warmup",
                f"{schedule.warmup} epochs of warm-up leave nothing of train.epochs {train.epochs}",
                f"use at most {train.epochs - 1}, or more epochs",
            )
        return
    taken = schedule.head + schedule.warmup + schedule.hold
    words = f"head {schedule.head} + warm-up {schedule.warmup} + hold {schedule.hold}"
    if taken > train.epochs:
        yield error(
            "train.schedule",
            f"{words} = {taken} epochs are more than train.epochs {train.epochs}",
            "give more epochs, or shorten these",
        )
    elif taken == train.epochs and schedule.head < train.epochs:
        yield warning(
            "train.schedule",
            f"{words} take all {train.epochs} epochs: training ends at its highest rate",
            "leave some epochs for the cool-down",
        )


def unused_key(case: RecipeCase) -> Iterator[Fault]:
    """A key is given that the input or the schedule does not read."""
    yield from unhonoured.unused_keys(case.recipe, case.places)


def lr_high(case: RecipeCase) -> Iterator[Fault]:
    """The rate is one at which training like this is known to fall apart."""
    train, optimizer = case.recipe.train, name_of(case.recipe.train.optimizer)
    if case.is_frozen or case.own_stages or not case.num_epochs or optimizer not in _ADAM_LIKE:
        return
    tunes = case.is_pretrained and train.trainable != "head"
    limit = _HIGH_TUNING if tunes else _HIGH_SCRATCH
    if train.lr >= limit * (1 if tunes else 1.0001):
        what = "fine-tuning pretrained weights" if tunes else "training from scratch"
        yield warning(
            "train.lr",
            f"{train.lr:g} is high for {what} with {optimizer}",
            f"try {limit / 5:g}" if tunes else "try 1e-3 to 3e-3",
        )


def average_last(case: RecipeCase) -> Iterator[Fault]:
    """More last epochs are to be averaged than there are."""
    yield from unhonoured.too_long_average(case.recipe)


def ema_window(case: RecipeCase) -> Iterator[Fault]:
    """The moving average would reach back further than training lasts."""
    decay, steps = case.recipe.train.ema, case.num_steps
    if decay is None or not steps:
        return
    window = 1 / (1 - decay)
    if window > steps:
        yield warning(
            "train.ema",
            f"{decay:g} averages over about {window:.0f} steps, training has {steps}; "
            f"the warm-up keeps the decay at {(1 + steps) / (10 + steps):.3f} at most",
            f"use {max(0.5, 1 - 10 / steps):.3g}, or average_last",
        )


def frozen_training(case: RecipeCase) -> Iterator[Fault]:
    """Something is asked of layers that a frozen backbone does not train."""
    yield from starmap(error, frozen.unused_training(case.recipe))


def optimistic_stop(case: RecipeCase) -> Iterator[Fault]:
    """The epoch is chosen on the very rows the score is taken from."""
    if case.recipe.train.stop == "validation":
        yield warning(
            "train.stop",
            "validation chooses the epoch on the held-out fold itself; every score of this run "
            "is marked optimistic",
            "use fixed, inner or cross",
        )


def cross_stop(case: RecipeCase) -> Iterator[Fault]:
    """The epoch is to come from the other folds' curves, and there is no other fold."""
    yield from unhonoured.without_curves(case.recipe)


def refit_stop(case: RecipeCase) -> Iterator[Fault]:
    """A model on all rows has no held-out rows to choose its epoch by."""
    yield from unhonoured.without_held_out_rows(case.recipe)


RULES: dict[str, Callable[[RecipeCase], Iterator[Fault]]] = {
    "lr-order": lr_order,
    "schedule-length": schedule_length,
    "unused-key": unused_key,
    "lr-high": lr_high,
    "average-last": average_last,
    "ema-window": ema_window,
    "frozen-training": frozen_training,
    "optimistic-stop": optimistic_stop,
    "cross-stop": cross_stop,
    "refit-stop": refit_stop,
}
