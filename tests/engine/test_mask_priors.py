"""What masks begin from, before anything is learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from foldwise.engine.assemble import Assembly
from foldwise.engine.mask_priors import first_logits
from foldwise.masks.runs import decode
from tests.stages.small_masks import SMALL_MASKS, masks_ready, masks_units

DECODED = {
    **SMALL_MASKS,
    "model": {"name": "test_resnet", "decoder": "unet"},
}


def shares(assembly: Assembly, rows: np.ndarray) -> np.ndarray:
    """(C,) of the pixels that count, by counting each."""
    masks = assembly.problem.target[rows]
    pixels, every = np.zeros(masks.num_classes), 0
    for place in range(len(rows)):
        numbers = np.arange(place * masks.num_classes, (place + 1) * masks.num_classes)
        found = np.stack(decode(masks.runs.take(numbers)))
        pixels += found.reshape(len(found), -1).sum(axis=1)
        every += found[0].size
        if masks.ignored is not None:
            every -= int(decode(masks.ignored.take(np.array([place])))[0].sum())
    return pixels / every


@pytest.mark.parametrize("exclusive", [False, True])
def test_each_class_begins_at_its_share_of_the_rows_it_learns_from(
    tmp_path: Path, exclusive: bool
) -> None:
    recipe = {**DECODED, "formulation": "softmax" if exclusive else "sigmoid"}
    (unit, _) = masks_units(masks_ready(tmp_path, recipe, exclusive=exclusive))
    assembly = Assembly(unit.problem, unit.recipe)
    logits = torch.tensor(first_logits(assembly, unit.train_rows), dtype=torch.float64)
    found = logits.softmax(0) if exclusive else logits.sigmoid()
    assert found.tolist() == pytest.approx(shares(assembly, unit.train_rows).tolist())
    torch.manual_seed(0)
    network = assembly.network(unit.train_rows)
    assert network.end is not None
    assert [*network.end.last.modules()][1].bias.tolist() == pytest.approx(logits.tolist())


def test_a_class_that_no_row_shows_begins_at_one_in_a_thousand(tmp_path: Path) -> None:
    (unit, _) = masks_units(masks_ready(tmp_path, DECODED))
    assembly = Assembly(unit.problem, unit.recipe)
    clean = np.flatnonzero(~unit.problem.target.present.any(axis=1))
    found = torch.tensor(first_logits(assembly, clean)).sigmoid()
    assert found.tolist() == pytest.approx([1e-3, 1e-3])
