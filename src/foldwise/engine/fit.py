"""Epochs and steps in memory: yields small events and offers its state at each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils.memory import should_reduce_batch_size
from torch import nn

from foldwise import seeding
from foldwise.data.batches import Batch
from foldwise.data.samplers import RowLosses
from foldwise.engine.checkpoint import Checkpoint, pack_optimizer, unpack_optimizer
from foldwise.engine.sides import Side, with_sides
from foldwise.errors import FoldwiseError
from foldwise.losses.terms import Loss, named, total, weigh
from foldwise.models.freezing import set_trainable, train_mode
from foldwise.models.network import Network
from foldwise.optim.averaging import Ema, WeightMean
from foldwise.optim.lookahead import Lookahead
from foldwise.optim.schedule import Stage, rates
from foldwise.optim.sharpness import Sharpness, at_sharpest

Mix = Callable[[torch.Tensor, torch.Tensor, np.random.Generator], tuple[torch.Tensor, torch.Tensor]]


class NonFiniteLossError(FoldwiseError):
    """The loss of a batch was not finite; `rows` are the batch's rows."""

    def __init__(self, epoch: int, step: int, rows: np.ndarray) -> None:
        self.rows = rows
        super().__init__(
            f"the loss became infinite or NaN in epoch {epoch}, step {step}",
            remedy="lower train.lr, set train.clip: 1.0, use precision fp32, or skip such batches "
            "with train.on_nonfinite: skip",
        )


class StepMemoryError(Exception):
    """The memory of the device ran out within a step; smaller parts of the batch may do."""


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


@dataclass(frozen=True)
class FitPlan:
    """What a fit does.

    Attributes:
        stages: the schedule.
        num_steps: optimiser steps per epoch.
        batches: epoch, steps of it that are done → its other batches.
        target: (N, ...) what the loss takes, on the device.
        row_weights: (N,) float, mean 1, on the device; or None.
        loss: (B, O) logits, (B, ...) target → (B,) losses, or terms by name.
        logit_shift: (O,) added to the logits before the loss, on the device; or None.
        sides: further terms of the loss, on outputs of the network for training alone.
        mix: mixes images and targets of a batch, or None.
        sharpness: where the gradient of a step is taken, or None: at the weights themselves.
        norm: whether batch-norm statistics follow the training images.
        accumulate: parts a batch is cut into.
        clip: largest gradient norm, or None.
        on_nonfinite: what a loss that is not finite does.
        seed: of the run.
        fold: the held-out fold; -1: none.
    """

    stages: tuple[Stage, ...]
    num_steps: int
    batches: Callable[[int, int], Iterator[Batch]]
    target: torch.Tensor
    loss: Loss
    row_weights: torch.Tensor | None = None
    logit_shift: torch.Tensor | None = None
    sides: tuple[Side, ...] = ()
    mix: Mix | None = None
    sharpness: Sharpness | None = None
    norm: Literal["train", "frozen"] = "train"
    accumulate: int = 1
    clip: float | None = None
    on_nonfinite: Literal["stop", "skip"] = "stop"
    seed: int = 0
    fold: int = -1

    @property
    def num_epochs(self) -> int:
        """Epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)


@dataclass
class Sums:
    """Over the images of an epoch so far: the loss, its terms, and how many they are."""

    loss: float = 0.0
    count: int = 0
    terms: dict[str, float] = field(default_factory=dict)

    def means(self) -> dict[str, float]:
        """The mean of each term."""
        return {name: term / max(self.count, 1) for name, term in self.terms.items()}


@dataclass
class FitState:
    """What changes while fitting: saved after a step or an epoch, put back to go on.

    Attributes:
        network: trained in place.
        optimizer: over the network's parameters.
        accelerator: precision and device.
        ema: moving average of the weights, or None.
        mean: mean of the weights over the last epochs, or None.
        lookahead: slow weights, which the network's own are set back to, or None.
        row_losses: last loss of each row, for a sampler, or None.
        epoch: epochs done.
        step: steps done of the next epoch.
        sums: of that epoch.
        skipped: rows of batches that were skipped.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    accelerator: Accelerator
    ema: Ema | None = None
    mean: WeightMean | None = None
    lookahead: Lookahead | None = None
    row_losses: RowLosses | None = None
    epoch: int = 0
    step: int = 0
    sums: Sums = field(default_factory=Sums)
    skipped: list[int] = field(default_factory=list)

    def checkpoint(self, extra: dict[str, Any]) -> Checkpoint:
        """The state as tensors and JSON values; `extra` comes back as it is."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        slots, scalars = pack_optimizer(self.optimizer)
        meta: dict[str, Any] = {
            "optimizer": scalars,
            "sums": asdict(self.sums),
            "skipped": self.skipped,
            "extra": extra,
        }
        for name, kept in self._kept():
            tensors |= {f"{name}.{k}": v for k, v in kept.state().items()}
        if self.accelerator.scaler is not None:
            meta["scaler"] = self.accelerator.scaler.state_dict()
        return Checkpoint(self.epoch, tensors | slots, meta, self.step)

    def restore(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Go back to a checkpoint; returns its `extra`."""
        tensors, meta = checkpoint.tensors, checkpoint.meta
        self.network.load_state_dict(_under("network.", tensors))
        unpack_optimizer(self.optimizer, tensors, meta["optimizer"])
        for name, kept in self._kept():
            kept.load(_under(f"{name}.", tensors))
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(meta["scaler"])
        self.skipped = list(meta["skipped"])
        self.sums = Sums(**meta["sums"])
        self.epoch, self.step = checkpoint.epoch, checkpoint.step
        return dict(meta["extra"])

    def _kept(self) -> list[tuple[str, Ema | WeightMean | Lookahead | RowLosses]]:
        kept = (
            ("ema", self.ema),
            ("mean", self.mean),
            ("lookahead", self.lookahead),
            ("row_losses", self.row_losses),
        )
        return [(name, each) for name, each in kept if each is not None]

    def weights(self) -> dict[str, torch.Tensor]:
        """The weights that count: averaged where an average is kept, else the last."""
        if self.ema is not None:
            return self.ema.weights()
        if self.mean is not None and self.mean.count:
            return self.mean.weights()
        return {k: v.detach().clone() for k, v in self.network.state_dict().items()}


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
            try:
                loss = _step(state, staged, batch, epoch, step, lr)
            except RuntimeError as error:
                if not should_reduce_batch_size(error):
                    raise
                raise StepMemoryError(str(error).splitlines()[0]) from None
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


