"""What a recipe's network of masks trains on: images with what is to be found in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from foldwise import seeding
from foldwise.data.batches import Batch, epoch_order
from foldwise.data.mask_augment import bound_augments
from foldwise.data.mask_batches import Truth, train_mask_batches
from foldwise.data.mask_sampling import peaks
from foldwise.engine.fit_plan import Batches
from foldwise.optim.epochs import Epoch
from foldwise.parts import name_of, options_of

if TYPE_CHECKING:
    from foldwise.engine.assemble import Assembly


def truth_of(assembly: Assembly, rows: np.ndarray) -> Truth:
    """What is to be found in train rows, as the recipe's formulation wants it."""
    masks = assembly.problem.target[rows]
    is_exclusive = assembly.formulation.is_exclusive
    return Truth(masks.runs, masks.num_classes, is_exclusive, masks.ignored)


def mask_batches(
    assembly: Assembly,
    rows: np.ndarray,
    shares: Callable[[int], np.ndarray | None],
    *,
    seed: int,
    fold: int,
    epochs: Sequence[Epoch] = (),
) -> Batches:
    """Augmented images of train rows with their masks, epoch by epoch.

    Args:
        assembly: of the recipe.
        rows: positions of the train rows.
        shares: epoch → (n,) chance of each row, mean 1; None: each row once.
        seed: of the run.
        fold: the held-out fold; -1: none.
        epochs: of the schedule; empty: each as the first one at `input.size`, as in a trial.
    """
    feed = assembly.feed
    source, truth = feed.source(assembly.problem.train.take(rows)), truth_of(assembly, rows)

    def batches(epoch: int, first: int) -> Iterator[Batch]:
        now = epochs[epoch] if epochs else Epoch(source.size)
        return train_mask_batches(
            source,
            truth,
            epoch_order(len(source), seeding.key("order", seed, fold, epoch), shares(epoch)),
            batch=assembly.recipe.train.batch,
            augments=feed.mask_augments(now.size, augment=now.augment),
            key=seeding.key("augment", seed, fold, epoch),
            first=first,
            workers=feed.num_workers,
        )

    return batches


def whole_batches(assembly: Assembly, rows: np.ndarray, *, batch: int) -> Iterator[Batch]:
    """Whole images of train rows in their order, as they are scored, with their masks.

    Args:
        assembly: of the recipe.
        rows: positions of the train rows; at least one.
        batch: most images in one.
    """
    source = assembly.feed.scored(assembly.problem.train.take(rows))
    truth = truth_of(assembly, rows)
    order = np.arange(len(rows))
    if assembly.recipe.input.fit == "native":
        sizes = truth.sizes.tolist()
        groups = [(order[[row]], bound_augments((), tuple(sizes[row]))) for row in order]
    else:
        groups = [(order, assembly.feed.mask_augments(source.size, augment=False))]
    for part, augments in groups:
        yield from train_mask_batches(
            source,
            truth,
            part,
            batch=batch,
            augments=augments,
            key=0,
            workers=assembly.recipe.train.workers if len(part) > 1 else 0,
        )


def plain_mask_batch(assembly: Assembly, rows: np.ndarray) -> Batch:
    """Train rows as training shows them, but for what moves or changes them at random.

    Where it cuts windows, each shows something of what is there, if anything is.

    Args:
        assembly: of the recipe.
        rows: positions of the train rows; at least one.
    """
    recipe, feed = assembly.recipe, assembly.feed
    crops = [
        {"name": name_of(spec), **options_of(spec), "near": 1.0}
        for spec in recipe.augment
        if name_of(spec) == "mask_crop"
    ]
    size = recipe.input.size
    batches = train_mask_batches(
        feed.source(assembly.problem.train.take(rows)),
        truth_of(assembly, rows),
        np.arange(len(rows)),
        batch=len(rows),
        augments=bound_augments(crops, (size, size)),
        key=seeding.key("doctor"),
        workers=0,
    )
    return next(batches)


def noise_masks(assembly: Assembly, num: int, size: int) -> torch.Tensor:
    """Targets that stand for masks where only time and memory are measured.

    Args:
        assembly: of the recipe.
        num: images.
        size: of their sides, pixels.

    Returns:
        (num, C, size, size) uint8 of 0 and 1, or (num, size, size) uint8 classes.
    """
    generator = torch.Generator().manual_seed(0)
    num_classes = assembly.problem.num_classes
    shape, top = [num, num_classes, size, size], 2
    if assembly.formulation.is_exclusive:
        shape, top = [num, size, size], num_classes
    return torch.randint(0, top, shape, generator=generator).to(torch.uint8)


def noted_peaks(
    probs: Callable[[torch.Tensor], torch.Tensor],
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Logits and losses → how sure the network is to see something, by which samplers draw.

    Args:
        probs: (B, C, H, W) logits → probabilities.
    """
    return lambda logits, losses: peaks(probs(logits))
