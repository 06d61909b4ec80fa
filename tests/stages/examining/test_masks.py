"""The doctor on recipes of masks: what it refuses, and what its trial finds out."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from foldwise.engine.assemble import Assembly
from foldwise.losses import LOSSES
from foldwise.masks import IGNORED
from foldwise.stages.examining.binding import bind_parts, bind_second_level
from foldwise.stages.examining.cost_trial import tried_cost
from foldwise.stages.examining.overfit import blind_loss
from foldwise.stages.examining.picture import caption, draw_pairs, marked
from foldwise.stages.examining.trial import plain_batch, spread_rows, try_recipe
from foldwise.stages.examining.trial_rules import RULES, TrialCase
from foldwise.stages.training.unit import Unit
from tests.stages.examining.clinic import examine, rules
from tests.stages.small_masks import SMALL_MASKS, masks_ready, masks_units


def changed(unit: Unit, **changes: Any) -> Assembly:
    recipe = unit.recipe.model_validate({**unit.recipe.model_dump(), **changes})
    return Assembly(unit.problem, recipe)


@pytest.mark.plants("map-fit")
def test_the_doctor_says_what_does_not_go_with_masks(tmp_path: Path) -> None:
    home = masks_ready(tmp_path)
    assert not rules(examine(home)) & {"map-fit", "labels", "data"}
    found = [f for f in examine(home, "model.name=resnet18") if f.rule == "map-fit"]
    assert [f.level for f in found] == ["error"]
    assert "task segmentation asks for masks" in found[0].message
    assert found[0].where == "override model.name"


def test_parts_are_bound_as_masks_want_them(tmp_path: Path) -> None:
    (unit, _) = masks_units(masks_ready(tmp_path))
    assert bind_parts(Assembly(unit.problem, unit.recipe)) == []
    for key, changes, said in (
        ("augment.1", {"augment": ["hflip", "rand_augment"]}, "rand_augment does not go with"),
        ("train.sampler", {"train": {"sampler": "balanced"}}, "balanced"),
        ("views", {"views": ["two_crop"]}, "in none of the views"),
        ("imbalance", {"imbalance": "weights"}, "one class per sample"),
        ("loss", {"loss": "cross_entropy"}, "does not fit formulation sigmoid"),
        ("freeze", {"freeze": "backbone"}, "backbone"),
    ):
        failures = bind_parts(changed(unit, **changes))
        assert any(key == f.key and said in " ".join(f.problems) for f in failures), key


def test_a_second_level_model_is_refused(tmp_path: Path) -> None:
    (unit, _) = masks_units(masks_ready(tmp_path))
    second = unit.recipe.model_validate({"features": "a", "head": "logistic"})
    (failure,) = bind_second_level(unit.problem, second)
    assert (failure.rule, failure.key) == ("map-fit", "features")


@pytest.mark.parametrize("fit", ["stretch", "native"])
def test_a_trial_learns_masks_by_heart_and_times_steps(tmp_path: Path, fit: str) -> None:
    recipe = {
        **SMALL_MASKS,
        "input": {"size": 24, "fit": fit},
        "augment": ["mask_crop", "hflip"],
        "train": {**SMALL_MASKS["train"], "lr": 5e-2},
    }
    (unit, _) = masks_units(masks_ready(tmp_path, recipe))
    picture = tmp_path / "batch.png"
    given = json.dumps(unit.recipe.model_dump(mode="json"))
    found = try_recipe(str(unit.problem.home.path), given, "a", str(picture), 1)
    assert found.failures == ()
    assert found.facts is not None
    assert found.facts.attempts[-1].is_learned
    assert min(found.facts.rates.train.values()) > 0
    case = TrialCase(found.facts, side_by_side=2)
    found_by = {name for name, find in RULES.items() if list(find(case))}
    assert found_by <= {"rate-unfit", "pixel-range"}  # The images are as dark as they look.
    with Image.open(picture) as sheet:
        assert sheet.size[0] > 400


def test_one_answer_for_all_pixels_costs_their_entropy() -> None:
    target = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    target[0] = 1
    target[1, :, :4] = IGNORED
    share = 64 / (4 * 64)
    wanted = -(share * math.log(share) + (1 - share) * math.log(1 - share))
    assert blind_loss(LOSSES["mask_bce"], target, 1) == pytest.approx(wanted, rel=1e-4)
    classes = torch.arange(4).repeat_interleave(16).reshape(1, 8, 8).to(torch.uint8)
    found = blind_loss(LOSSES["mask_cross_entropy"], classes, 4)
    assert found == pytest.approx(math.log(4), rel=1e-4)


@pytest.mark.parametrize("exclusive", [False, True])
def test_the_cost_of_a_step_is_measured_with_masks_of_noise(
    tmp_path: Path, exclusive: bool
) -> None:
    recipe = {**SMALL_MASKS, **({"formulation": "softmax"} if exclusive else {})}
    (unit, _) = masks_units(masks_ready(tmp_path, recipe, exclusive=exclusive))
    cost = tried_cost(Assembly(unit.problem, unit.recipe), 3, 24)
    assert (cost.batch, cost.size) == (3, 24)
    assert cost.seconds > 0


def test_the_rows_of_a_trial_show_every_class(tmp_path: Path) -> None:
    (unit, _) = masks_units(masks_ready(tmp_path))
    shown = unit.problem.target[spread_rows(unit.problem, 8)].present
    assert (shown.sum(axis=0) >= 2).all()


def test_a_picture_names_classes_and_lays_masks_over_images(tmp_path: Path) -> None:
    (unit, _) = masks_units(masks_ready(tmp_path))
    names = [caption(unit.problem, row) for row in range(4)]
    assert names == ["none", "dot", "bar", "dot, bar"]
    images = torch.full((1, 1, 2, 2), 100, dtype=torch.uint8)
    target = torch.tensor([[[[1, 0], [0, IGNORED]], [[0, 1], [0, IGNORED]]]], dtype=torch.uint8)
    found = marked(images, target)[0].permute(1, 2, 0)
    assert found[1].tolist() == [[100, 100, 100]] * 2
    assert len({tuple(pixel) for pixel in found[0].tolist()}) == 2
    classes = torch.tensor([[[0, 1], [IGNORED, IGNORED]]], dtype=torch.uint8)
    assert torch.equal(marked(images, classes)[0].permute(1, 2, 0), found)
    assert np.asarray(found).dtype == np.uint8


def test_every_class_of_many_has_its_colour_and_is_named_at_the_foot() -> None:
    images = torch.full((1, 3, 1, 13), 100, dtype=torch.uint8)
    classes = torch.tensor([[[*range(12), IGNORED]]], dtype=torch.uint8)
    found = marked(images, classes)[0].permute(1, 2, 0)[0].tolist()
    assert len({tuple(pixel) for pixel in found}) == 13
    assert found[12] == [100, 100, 100]
    plain = draw_pairs(images, images, ["one"])
    kinds = [f"class {number}" for number in range(12)]
    sheet = draw_pairs(images, images, ["one"], kinds=kinds)
    assert sheet.width == plain.width
    assert sheet.height > plain.height + 3 * 18  # Lines for all of them.
    assert np.array_equal(np.asarray(sheet)[: plain.height], np.asarray(plain))
    foot = np.asarray(sheet)[plain.height :].reshape(-1, 3)
    assert {(230, 25, 75), (170, 110, 40)} <= {tuple(pixel) for pixel in foot.tolist()}


@pytest.mark.parametrize("fit", ["stretch", "native"])
def test_what_is_learned_by_heart_shows_what_is_there_at_the_scale_of_training(
    tmp_path: Path, fit: str
) -> None:
    recipe = {**SMALL_MASKS, "input": {"size": 24, "zoom": 1.5, "fit": fit}}
    recipe["augment"] = [{"name": "mask_crop", "near": 0.0}, "hflip"]
    recipe["input"] |= {} if fit == "stretch" else {"zoom": 1.0}
    (unit, _) = masks_units(masks_ready(tmp_path, recipe))
    rows = np.arange(8)
    batch = plain_batch(Assembly(unit.problem, unit.recipe), rows)
    assert batch.target is not None
    assert batch.images.shape == (8, 3, 24, 24)
    assert batch.target.shape == (8, 2, 24, 24)
    shown = (batch.target == 1).flatten(2).any(dim=2).any(dim=1).tolist()
    assert shown == unit.problem.target[rows].present.any(axis=1).tolist()
    # Dots are red: what is shown lies under its mask.
    red = batch.images[:, 0].float()
    assert red[batch.target[:, 0] == 1].mean() > 2 * red[batch.target[:, 0] == 0].mean()


@pytest.mark.plants("filled-up")
def test_a_side_that_is_filled_up_is_found_in_the_trial(tmp_path: Path) -> None:
    recipe = {
        **SMALL_MASKS,
        "model": {"name": "test_resnet", "decoder": "fpn"},
        "input": {"size": 24, "fit": "native", "tile": {"size": 40}},
        "augment": ["mask_crop"],
    }
    (unit, _) = masks_units(masks_ready(tmp_path, recipe))
    given = json.dumps(unit.recipe.model_dump(mode="json"))
    picture = str(tmp_path / "batch.png")
    found = try_recipe(str(unit.problem.home.path), given, "a", picture, 1)
    assert found.facts is not None
    assert found.facts.filled == {"input.size": (24, 32), "input.tile.size": (40, 64)}
    first, second = RULES["filled-up"](TrialCase(found.facts, 1))
    assert (first.key, second.key) == ("input.size", "input.tile.size")
    assert "24 px are filled up to 32: 78% more" in first.message
    little = replace(found.facts, filled={"input.size": (250, 256)})
    assert list(RULES["filled-up"](TrialCase(little, 1))) == []
