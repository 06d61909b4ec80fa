"""From a recipe to a fit: the state to train and the plan to train it by."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from foldwise import seeding
from foldwise.data.batches import Batch, epoch_order, num_steps, train_batches
from foldwise.engine.assemble import Assembly, autocast_dtype
from foldwise.engine.fit import FitPlan, FitState
from foldwise.engine.sides import Side, branch_side, label_side
from foldwise.optim.averaging import Ema, WeightMean
from foldwise.optim.schedule import Stage

Batches = Callable[[int], Iterator[Batch]]

_PRECISION = {None: "no", torch.bfloat16: "bf16", torch.float16: "fp16"}


def fit_state(assembly: Assembly, module: nn.Module, device: torch.device) -> FitState:
    """A fresh state to train a network, or its head alone.

    Args:
        assembly: of the recipe.
        module: trained in place; moved to the device.
        device: where to compute.
    """
    train = assembly.recipe.train
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
        batches: epoch → batches whose rows count within `rows`.
        stages: the schedule.
        seed: of the run.
        fold: the held-out fold; -1: none.
    """
    train = assembly.recipe.train
    weights = assembly.class_weights(rows) if assembly.recipe.imbalance == "weights" else None
    row_weights = None if weights is None else torch.from_numpy(weights).float().to(device)
    return FitPlan(
        stages=stages,
        num_steps=num_steps(len(rows), train.batch),
        batches=batches,
        target=assembly.encoded(rows).to(device),
        loss=assembly.loss(),
        row_weights=row_weights,
        sides=_sides(assembly, rows, device, row_weights),
        mix=assembly.mix(),
        norm=train.norm,
        accumulate=train.accumulate,
        clip=train.clip,
        on_nonfinite=train.on_nonfinite,
        seed=seed,
        fold=fold,
    )


def image_batches(assembly: Assembly, rows: np.ndarray, *, seed: int, fold: int) -> Batches:
    """Augmented images of train rows, epoch by epoch."""
    train = assembly.recipe.train
    source = assembly.source(assembly.problem.train.take(rows))
    augments = assembly.augments()
    shares = _shares(assembly, rows)

    def batches(epoch: int) -> Iterator[Batch]:
        return train_batches(
            source,
            epoch_order(len(rows), seeding.key("order", seed, fold, epoch), shares),
            batch=train.batch,
            augments=augments,
            key=seeding.key("augment", seed, fold, epoch),
            workers=train.workers,
        )

    return batches


def feature_batches(
    assembly: Assembly, rows: np.ndarray, features: np.ndarray, *, seed: int, fold: int
) -> Batches:
    """Cached features of train rows, a view drawn for each, epoch by epoch.

    Args:
        assembly: of the recipe.
        rows: positions of the train rows.
        features: (V, N, D) float32 of all views and train rows.
        seed: of the run.
        fold: the held-out fold; -1: none.
    """
    counters = assembly.problem.train.take(rows).counters
    shares = _shares(assembly, rows)

    def batches(epoch: int) -> Iterator[Batch]:
        order = epoch_order(len(rows), seeding.key("order", seed, fold, epoch), shares)
        draws = seeding.uniforms(seeding.key("view", seed, fold, epoch), counters, 1)[:, 0]
        views = (draws * len(features)).astype(int)
        for part in np.array_split(order, num_steps(len(order), assembly.recipe.train.batch)):
            yield Batch(torch.from_numpy(features[views[part], rows[part]]), part)

    return batches


def _sides(
    assembly: Assembly, rows: np.ndarray, device: torch.device, row_weights: torch.Tensor | None
) -> tuple[Side, ...]:
    """In the order of the network's outputs: its branch, then its auxiliary heads."""
    branch = assembly.recipe.model.branch
    found = [] if branch is None else [branch_side(branch.weight, assembly.loss(), row_weights)]
    return (*found, *(label_side(label, rows, device) for label in assembly.auxiliary))


def _shares(assembly: Assembly, rows: np.ndarray) -> np.ndarray | None:
    return assembly.class_weights(rows) if assembly.recipe.imbalance == "sampler" else None
