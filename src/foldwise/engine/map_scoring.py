"""The maps of a recipe's network, as its input says that images are scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from foldwise.engine.infer import computing, halving, tell_halved
from foldwise.engine.infer_maps import infer_maps, infer_native, map_batch
from foldwise.engine.mask_feeding import whole_batches
from foldwise.losses.terms import Loss, Losses, joined_losses
from foldwise.samples import Samples
from foldwise.views import View

if TYPE_CHECKING:
    from foldwise.engine.assemble import Assembly

T = TypeVar("T")


def usual_batch(assembly: Assembly) -> int:
    """Images, or tiles, that are scored at a time unless memory runs out."""
    config = assembly.recipe.input
    if config.fit != "native":
        return map_batch(assembly.feed.scored(assembly.problem.test).size)
    return 1 if config.tile is None else map_batch(config.tile.size)


def score_maps(
    assembly: Assembly,
    forward: Callable[..., torch.Tensor],
    samples: Samples,
    keep: Callable[[Iterator[np.ndarray]], T],
    *,
    views: Sequence[View],
    batch: int,
    device: torch.device,
    autocast: torch.dtype | None = None,
    progress: Callable[[int], None] = lambda done: None,
    halved: Callable[[int, str], None] = tell_halved,
) -> T:
    """Give `keep` the maps of samples, each as large as its image; see `infer_maps`.

    Args:
        assembly: of the recipe.
        forward: the network, in eval mode on the device.
        samples: at least one.
        keep: takes (C, H, W) uint8 levels of each, as they come; called anew, with all of them,
            where memory runs out.
        views: to be averaged.
        batch: images, or tiles, per pass.
        device: where to compute.
        autocast: half precision to compute in, or None.
        progress: called with the number of samples done.
        halved: called with the smaller batch and what the device said, before it is used.

    Returns:
        What `keep` gives.

    Raises:
        RunError: memory runs out with one image at a time.
    """
    config, source = assembly.recipe.input, assembly.feed.scored(samples)
    workers = assembly.recipe.train.workers
    if config.fit == "native":
        return infer_native(
            forward,
            source,
            keep,
            activate=assembly.probs,
            views=views,
            tile=None if config.tile is None else config.tile.size,
            overlap=0.0 if config.tile is None else config.tile.overlap,
            batch=batch,
            device=device,
            workers=workers,
            autocast=autocast,
            progress=progress,
            halved=halved,
        )
    return infer_maps(
        forward,
        source,
        image_sizes(samples),
        keep,
        activate=assembly.probs,
        views=views,
        batch=batch,
        device=device,
        workers=workers,
        autocast=autocast,
        progress=progress,
        halved=halved,
    )


def map_losses(
    assembly: Assembly,
    forward: Callable[..., torch.Tensor],
    rows: np.ndarray,
    loss: Loss,
    *,
    batch: int,
    device: torch.device,
    autocast: torch.dtype | None = None,
    halved: Callable[[int, str], None] = tell_halved,
) -> Losses:
    """What a loss gives for train rows: whole images as they are scored, with their masks.

    Args:
        assembly: of the recipe.
        forward: the network, in eval mode on the device.
        rows: (n,) positions of the train rows; at least one.
        loss: as `fit` takes it.
        batch: images per pass.
        device: where to compute.
        autocast: half precision to compute in, or None.
        halved: called with the smaller batch and what the device said, before it is used.

    Returns:
        (n,), or terms by name.

    Raises:
        RunError: memory runs out with one image at a time.
    """

    def attempt(batch: int) -> Losses:
        parts = []
        for item in whole_batches(assembly, rows, batch=batch):
            assert item.target is not None, "batches of masks bring them"
            with computing(device, autocast):
                logits = forward(*item.inputs(device)).float()
                parts.append(loss(logits, item.target.to(device)))
        return joined_losses(parts)

    return halving(attempt, batch=batch, halved=halved)


def image_sizes(samples: Samples) -> np.ndarray:
    """(N, 2) int64 height and width of each sample's image, pixels."""
    return samples.frame[["height", "width"]].to_numpy(dtype=np.int64)
