"""From a recipe to a fit: the state to train and the plan to train it by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from foldwise import seeding
from foldwise.data.batches import Batch, epoch_order, num_steps, train_batches
from foldwise.data.resident import hold
from foldwise.data.samplers import BY_LOSS, RowLosses
from foldwise.engine.assemble import Assembly
from foldwise.engine.drawing import standing
from foldwise.engine.fit_plan import FitPlan
from foldwise.engine.fit_state import FitState
from foldwise.engine.precision import autocast_dtype
from foldwise.engine.sides import Side, branch_side, label_side
from foldwise.optim.averaging import Ema, WeightMean
from foldwise.optim.epochs import Epoch
from foldwise.optim.lookahead import Lookahead
from foldwise.optim.schedule import Stage
from foldwise.parts import name_of

#: Epoch, steps of it that are done → its other batches.
Batches = Callable[[int, int], Iterator[Batch]]

_CPU = torch.device("cpu")
_PRECISION = {None: "no", torch.bfloat16: "bf16", torch.float16: "fp16"}


def fit_state(
    assembly: Assembly, module: nn.Module, device: torch.device, *, num_rows: int | None = None
) -> FitState:
    """A fresh state to train a network, or its head alone.

    Args:
        assembly: of the recipe.
        module: trained in place; moved to the device.
        device: where to compute.
        num_rows: rows to fit on, whose losses are kept if the sampler draws by them; None: they
            are not kept.
    """
    train = assembly.recipe.train
    by_loss = train.sampler is not None and name_of(train.sampler) in BY_LOSS
    precision = _PRECISION[autocast_dtype(train.precision, device)]
    accelerator = Accelerator(mixed_precision=precision, cpu=device.type == "cpu")
    module.to(device)
    plain = assembly.optimizer(module)
    prepared, wrapped = accelerator.prepare(module, plain)
    # The wrapper looks for other packages at every step; only a scaler of gradients needs it.
    optimizer = plain if accelerator.scaler is None else wrapped
    return FitState(
        accelerator.unwrap_model(prepared),
        optimizer,
        accelerator,
        ema=None if train.ema is None else Ema(module, train.ema),
        mean=WeightMean(module, train.average_last) if train.average_last else None,
        lookahead=None
        if train.lookahead is None
        else Lookahead(module, k=train.lookahead.k, alpha=train.lookahead.alpha),
        row_losses=None if num_rows is None or not by_loss else RowLosses(num_rows),
    )


def fit_plan(
    assembly: Assembly,
    rows: np.ndarray,
    device: torch.device,
    *,
    batches: Batches,
    stages: tuple[Stage, ...],
    seed: int,
    fold: int,
) -> FitPlan:
    """What the recipe says about training on these rows.

    Args:
        assembly: of the recipe.
        rows: positions of the train rows to fit on.
        device: where to compute.
        batches: epoch, steps done → batches whose rows count within `rows`.
        stages: the schedule.
        seed: of the run.
        fold: the held-out fold; -1: none.
    """
    train = assembly.recipe.train
    weights = assembly.class_weights(rows) if assembly.balance.acts_on == "losses" else None
    found = assembly.logit_shift(rows)
    shift = None if found is None else torch.from_numpy(found).float().to(device)
    row_weights = None if weights is None else torch.from_numpy(weights).float().to(device)
    return FitPlan(
        stages=stages,
        num_steps=num_steps(len(rows), train.batch),
        batches=batches,
        target=assembly.encoded(rows).to(device),
        loss=assembly.loss(),
        row_weights=row_weights,
        logit_shift=shift,
        sides=_sides(assembly, rows, device, row_weights, shift),
        mix=assembly.mix(),
        sharpness=assembly.sharpness(),
        norm=train.norm,
        accumulate=train.accumulate,
        clip=train.clip,
        on_nonfinite=train.on_nonfinite,
        seed=seed,
        fold=fold,
    )


def image_batches(
    assembly: Assembly,
    rows: np.ndarray,
    *,
    seed: int,
    fold: int,
    epochs: Sequence[Epoch] = (),
    losses: RowLosses | None = None,
    device: torch.device = _CPU,
) -> Batches:
    """Augmented images of train rows, epoch by epoch.

    Args:
        assembly: of the recipe.
        rows: positions of the train rows.
        seed: of the run.
        fold: the held-out fold; -1: none.
        epochs: of the schedule; empty: each as the first one at `input.size`, as in a trial.
        losses: last loss of each row, for a sampler that draws by them.
        device: that trains; a set of small images is held in its memory.
    """
    train = assembly.recipe.train
    source = assembly.source(assembly.problem.train.take(rows))
    augments = assembly.augments()
    shares = _shares(assembly, rows, epochs, losses)
    sizes = {source.size, *(epoch.size for epoch in epochs)}
    resident = lru_cache(
        lambda: hold(source.get, source.hashes, augments, sizes=sizes, device=device)
    )

    def batches(epoch: int, first: int) -> Iterator[Batch]:
        now = epochs[epoch] if epochs else Epoch(source.size)
        return train_batches(
            replace(source, size=now.size),
            epoch_order(len(rows), seeding.key("order", seed, fold, epoch), shares(epoch)),
            batch=train.batch,
            augments=augments if now.augment else (),
            key=seeding.key("augment", seed, fold, epoch),
            first=first,
            workers=train.workers,
            resident=resident(),
        )

    return batches


def feature_batches(
    assembly: Assembly,
    rows: np.ndarray,
    features: np.ndarray,
    *,
    seed: int,
    fold: int,
    epochs: Sequence[Epoch] = (),
    losses: RowLosses | None = None,
) -> Batches:
    """Cached features of train rows, a view drawn for each, epoch by epoch.

    Args:
        assembly: of the recipe.
        rows: positions of the train rows.
        features: (V, N, D) float32 of all views and train rows.
        seed: of the run.
        fold: the held-out fold; -1: none.
        epochs: of the schedule; empty: each as the first one at `input.size`, as in a trial.
        losses: last loss of each row, for a sampler that draws by them.
    """
    counters = assembly.problem.train.take(rows).counters
    shares = _shares(assembly, rows, epochs, losses)

    def batches(epoch: int, first: int) -> Iterator[Batch]:
        order = epoch_order(len(rows), seeding.key("order", seed, fold, epoch), shares(epoch))
        draws = seeding.uniforms(seeding.key("view", seed, fold, epoch), counters, 1)[:, 0]
        views = (draws * len(features)).astype(int)
        groups = np.array_split(order, num_steps(len(order), assembly.recipe.train.batch))
        for part in groups[first:]:
            yield Batch(torch.from_numpy(features[views[part], rows[part]]), part)

    return batches


def _sides(
    assembly: Assembly,
    rows: np.ndarray,
    device: torch.device,
    row_weights: torch.Tensor | None,
    shift: torch.Tensor | None,
) -> tuple[Side, ...]:
    """In the order of the network's outputs: its branch, then its auxiliary heads."""
    branch = assembly.recipe.model.branch
    found = (
        [] if branch is None else [branch_side(branch.weight, assembly.loss(), row_weights, shift)]
    )
    return (*found, *(label_side(label, rows, device) for label in assembly.auxiliary))


def _shares(
    assembly: Assembly, rows: np.ndarray, epochs: Sequence[Epoch], losses: RowLosses | None
) -> Callable[[int], np.ndarray | None]:
    """Epoch → (n,) chance of each row, mean 1; None: each row once."""
    sampler = assembly.sampler
    if sampler is None:
        fixed = assembly.class_weights(rows) if assembly.balance.acts_on == "order" else None
        return lambda epoch: fixed

    def shares(epoch: int) -> np.ndarray | None:
        progress = epochs[epoch].progress if epochs else 0.0
        known = None if losses is None else losses.at_start(epoch)
        return sampler(standing(assembly.problem, rows, progress, known))

    return shares
