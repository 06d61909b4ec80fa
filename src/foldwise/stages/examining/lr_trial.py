"""The job behind `doctor --lr-range`: training steps at a rate that rises at every step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from foldwise import device as machine
from foldwise import seeding
from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.data.batches import Batch
from foldwise.engine.assemble import Assembly
from foldwise.engine.fit import Step, fit
from foldwise.engine.fit_step import NonFiniteLossError
from foldwise.engine.fitting import fit_plan, fit_state, image_batches
from foldwise.engine.memory import in_parts
from foldwise.home import Home
from foldwise.optim.schedule import Stage
from foldwise.stages.examining.lr_range import (
    FEWEST_STEPS,
    FLOWN_OFF,
    LrRange,
    read_range,
    rising_rates,
)
from foldwise.stages.training.memory import check_cut
from foldwise.tasks.problem import open_problem

LOWEST, HIGHEST, STEPS = 1e-7, 1.0, 100


def range_test(home: str, recipe: str) -> LrRange:
    """Train for up to 100 steps from 1e-7 to 1, on images as the recipe augments them.

    Args:
        home: the competition's folder; images are prepared.
        recipe: resolved, as JSON.

    Raises:
        NonFiniteLossError: the loss is not finite at the lowest rates already.
        RunError: one image at a time is too much, or the loss takes whole batches.
    """
    problem = open_problem(Home(Path(home)))
    resolved = from_values(json.loads(recipe), Recipe, source="recipe")
    # Every step is an epoch here, and averages of weights are none of its business.
    averages = {"lookahead": None, "ema": None, "average_last": 0}
    train = resolved.train.model_copy(update=averages)
    assembly = Assembly(problem, resolved.model_copy(update={"train": train}))
    rates = rising_rates(LOWEST, HIGHEST, STEPS)
    losses = in_parts(
        lambda parts: _losses(assembly, rates, parts),
        batch=min(train.batch, len(problem.train)),
        parts=train.accumulate,
        cut=partial(check_cut, assembly),
    )
    return read_range(rates[: len(losses)], losses)


def _losses(assembly: Assembly, rates: Sequence[float], parts: int) -> list[float]:
    """Of a step at each rate, as far as it does not fly off."""
    device = machine.pick()
    torch.manual_seed(seeding.key("weights", 0, -1))
    network = assembly.network()
    longest = max(assembly.stages(), key=lambda stage: (stage.trainable != "head", stage.epochs))
    rows = np.arange(len(assembly.problem.train))
    batches = _endless(assembly, rows)
    plan = fit_plan(
        assembly,
        rows,
        device,
        batches=lambda epoch, first: iter([next(batches)]),
        stages=tuple(Stage(1, longest.trainable, lr, lr, "constant") for lr in rates),
        seed=0,
        fold=-1,
    )
    plan = replace(plan, num_steps=1, on_nonfinite="stop", accumulate=parts)
    losses: list[float] = []
    try:
        for event in fit(fit_state(assembly, network, device), plan):
            if isinstance(event, Step):
                losses.append(event.loss)
                if losses[-1] > FLOWN_OFF * max(losses[:FEWEST_STEPS]):
                    break
    except NonFiniteLossError:
        if len(losses) < FEWEST_STEPS:
            raise
    return losses


def _endless(assembly: Assembly, rows: np.ndarray) -> Iterator[Batch]:
    """Batches of training, epoch after epoch."""
    epochs = image_batches(assembly, rows, seed=0, fold=-1)
    epoch = 0
    while True:
        yield from epochs(epoch, 0)
        epoch += 1
