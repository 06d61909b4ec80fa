"""Features of small images in their places, and of the images as a whole."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from foldwise import device as machine
from foldwise.stages.proposing.machine import PretrainedNetwork
from foldwise.views import views_of

#: Side of the images looked at.
SIDE = 96
#: Cells of masks along a side, each as large as a step of the network's middle.
CELLS = 6
_PIXEL_SIDE, _MAP_SIDE = 20, 4
_MIDDLE_STRIDE = SIDE // CELLS
_BATCH = 32

#: (N, D, S, S) of a map of features, and (N, D) of the whole images or None.
Features = tuple[np.ndarray, np.ndarray | None]
#: (N, SIDE, SIDE, C) uint8 images → their features.
Extract = Callable[[np.ndarray], Features]


def pixel_features(images: np.ndarray) -> Features:
    """20 x 20 grey pixels; grey is the mean of channels where there are not three."""
    size = (_PIXEL_SIDE, _PIXEL_SIDE)
    small = [_grey(image).resize(size, Image.Resampling.BOX) for image in images]
    return np.stack([np.asarray(i, dtype=np.float64)[None] / 255.0 for i in small]), None


def cell_features(images: np.ndarray) -> Features:
    """Mean and spread of each channel in each of the cells; sides are to be multiples of them."""
    num, height, width, channels = images.shape
    shape = (num, CELLS, height // CELLS, CELLS, width // CELLS, channels)
    cells = (images / 255.0).reshape(shape)
    found = np.concatenate([cells.mean(axis=(2, 4)), cells.std(axis=(2, 4))], axis=-1)
    return found.transpose(0, 3, 1, 2), None


def network_features(network: PretrainedNetwork, cache: Path, side: int = _MAP_SIDE) -> Extract:
    """A coarse map from the middle of the network, and its pooled features; one pass for both.

    Args:
        network: whose features are taken.
        cache: folder for converted weights.
        side: of the map.
    """
    import torch

    from foldwise.data.batches import Source
    from foldwise.engine.infer import infer
    from foldwise.models.building import build
    from foldwise.models.weights import resolve

    weights = resolve(
        network.pretrained, name=network.name, rules_pretrained="allowed", cache=cache
    )
    device = machine.pick()
    built = build(name=network.name, num_outputs=2, size=SIDE, weights=weights).to(device).eval()
    backbone: Any = built.backbone
    strides = [int(info["reduction"]) for info in backbone.feature_info]
    middle = strides.index(_MIDDLE_STRIDE) if _MIDDLE_STRIDE in strides else len(strides) // 2

    def forward(images: torch.Tensor) -> torch.Tensor:
        final, maps = backbone.forward_intermediates(built.normalize(images), indices=[middle])
        placed = torch.nn.functional.adaptive_avg_pool2d(maps[0], side).flatten(1)
        whole = backbone.forward_head(final, pre_logits=True)
        return torch.cat([placed, whole], dim=1)

    def infer_part(images: np.ndarray) -> np.ndarray:
        names = np.array([str(row) for row in range(len(images))], dtype=object)
        source = Source(lambda row: images[int(row)], names, np.arange(len(images)), SIDE)
        rows = infer(forward, source, views=views_of(["identity"]), batch=_BATCH, device=device)
        return rows["identity"]

    def extract(images: np.ndarray) -> Features:
        num_parts = min(machine.num_cores(), -(-len(images) // _BATCH))
        before = torch.get_num_threads()
        # A part a core, not all cores at each operation: beside other work that is five times
        # as fast, since no operation waits for the slower thread (measured on two cores).
        with ThreadPoolExecutor(num_parts, initializer=lambda: torch.set_num_threads(1)) as pool:
            found = np.concatenate(list(pool.map(infer_part, np.array_split(images, num_parts))))
        torch.set_num_threads(before)
        placed, whole = found[:, : -built.num_features], found[:, -built.num_features :]
        return placed.reshape(len(found), -1, side, side), whole

    return extract


def _grey(image: np.ndarray) -> Image.Image:
    if image.shape[2] == 3:
        return Image.fromarray(image).convert("L")
    return Image.fromarray(image.mean(axis=2).round().astype(np.uint8))
