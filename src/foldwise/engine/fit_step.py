"""One optimiser step: the gradient of a batch, part by part, and what follows it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from foldwise import seeding
from foldwise.data.batches import Batch
from foldwise.engine.fit_plan import FitPlan
from foldwise.engine.fit_state import FitState
from foldwise.engine.sides import with_sides
from foldwise.errors import FoldwiseError
from foldwise.losses.terms import named, total, weigh
from foldwise.optim.sharpness import at_sharpest


class NonFiniteLossError(FoldwiseError):
    """The loss of a batch was not finite; `rows` are the batch's rows."""

    def __init__(self, epoch: int, step: int, rows: np.ndarray) -> None:
        self.rows = rows
        super().__init__(
            f"the loss became infinite or NaN in epoch {epoch}, step {step}",
            remedy="lower train.lr, set train.clip: 1.0, use precision fp32, or skip such batches "
            "with train.on_nonfinite: skip",
        )


def take_step(
    state: FitState, plan: FitPlan, batch: Batch, epoch: int, step: int, lr: float
) -> float:
    """Make a step; returns its mean loss and adds its terms to the epoch's sums.

    A batch that is skipped leaves no trace in the network, and its loss is NaN.
    """
    for group in state.optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)
    # What belongs to a step (dropout, drop path, mixing) is keyed by the step, so that a resumed
    # run draws the same.
    key = seeding.key("step", plan.seed, plan.fold, epoch, step)
    _seed_torch(key, state.accelerator.device)
    images, *others = batch.inputs(state.accelerator.device)
    rows = torch.from_numpy(batch.rows).to(images.device)
    target = _target(plan, batch, rows)
    weights = None if plan.row_weights is None else plan.row_weights[rows]
    if plan.mix is not None:
        images, target = plan.mix(images, target, np.random.default_rng(key))
    shown = _Shown((images, *others), target, weights, rows)
    state.network.zero_grad(set_to_none=True)
    skips = plan.on_nonfinite == "skip"
    # The pass moves statistics of normalisation before the loss is known.
    before = [buffer.clone() for buffer in state.network.buffers()] if skips else []
    try:
        mean, terms = _backward(state, plan, shown, is_first=True)
        if plan.sharpness is not None:
            with at_sharpest(state.network, plan.sharpness):
                _seed_torch(key, state.accelerator.device)  # The same units are dropped out.
                _backward(state, plan, shown, is_first=False)
    except _NotFiniteError:
        if not skips:
            raise NonFiniteLossError(epoch, step, batch.rows) from None
        state.skipped.extend(int(row) for row in batch.rows)
        state.network.zero_grad(set_to_none=True)
        for buffer, value in zip(state.network.buffers(), before, strict=True):
            buffer.copy_(value)
        return math.nan
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


def _target(plan: FitPlan, batch: Batch, rows: torch.Tensor) -> torch.Tensor:
    """What the loss takes: drawn with the images, else that of their rows."""
    if batch.target is not None:
        return batch.target.to(rows.device, non_blocking=True)
    assert plan.target is not None, "a plan without targets has batches that bring them"
    return plan.target[rows]


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
            logits, side_logits = state.outputs(*inputs)
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
            state.row_losses.update(rows.cpu().numpy(), plan.note(logits.detach(), total(own)))
        state.accelerator.backward(loss)
        mean += value
        for name, term in named(losses).items():
            terms[name] = terms.get(name, 0.0) + float(term.detach().sum())
    return mean, terms


def _seed_torch(key: int, device: torch.device) -> None:
    """Seed the generators in use; `torch.manual_seed` takes a millisecond to seed all."""
    torch.default_generator.manual_seed(key)
    if device.type == "cuda":
        torch.cuda.manual_seed(key)
    elif device.type == "mps":
        torch.mps.manual_seed(key)
