"""From a recipe to a fit: the state to train and the plan to train it by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from foldwise import seeding
from foldwise.data.batches import Batch, epoch_order, num_steps, occurrences, train_batches
from foldwise.data.resident import Resident, hold
from foldwise.data.samplers import RowLosses
from foldwise.engine.assemble import Assembly
from foldwise.engine.compiling import training_outputs
from foldwise.engine.drawing import BY_NOTES, standing
from foldwise.engine.fit_plan import Batches, FitPlan, loss_of
from foldwise.engine.fit_state import FitState
from foldwise.engine.mask_feeding import mask_batches, noted_peaks
from foldwise.engine.precision import autocast_dtype
from foldwise.engine.sides import (
    Side,
    branch_side,
    diversity_side,
    label_side,
    presence_side,
)
from foldwise.optim.averaging import Ema, WeightMean
from foldwise.optim.epochs import Epoch
from foldwise.optim.lookahead import Lookahead
from foldwise.optim.schedule import Stage
from foldwise.parts import name_of
from foldwise.tasks.extra_rows import ExtraRows, fitted_samples

_CPU = torch.device("cpu")
_PRECISION = {None: "no", torch.bfloat16: "bf16", torch.float16: "fp16"}


def fit_state(
    assembly: Assembly,
    module: nn.Module,
    device: torch.device,
    *,
    num_rows: int | None = None,
    compiled: bool = False,
) -> FitState:
    """A fresh state to train a network, or its head alone.

    Args:
        assembly: of the recipe.
        module: trained in place; moved to the device.
        device: where to compute.
        num_rows: rows to fit on, of which is kept what the sampler draws by; None: it is not
            kept.
        compiled: whether steps are compiled.
    """
    train = assembly.recipe.train
    is_noted = train.sampler is not None and name_of(train.sampler) in BY_NOTES
    precision = _PRECISION[autocast_dtype(train.precision, device)]
    accelerator = Accelerator(mixed_precision=precision, cpu=device.type == "cpu")
    module.to(device)
    plain = assembly.optimizer(module)
    prepared, wrapped = accelerator.prepare(module, plain)
    # The wrapper looks for other packages at every step; only a scaler of gradients needs it.
    optimizer = plain if accelerator.scaler is None else wrapped
    network = accelerator.unwrap_model(prepared)
    return FitState(
        network,
        optimizer,
        accelerator,
        training_outputs(network, compiled=compiled),
        ema=None if train.ema is None else Ema(module, train.ema),
        mean=WeightMean(module, train.average_last, of=len(assembly.epochs()))
        if train.average_last
        else None,
        lookahead=None
        if train.lookahead is None
        else Lookahead(module, k=train.lookahead.k, alpha=train.lookahead.alpha),
        row_losses=None if num_rows is None or not is_noted else RowLosses(num_rows),
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
    extra: ExtraRows | None = None,
) -> FitPlan:
    """What the recipe says about training on these rows.

    Args:
        assembly: of the recipe.
        rows: positions of the train rows to fit on.
        device: where to compute.
        batches: epoch, steps done → batches whose rows count within `rows`, then `extra`.
        stages: the schedule.
        seed: of the run.
        fold: the held-out fold; -1: none.
        extra: rows to fit on that are not of train.
    """
    train = assembly.recipe.train
    weights = _loss_weights(assembly, rows, extra)
    found = assembly.balancing.logit_shift(rows, extra)
    shift = None if found is None else torch.from_numpy(found).float().to(device)
    row_weights = None if weights is None else torch.from_numpy(weights).float().to(device)
    return FitPlan(
        stages=stages,
        num_steps=num_steps(_count(rows, extra), train.batch),
        batches=batches,
        target=None if assembly.gives_maps else assembly.encoded(rows, extra).to(device),
        note=noted_peaks(assembly.probs) if assembly.gives_maps else loss_of,
        loss=assembly.loss(),
        row_weights=row_weights,
        logit_shift=shift,
        sides=_sides(assembly, rows, extra, device, row_weights, shift),
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
    extra: ExtraRows | None = None,
    device: torch.device = _CPU,
) -> Batches:
    """Augmented images of train rows and extra rows, epoch by epoch.

    Args:
        assembly: of the recipe.
        rows: positions of the train rows.
        seed: of the run.
        fold: the held-out fold; -1: none.
        epochs: of the schedule; empty: each as the first one at `input.size`, as in a trial.
        losses: last loss of each row, for a sampler that draws by them.
        extra: rows that are not of train; they come after those.
        device: that trains; a set of small images is held in its memory.
    """
    shares = _shares(assembly, rows, extra, epochs, losses)
    if assembly.gives_maps:
        return mask_batches(assembly, rows, shares, seed=seed, fold=fold, epochs=epochs)
    source = assembly.feed.source(fitted_samples(assembly.problem, rows, extra))
    augments = assembly.feed.augments()
    sizes = {source.size, *(epoch.size for epoch in epochs)}

    @lru_cache
    def resident() -> Resident | None:
        if source.cut is not None:
            return None  # Parts of originals have other pixels than parts of whole images.
        return hold(source.get, source.hashes, augments, sizes=sizes, device=device)

    def batches(epoch: int, first: int) -> Iterator[Batch]:
        now = epochs[epoch] if epochs else Epoch(source.size)
        held = resident()
        return train_batches(
            replace(source, size=now.size),
            epoch_order(len(source), seeding.key("order", seed, fold, epoch), shares(epoch)),
            batch=assembly.recipe.train.batch,
            augments=augments if now.augment else (),
            key=seeding.key("augment", seed, fold, epoch),
            first=first,
            workers=assembly.feed.num_workers,
            resident=held,
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
    extra: ExtraRows | None = None,
) -> Batches:
    """Cached features of train rows and extra rows, a view drawn for each, epoch by epoch.

    Args:
        assembly: of the recipe.
        rows: positions of the train rows.
        features: (V, A, D) float32 of all views and rows: train, test, external.
        seed: of the run.
        fold: the held-out fold; -1: none.
        epochs: of the schedule; empty: each as the first one at `input.size`, as in a trial.
        losses: last loss of each row, for a sampler that draws by them.
        extra: rows that are not of train; they come after those.
    """
    counters = fitted_samples(assembly.problem, rows, extra).counters
    places = rows if extra is None else np.concatenate([rows, extra.places])
    shares = _shares(assembly, rows, extra, epochs, losses)

    def batches(epoch: int, first: int) -> Iterator[Batch]:
        order = epoch_order(len(places), seeding.key("order", seed, fold, epoch), shares(epoch))
        drawn_for = seeding.again(counters[order], occurrences(order))
        draws = seeding.uniforms(seeding.key("view", seed, fold, epoch), drawn_for, 1)[:, 0]
        views = (draws * len(features)).astype(int)
        num_groups = num_steps(len(order), assembly.recipe.train.batch)
        seen = zip(
            np.array_split(order, num_groups), np.array_split(views, num_groups), strict=True
        )
        for part, view in islice(seen, first, None):
            yield Batch(torch.from_numpy(features[view, places[part]]), part)

    return batches


def _count(rows: np.ndarray, extra: ExtraRows | None) -> int:
    return len(rows) + (0 if extra is None else len(extra))


def _loss_weights(
    assembly: Assembly, rows: np.ndarray, extra: ExtraRows | None
) -> np.ndarray | None:
    """(n,) how much the loss of each row weighs, mean 1; None: all alike."""
    by_class = (
        assembly.balancing.class_weights(rows, extra)
        if assembly.balancing.balance.acts_on == "losses"
        else None
    )
    if extra is None or (extra.weight == 1).all():
        return by_class
    by_kind = np.concatenate([np.ones(len(rows)), extra.weight])
    weights = by_kind if by_class is None else by_kind * by_class
    return np.asarray(weights / weights.mean())


def _sides(
    assembly: Assembly,
    rows: np.ndarray,
    extra: ExtraRows | None,
    device: torch.device,
    row_weights: torch.Tensor | None,
    shift: torch.Tensor | None,
) -> tuple[Side, ...]:
    """In the order of the network's outputs: its branch, its auxiliary heads, its prototypes.

    Of masks in place of a branch the head for which classes are there.
    """
    branch, presence = assembly.recipe.model.branch, assembly.recipe.model.presence
    found = (
        [] if branch is None else [branch_side(branch.weight, assembly.loss(), row_weights, shift)]
    )
    found += [] if presence is None else [presence_side(presence.weight)]
    num_extra = _count(rows, extra) - len(rows)
    labels = (label_side(each, rows, device, num_extra=num_extra) for each in assembly.auxiliary)
    if assembly.formulation.has_prototypes:
        return (*found, *labels, diversity_side(assembly.recipe.model.prototypes.diversity))
    return (*found, *labels)


def _shares(
    assembly: Assembly,
    rows: np.ndarray,
    extra: ExtraRows | None,
    epochs: Sequence[Epoch],
    losses: RowLosses | None,
) -> Callable[[int], np.ndarray | None]:
    """Epoch → (n,) chance of each row, mean 1; None: each row once."""
    sampler = assembly.balancing.sampler
    if sampler is None:
        by_class = assembly.balancing.balance.acts_on == "order"
        fixed = assembly.balancing.class_weights(rows, extra) if by_class else None
        return lambda epoch: fixed

    def shares(epoch: int) -> np.ndarray | None:
        progress = epochs[epoch].progress if epochs else 0.0
        known = None if losses is None else losses.at_start(epoch)
        here = standing(assembly.problem, rows, extra, progress=progress, losses=known)
        return sampler(here)

    return shares
