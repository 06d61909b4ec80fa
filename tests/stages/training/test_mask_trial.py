"""The trial of scoring masks: passes and what an image takes beside them, apart."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from foldwise.engine.assemble import Assembly
from foldwise.maps import files
from foldwise.models.mask_network import MaskNetwork
from foldwise.stages.scheduling.rates import Rates
from foldwise.stages.scheduling.unit_forecast import unit_forecast
from foldwise.stages.training.trial import InferTrial, infer_rate, infer_trial
from tests.stages.small_masks import SMALL_MASKS, masks_ready, masks_units

PASS_S, WRITE_S = 0.2, 0.03
NATIVE = {"input": {"size": 16, "fit": "native"}, "augment": ["mask_crop"]}


@pytest.fixture
def slowed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A pass and a map that is written take a while; sizes of the passes' batches."""
    forward, batch, seen = MaskNetwork.forward, files._batch, list[int]()

    def slow(self: MaskNetwork, images: torch.Tensor, columns: Any = None) -> torch.Tensor:
        time.sleep(PASS_S)
        seen.append(len(images))
        return forward(self, images, columns)

    def written(*args: Any) -> Any:
        time.sleep(WRITE_S)
        return batch(*args)

    monkeypatch.setattr(MaskNetwork, "forward", slow)
    monkeypatch.setattr(files, "_batch", written)
    monkeypatch.setattr("foldwise.stages.training.trial.usual_batch", lambda assembly: 4)
    return seen


@pytest.mark.parametrize("native", [False, True])
def test_passes_are_told_from_what_an_image_takes_beside_them(
    tmp_path: Path, slowed: list[int], native: bool
) -> None:
    recipe = {**SMALL_MASKS, **(NATIVE if native else {})}
    (unit, _) = masks_units(masks_ready(tmp_path, recipe))
    assembly = Assembly(unit.problem, unit.recipe)
    found = infer_trial(assembly, assembly.network(), num_batches=3)
    at_once = 1 if native else 4
    assert slowed == [at_once] * 4
    # Sleeping takes what was asked for or more, the more the busier the machine is.
    assert 0.5 * at_once / PASS_S < found.rate <= at_once / PASS_S
    assert WRITE_S <= found.image_s < 4 * WRITE_S
    assert not list(unit.problem.home.cache.rglob("*.arrow"))


def test_a_rate_by_itself_has_all_that_an_image_takes(tmp_path: Path, slowed: list[int]) -> None:
    (unit, _) = masks_units(masks_ready(tmp_path))
    assembly = Assembly(unit.problem, unit.recipe)
    assert infer_rate(assembly, assembly.network(), num_batches=2) < 1 / (PASS_S / 4 + WRITE_S)
    assert InferTrial(10.0, 0.1).whole == pytest.approx(5.0)
    assert InferTrial(10.0).whole == pytest.approx(10.0)


def test_views_of_masks_cost_passes_and_no_more_maps(tmp_path: Path) -> None:
    recipe = {**SMALL_MASKS, "views": ["identity", "hflip", "vflip"]}
    (unit, _) = masks_units(masks_ready(tmp_path, recipe))
    rates = Rates(0.0, infer=10.0, train={"all@32": 10.0}, image_s=0.5)
    rows = len(unit.valid_rows) + len(unit.problem.test)
    found = unit_forecast(unit, rates, 2)
    without = unit_forecast(unit, Rates(0.0, 10.0, {"all@32": 10.0}), 2)
    assert found.seconds - without.seconds == pytest.approx(0.5 * rows)
    assert found.parts == without.parts
