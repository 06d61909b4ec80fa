"""Features of samples by a network of masks: means of its encoder's last map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from foldwise.data.own_size import single_batches
from foldwise.data.tiles import cut
from foldwise.engine.infer import computing, halving, infer, tell_halved
from foldwise.samples import Samples
from foldwise.views import views_of

if TYPE_CHECKING:
    from foldwise.engine.assemble import Assembly


def map_features(
    assembly: Assembly,
    features: Callable[[torch.Tensor], torch.Tensor],
    samples: Samples,
    *,
    batch: int,
    device: torch.device,
    autocast: torch.dtype | None = None,
    progress: Callable[[int], None] = lambda done: None,
    halved: Callable[[int, str], None] = tell_halved,
) -> np.ndarray:
    """What a network sees in whole images, at the size and in the tiles that they are scored in.

    Args:
        assembly: of the recipe.
        features: (B, C, H, W) images → (B, D); a module is put into eval mode by the caller.
        samples: at least one.
        batch: images, or tiles, per pass.
        device: where to compute.
        autocast: half precision to compute in, or None.
        progress: called with the number of samples done.
        halved: called with the smaller batch and what the device said, before it is used.

    Returns:
        (N, D) float64; of an image in tiles the mean of what is seen in each.

    Raises:
        RunError: memory runs out with one image at a time.
    """
    source = replace(assembly.feed.scored(samples), columns=None)
    config, workers = assembly.recipe.input, assembly.recipe.train.workers
    if config.fit != "native":
        rows = infer(
            features,
            source,
            views=views_of(["identity"]),
            batch=batch,
            device=device,
            workers=workers,
            autocast=autocast,
            progress=progress,
            halved=halved,
        )
        return rows["identity"]

    def attempt(batch: int) -> np.ndarray:
        found = []
        for item in single_batches(source, workers=workers):
            tiles = item.images.to(device, non_blocking=True)
            if config.tile is not None:
                side = (config.tile.size, config.tile.size)
                tiles = cut(tiles[0], tile=side, overlap=config.tile.overlap)
            with computing(device, autocast):
                seen = torch.cat([features(part).double() for part in torch.split(tiles, batch)])
            found.append(seen.mean(dim=0).cpu().numpy())
            progress(int(item.rows[0]) + 1)
        return np.stack(found)

    return halving(attempt, batch=batch, halved=halved)
