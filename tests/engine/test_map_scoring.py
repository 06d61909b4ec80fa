"""Masks scored as the recipe's input says: tiles for losses as for maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from foldwise.engine.assemble import Assembly
from foldwise.engine.map_scoring import losses_and_counts
from foldwise.losses import LOSSES
from tests.stages.small_masks import SMALL_MASKS, masks_ready, masks_units


def pixelwise(images: torch.Tensor) -> torch.Tensor:
    """(B, 2, H, W) logits that depend on nothing beside each pixel."""
    return (images[:, :2].float() - 128.0) / 32.0


def test_a_loss_in_tiles_is_that_of_whole_images_and_shows_no_larger_part(tmp_path: Path) -> None:
    recipe = {
        **SMALL_MASKS,
        "input": {"size": 16, "fit": "native", "tile": {"size": 32, "overlap": 0.3}},
        "augment": ["mask_crop"],
    }
    (unit, _) = masks_units(masks_ready(tmp_path, recipe))
    whole = unit.recipe.model_copy(
        update={"input": unit.recipe.input.model_copy(update={"tile": None})}
    )
    sizes: set[tuple[int, ...]] = set()

    def seen(images: torch.Tensor) -> torch.Tensor:
        sizes.add(tuple(images.shape[2:]))
        assert len(images) <= 2
        return pixelwise(images)

    common = {"loss": LOSSES["mask_bce"], "batch": 2, "device": torch.device("cpu")}
    rows = np.arange(8)
    tiled, _ = losses_and_counts(Assembly(unit.problem, unit.recipe), seen, rows, **common)  # type: ignore[arg-type]  # Of several types.
    found, _ = losses_and_counts(Assembly(unit.problem, whole), pixelwise, rows, **common)  # type: ignore[arg-type]
    assert isinstance(tiled, torch.Tensor)
    assert isinstance(found, torch.Tensor)
    assert tiled.tolist() == pytest.approx(found.tolist(), rel=1e-4)
    assert max(max(size) for size in sizes) == 32
