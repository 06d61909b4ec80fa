"""Mistakes that only recipes of masks can have: each is named, and sound recipes are left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from foldwise.errors import ConfigError
from foldwise.home import Home
from foldwise.stages.prepare import prepare
from foldwise.stages.split import split
from foldwise.tasks.asked import load_competition
from tests.stages.examining.clinic import examine, rules
from tests.stages.small_masks import masks_home, masks_ready

SOUND: dict[str, Any] = {
    "model": {"name": "test_resnet", "decoder": "fpn", "presence": {"weight": 0.1}},
    "input": {"size": 32, "zoom": 1.0},
    "formulation": "sigmoid",
    "loss": ["mask_bce", {"name": "mask_dice", "weight": 0.5}],
    "augment": [{"name": "mask_crop", "scale": [1.0, 1.5]}, "hflip", "jitter"],
    "train": {"epochs": 2, "batch": 8, "lr": 1e-3, "workers": 0, "sampler": "defects"},
    "views": ["identity", "hflip"],
}
NATIVE = ["input={size: 32, fit: native, tile: {size: 32}}", "augment=[mask_crop, hflip]"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return masks_ready(tmp_path_factory.mktemp("sound"), SOUND)


def single(folder: Path, kept: str) -> Home:
    """Of images that show dots alone, or of clean ones alone."""
    home = masks_home(folder, SOUND, num_train=32, classes=["dot"])
    table = folder / "raw" / "train.csv"
    frame = pd.read_csv(table, keep_default_na=False)
    frame[frame["kind"] == kept].drop_duplicates("id").to_csv(table, index=False)
    prepare(home)
    split(home)
    return home


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        NATIVE,
        ["input={size: 24, zoom: 1.5}", "train.sampler=hard_negatives"],
        ["loss=[mask_bce, {name: boundary, weight: 0.1}]"],
        ["loss=[mask_focal, {name: tversky, empty: skipped}]", "model.presence=null"],
    ],
)
def test_sound_recipes_are_left_alone(home: Home, overrides: list[str]) -> None:
    assert examine(home, *overrides) == []


MISTAKES = [
    ("mask-crop", "warning", ["augment=[mask_crop, hflip]"], "each shows all of its image"),
    (
        "mask-crop",
        "warning",
        ["augment=[{name: mask_crop, scale: [0.5, 1.5]}, hflip]"],
        "windows of up to 64 px are cut from images that are cached at 32",
    ),
    (
        "mask-crop",
        "warning",
        ["input={size: 64, fit: native}", "augment=[mask_crop, hflip]"],
        "windows of up to 64 px are cut from images whose shorter side is",
    ),
    ("map-fit", "error", ["input={size: 32, fit: native}", "augment=[hflip]"], "squeezed"),
    (
        "tiles",
        "warning",
        ["input={size: 40, fit: native, tile: {size: 32}}", NATIVE[1]],
        "training shows windows of 40 px",
    ),
    (
        "tiles",
        "warning",
        ["input={size: 32, fit: native, tile: {size: 32, overlap: 0}}", NATIVE[1]],
        "nothing is blended",
    ),
    (
        "tiles",
        "warning",
        ["input={size: 32, fit: native, tile: {size: 32, overlap: 0.75}}", NATIVE[1]],
        "about 16 times",
    ),
    ("unused-key", "error", [*NATIVE, "input.zoom=1.5"], "has no effect beside fit: native"),
    ("config", "error", ["input={size: 32, tile: {size: 32}}"], "fit: stretch gives them another"),
    ("config", "error", ["model.presence={weight: 0}"], "wanted a number > 0"),
    ("clean-images", "warning", ["loss=boundary"], "stays where nothing is answered"),
    (
        "clean-images",
        "warning",
        ["loss={name: mask_dice, empty: skipped}"],
        "false pixels of a class that is not in an image cost nothing",
    ),
    ("loss-fit", "error", ["loss=mask_cross_entropy"], "does not fit formulation sigmoid"),
    ("map-fit", "error", ["formulation=softmax", "loss=mask_cross_entropy"], "exclusive"),
]


@pytest.mark.plants("mask-crop", "tiles", "clean-images", "map-fit", "unused-key")
@pytest.mark.parametrize(("rule", "level", "overrides", "said"), MISTAKES)
def test_a_mistake_is_named(
    home: Home, rule: str, level: str, overrides: list[str], said: str
) -> None:
    found = examine(home, *overrides)
    assert rules(found) == {rule}, found
    assert found[0].level == level
    assert any(said in f"{each.message} {each.remedy}" for each in found), found


@pytest.mark.plants("mask-sampler", "presence")
def test_a_sampler_or_a_head_has_to_have_something_to_tell_apart(tmp_path: Path) -> None:
    full = single(tmp_path / "full", "dot")
    assert rules(examine(full)) == {"mask-sampler", "presence"}
    (found,) = examine(full, "model.presence=null")
    assert "shows the one class" in found.message
    (found,) = examine(full, "model.presence=null", "train.sampler=hard_negatives")
    assert "there are no negatives" in found.message
    clean = single(tmp_path / "clean", "")
    found = [each for each in examine(clean) if each.rule == "mask-sampler"]
    assert "no train image shows anything" in found[0].message


@pytest.mark.plants("shared-pixels")
def test_exclusive_classes_are_to_share_a_softmax(tmp_path: Path) -> None:
    recipe = {**SOUND, "formulation": "softmax", "loss": ["mask_cross_entropy", "mask_dice"]}
    recipe["train"] = {**SOUND["train"], "sampler": None}
    home = masks_ready(tmp_path, recipe, exclusive=True)
    assert examine(home) == []
    (found,) = examine(home, "formulation=sigmoid", "loss=mask_bce")
    assert (found.rule, found.level) == ("shared-pixels", "warning")
    assert "use formulation: softmax" in found.remedy


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ignored": [300]}, "values from 0 to 255, found 300"),
        ({"ignored": [-1]}, "from 0 to 255, found -1"),
        ({"ignored": [2]}, r"pixels of bar \(2\) would not count"),
        (
            {"values": {"7": "rest", "8": "dot", "9": "bar"}, "ignored": [8]},
            r"pixels of dot \(8\) would not count",
        ),
    ],
)
def test_what_is_not_counted_is_none_of_the_classes(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    masks = {"kind": "index", "column": "mask", "exclusive": True, "ignored": [255], **change}
    home = masks_home(tmp_path, SOUND, exclusive=True, masks=masks)
    with pytest.raises(ConfigError, match=said):
        load_competition(home)
    found = examine(home)
    assert {"config"} == rules(found)
