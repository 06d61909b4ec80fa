"""What cannot be asked of a network of masks, and of masks where none are asked for."""

from __future__ import annotations

from typing import Any

import pytest

from foldwise.config.competition import Competition
from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.engine.map_problems import map_problems
from foldwise.tasks import TASKS

MASKED = {"name": "resnet18", "decoder": "unet"}


def found(recipe: dict[str, Any], *, task: str = "segmentation", exclusive: bool = False) -> str:
    masks = {"kind": "runs", "column": "rle", "class_column": "kind", "exclusive": exclusive}
    values: dict[str, Any] = {
        "name": "small",
        "data": "data",
        "tables": {"train": "train.csv", "test": "test.csv"},
        "images": {"kind": "path", "column": "path"},
        "columns": {"id": "id", **({} if task == "segmentation" else {"target": ["a", "b"]})},
        "task": task,
        "classes": ["a", "b"],
        "metric": "mean_dice",
        **({"masks": masks} if task == "segmentation" else {}),
    }
    competition = from_values(values, Competition, source="test")
    problems = map_problems(from_values(recipe, Recipe, source="test"), competition, TASKS[task])
    return "\n".join(f"{each.key}: {each.found}" for each in problems)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"model": {"name": "resnet18"}}, "model.decoder: missing: task segmentation asks for"),
        ({"model": MASKED, "freeze": "backbone"}, "freeze: backbone"),
        ({"model": MASKED, "formulation": "softmax"}, "formulation: softmax gives each pixel one"),
        ({"model": MASKED, "input": {"fit": "pad"}}, "input.fit: pad"),
        ({"model": MASKED, "input": {"fit": "shorter_side"}}, "input.fit: shorter_side"),
        ({"model": MASKED, "input": {"steps": ["grey", "crop_border"]}}, "input.steps.1: crop_b"),
        ({"model": MASKED, "input": {"draws": "independent"}}, "input.draws: independent"),
        ({"model": MASKED, "input": {"fit": "native"}}, "input.fit: native: images are scored"),
        ({"model": MASKED, "mix": "cutmix"}, "mix: cutmix"),
        ({"model": MASKED, "external": ["old"]}, "external: such rows"),
        ({"model": MASKED, "pseudo": {"run": "a"}}, "pseudo: such rows"),
        ({"model": MASKED, "train": {"stop": "cross"}}, "train.stop: cross"),
        ({"features": "a", "head": "logistic"}, "features: a second-level model"),
    ],
)
def test_what_has_no_meaning_for_masks_is_named_with_its_reason(
    recipe: dict[str, Any], said: str
) -> None:
    (line,) = found(recipe).splitlines()
    assert line.startswith(said)


@pytest.mark.parametrize(
    "recipe",
    [
        {"model": MASKED, "augment": ["mask_crop", "hflip"], "train": {"sampler": "defects"}},
        {"model": {"name": "nets:own"}, "input": {"steps": ["grey", "ben"]}},
        {"model": MASKED, "input": {"fit": "native"}, "augment": ["mask_crop"]},
        {"model": {**MASKED, "presence": {"weight": 0.2}}, "refit": "all"},
    ],
)
def test_what_masks_can_have_passes(recipe: dict[str, Any]) -> None:
    assert not found(recipe)


def test_exclusive_masks_may_share_a_softmax() -> None:
    assert not found({"model": MASKED, "formulation": "softmax"}, exclusive=True)


def test_a_decoder_where_no_masks_are_asked_for_is_refused() -> None:
    line = found({"model": MASKED}, task="multilabel")
    assert line == "model.decoder: unet makes masks, and task multilabel asks for none"
    assert not found({"model": {"name": "resnet18"}}, task="multilabel")


def test_windows_are_not_trained_on_whole_in_a_stage() -> None:
    stages = [{"epochs": 1, "start_lr": 1e-3, "end_lr": 0, "augment": False}]
    recipe = {
        "model": MASKED,
        "input": {"fit": "native"},
        "augment": ["mask_crop"],
        "train": {"schedule": {"stages": stages}},
    }
    assert found(recipe).startswith("train.schedule.stages.0.augment: false")


def test_images_of_their_own_sizes_go_with_masks_alone() -> None:
    line = found({"model": {"name": "resnet18"}, "input": {"fit": "native"}}, task="multilabel")
    assert line.startswith("input.fit: native: only masks")
