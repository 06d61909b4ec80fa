"""Loss and score of whole images after an epoch: as pixels give them, however they are batched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from foldwise.engine.assemble import Assembly
from foldwise.engine.map_scoring import losses_and_counts
from foldwise.engine.mask_feeding import whole_batches
from foldwise.masks import IGNORED
from tests.stages.small_masks import SMALL_MASKS, masks_ready, masks_units

EXCLUSIVE = {**SMALL_MASKS, "formulation": "softmax", "loss": "mask_cross_entropy"}


def coloured(num_classes: int) -> Any:
    """What stands for a network: each class is surer where another colour is strong."""
    colours = np.arange(num_classes) % 3
    return lambda images, *_: (
        (images[:, colours].float() - 110) / 20 - torch.arange(num_classes).view(-1, 1, 1)
    )


def dice(answer: np.ndarray, truth: np.ndarray) -> float:
    total = int(answer.sum() + truth.sum())
    return 2 * int((answer & truth).sum()) / total if total else 1.0


@pytest.mark.parametrize("exclusive", [False, True])
def test_the_score_is_that_of_pixels_at_the_networks_size(tmp_path: Path, exclusive: bool) -> None:
    recipe = EXCLUSIVE if exclusive else SMALL_MASKS
    unit = masks_units(masks_ready(tmp_path, recipe, exclusive=exclusive))[0]
    assembly, rows = Assembly(unit.problem, unit.recipe), unit.valid_rows
    num, forward = unit.problem.num_classes, coloured(unit.problem.num_classes)
    wanted, is_empty = [], []
    for item in whole_batches(assembly, rows, batch=1):
        assert item.target is not None
        logits, (target,) = (
            forward(*item.inputs(torch.device("cpu")))[0].numpy(),
            item.target.numpy(),
        )
        surest = logits.argmax(axis=0)
        for index in range(num):
            answer = surest == index if exclusive else logits[index] >= 0
            truth = target == index if exclusive else target[index] == 1
            counts = (target if exclusive else target[index]) != IGNORED
            wanted.append(dice(answer & counts, truth))
            is_empty.append(not answer.any())
    assert 0 < sum(is_empty) < len(is_empty) or exclusive

    loss = assembly.loss()
    for batch in (3, 64):
        losses, counts = losses_and_counts(
            assembly, forward, rows, loss, batch=batch, device=torch.device("cpu")
        )
        score = unit.problem.bound_metric("mean_dice")(counts, counts)
        assert score == pytest.approx(np.mean(wanted))
        parts = losses.values() if isinstance(losses, dict) else [losses]
        assert all(len(part) == len(rows) for part in parts)
