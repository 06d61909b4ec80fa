"""The maps of a recipe's network, as its input says that images are scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from foldwise.data.tiles import blend
from foldwise.engine.infer import computing, halving, tell_halved
from foldwise.engine.infer_maps import infer_maps, infer_native, map_batch
from foldwise.engine.mask_feeding import whole_batches
from foldwise.losses.terms import Loss, Losses, joined_losses
from foldwise.masks import IGNORED
from foldwise.masks.runs import encode
from foldwise.metrics.mask_counts import joined
from foldwise.metrics.metric import Rows
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
    timed: Callable[[float], None] = lambda seconds: None,
    divided: bool = True,
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
        timed: as `infer_maps` takes it.
        divided: the same.

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
            timed=timed,
            divided=divided,
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
        timed=timed,
        divided=divided,
    )


def losses_and_counts(
    assembly: Assembly,
    forward: Callable[..., torch.Tensor],
    rows: np.ndarray,
    loss: Loss,
    *,
    batch: int,
    device: torch.device,
    autocast: torch.dtype | None = None,
    halved: Callable[[int, str], None] = tell_halved,
) -> tuple[Losses, Rows]:
    """What a loss and the competition's metric read of train rows, whole images with their masks.

    Images and masks are as large as the network is shown them, and answered by what is more likely
    than not, or by the surest class: what a score costs beside the loss is counting.

    Args:
        assembly: of the recipe.
        forward: the network, in eval mode on the device.
        rows: (n,) positions of the train rows; at least one.
        loss: as `fit` takes it.
        batch: images, or tiles, per pass.
        device: where to compute.
        autocast: half precision to compute in, or None.
        halved: called with the smaller batch and what the device said, before it is used.

    Returns:
        (n,) losses, or terms by name, and n rows of counts.

    Raises:
        RunError: memory runs out with one image at a time.
    """
    tile, count = assembly.recipe.input.tile, assembly.problem.metric.count

    def attempt(batch: int) -> tuple[Losses, Rows]:
        def shown(images: torch.Tensor) -> torch.Tensor:
            """Logits as large as the images, in tiles where they are scored in such."""
            if tile is None:
                return forward(images).float()
            size = (tile.size, tile.size)
            found = blend(forward, images[0], tile=size, overlap=tile.overlap, batch=batch)
            return found[None]

        losses, counts = [], []
        for item in whole_batches(assembly, rows, batch=batch):
            assert item.target is not None, "batches of masks bring them"
            with computing(device, autocast):
                logits = shown(item.images.to(device, non_blocking=True))
                losses.append(loss(logits, item.target.to(device)))
            counts.append(_counts(count, logits, item.target))
        return joined_losses(losses), joined(counts)

    return halving(attempt, batch=batch, halved=halved)


def _counts(count: Callable[..., Rows], logits: torch.Tensor, target: torch.Tensor) -> Rows:
    """Counts of a batch: (B, C, H, W) logits, and targets (B, C, H, W) or (B, H, W) of classes."""
    num_classes, ignored = logits.shape[1], target == IGNORED
    if target.ndim == logits.ndim:
        answers, truths = logits >= 0, target == 1
    else:
        classes = torch.arange(num_classes)[:, None, None]
        answers = logits.argmax(dim=1, keepdim=True).cpu() == classes
        truths = target[:, None] == classes
    runs = [encode(each.flatten(0, 1).cpu().numpy()) for each in (answers, truths)]
    left_out = ignored.flatten(0, -3).numpy() if ignored.any() else None
    return count(*runs, num_classes, None if left_out is None else encode(left_out))


def image_sizes(samples: Samples) -> np.ndarray:
    """(N, 2) int64 height and width of each sample's image, pixels."""
    return samples.frame[["height", "width"]].to_numpy(dtype=np.int64)
