"""Epochs and steps in memory: yields small events and offers its state at each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from foldwise.engine.fit_plan import FitPlan
from foldwise.engine.fit_state import FitState, Sums
from foldwise.engine.fit_step import take_step
from foldwise.engine.memory import step_memory
from foldwise.models.freezing import set_trainable, train_mode
from foldwise.models.network import Network
from foldwise.optim.schedule import Stage, rates


@dataclass(frozen=True)
class Step:
    """One optimiser step was made."""

    epoch: int
    step: int
    num_steps: int
    loss: float
    lr: float
    num_images: int


@dataclass(frozen=True)
class EpochEnd:
    """An epoch is over; the state can be saved now.

    Attributes:
        epoch: from 0.
        num_epochs: of the schedule.
        loss: mean over the epoch's images.
        lr: of the last step.
        terms: mean of each term of a loss that names them.
    """

    epoch: int
    num_epochs: int
    loss: float
    lr: float
    terms: dict[str, float] = field(default_factory=dict)


def fit(state: FitState, plan: FitPlan) -> Iterator[Step | EpochEnd]:
    """Train from where the state is to the schedule's end.

    Yields:
        A Step after each optimiser step and an EpochEnd after each epoch.

    Raises:
        NonFiniteLossError: a loss is not finite and the plan says stop.
        StepMemoryError: memory ran out within a step.
    """
    schedule = rates(plan.stages, plan.num_steps)
    for epoch in range(state.epoch, plan.num_epochs):
        stage = _stage_of(plan.stages, epoch)
        if isinstance(state.network, Network):  # Else it is a head alone: all of it trains.
            set_trainable(state.network, stage.trainable)
        train_mode(state.network, plan.norm)
        staged = plan if stage.augment else replace(plan, mix=None)
        sums, first = state.sums, state.step
        for step, batch in enumerate(plan.batches(epoch, first), start=first):
            lr = float(schedule[epoch * plan.num_steps + step])
            with step_memory():
                loss = take_step(state, staged, batch, epoch, step, lr)
            if not math.isnan(loss):
                sums.loss += loss * len(batch.rows)
                sums.count += len(batch.rows)
            state.step = step + 1
            yield Step(epoch, step, plan.num_steps, loss, lr, len(batch.rows))
        state.epoch, state.step, state.sums = epoch + 1, 0, Sums()
        if state.lookahead is not None:
            # What is scored, averaged and kept are the slow weights.
            state.lookahead.sync(state.network)
        if state.mean is not None:
            state.mean.update(state.network, epoch, plan.num_epochs)
        last = float(schedule[state.epoch * plan.num_steps - 1])
        yield EpochEnd(epoch, plan.num_epochs, sums.loss / max(sums.count, 1), last, sums.means())


def _stage_of(stages: tuple[Stage, ...], epoch: int) -> Stage:
    for stage in stages:
        if epoch < stage.epochs:
            return stage
        epoch -= stage.epochs
    raise AssertionError("epoch beyond the schedule")