def _step(state: FitState, plan: FitPlan, batch: Batch, epoch: int, step: int, lr: float) -> float:
    """Make a step; returns its mean loss and adds its terms to the epoch's sums."""
    for group in state.optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)
    # What belongs to a step (dropout, drop path, mixing) is keyed by the step, so that a resumed
    # run draws the same.
    key = seeding.key("step", plan.seed, plan.fold, epoch, step)
    _seed_torch(key, state.accelerator.device)
    images, *others = batch.inputs(state.accelerator.device)
    rows = torch.from_numpy(batch.rows).to(images.device)
    target = plan.target[rows]
    weights = None if plan.row_weights is None else plan.row_weights[rows]
    if plan.mix is not None:
        images, target = plan.mix(images, target, np.random.default_rng(key))
    shown = _Shown((images, *others), target, weights, rows)
    state.network.zero_grad(set_to_none=True)
    try:
        mean, terms = _backward(state, plan, shown, is_first=True)
        if plan.sharpness is not None:
            with at_sharpest(state.network, plan.sharpness):
                _seed_torch(key, state.accelerator.device)  # The same units are dropped out.
                _backward(state, plan, shown, is_first=False)
    except _NotFiniteError:
        if plan.on_nonfinite == "stop":
            raise NonFiniteLossError(epoch, step, batch.rows) from None
        state.skipped.extend(int(row) for row in batch.rows)
        state.network.zero_grad(set_to_none=True)
        return 0.0
    if plan.clip is not None:
        state.accelerator.clip_grad_norm_(state.network.parameters(), plan.clip)
    state.optimizer.step()
    if state.lookahead is not None:
        state.lookahead.update(state.network)
    for name, term in terms.items():
        state.sums.terms[name] = state.sums.terms.get(name, 0.0) + term
    if state.ema is not None:
        state.ema.update(state.network)
    return mean


@dataclass(frozen=True)
class _Shown:
    """A batch on the device, mixed, with what belongs to its rows."""

    inputs: tuple[torch.Tensor, ...]
    target: torch.Tensor
    weights: torch.Tensor | None
    rows: torch.Tensor


class _NotFiniteError(Exception):
    """A part of a batch has a loss that is infinite or NaN."""


def _backward(
    state: FitState, plan: FitPlan, shown: _Shown, *, is_first: bool
) -> tuple[float, dict[str, float]]:
    """Add the gradient of the whole batch, part by part.

    The step's first pass notes the losses of its rows.

    Returns:
        Its mean loss, and the sum of each of its terms.

    Raises:
        _NotFiniteError: the loss of a part is not finite.
    """
    mean, terms, num = 0.0, dict[str, float](), len(shown.rows)
    for part in torch.arange(num).chunk(plan.accumulate):
        chosen = slice(int(part[0]), int(part[-1]) + 1)
        with state.accelerator.autocast():
            inputs = tuple(part[chosen] for part in shown.inputs)
            logits, side_logits = _outputs(state.network, plan, inputs)
        logits = logits.float()
        if plan.logit_shift is not None:
            logits = logits + plan.logit_shift
        rows, target = shown.rows[chosen], shown.target[chosen]
        weights = None if shown.weights is None else shown.weights[chosen]
        own = weigh(plan.loss, logits, target, weights)
        losses = with_sides(own, plan.sides, side_logits, rows, target)
        loss = total(losses).sum() / num
        value = float(loss.detach())
        if not np.isfinite(value):
            raise _NotFiniteError
        if is_first and state.row_losses is not None:
            state.row_losses.update(rows.cpu().numpy(), total(own))
        state.accelerator.backward(loss)
        mean += value
        for name, term in named(losses).items():
            terms[name] = terms.get(name, 0.0) + float(term.detach().sum())
    return mean, terms


def _outputs(
    network: nn.Module, plan: FitPlan, inputs: tuple[torch.Tensor, ...]
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The logits, and the outputs that the plan's sides look at."""
    if not plan.sides:
        return network(*inputs), []
    assert isinstance(network, Network)
    return network.all_outputs(*inputs)


def _seed_torch(key: int, device: torch.device) -> None:
    """Seed the generators in use; `torch.manual_seed` takes a millisecond to seed all."""
    torch.default_generator.manual_seed(key)
    if device.type == "cuda":
        torch.cuda.manual_seed(key)


def _stage_of(stages: tuple[Stage, ...], epoch: int) -> Stage:
    for stage in stages:
        if epoch < stage.epochs:
            return stage
        epoch -= stage.epochs
    raise AssertionError("epoch beyond the schedule")


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
