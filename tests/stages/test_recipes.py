"""Recipes with the plan's changes: what is wrong is told by the file and line it stands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldwise.errors import ConfigError
from foldwise.home import Home
from foldwise.stages.recipes import (
    Places,
    joined,
    load_recipe,
    plan_changes,
    planned_places,
    planned_recipes,
    recipe_places,
)
from tests.stages.examining.clinic import RECIPE

PLAN = """\
recipes:
  a: {}
  b:
    train: {epochs: 3}
    augment:
      - crop
      - hflip
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path)
    found.recipes.mkdir()
    for name in ("a", "b"):
        found.recipe(name).write_text(RECIPE)
    found.plan.write_text(PLAN)
    return found


def refused(home: Home, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        planned_recipes(home, overrides)
    return [text.replace(f"{home.path}/", "") for text in caught.value.problems]


def test_the_plan_changes_recipes_and_its_overrides_change_them_further(home: Home) -> None:
    found = planned_recipes(home, ["recipes.b.train.lr=1e-4"])
    assert list(found) == ["a", "b"]
    assert (found["b"].train.epochs, found["b"].train.lr) == (3, 1e-4)
    assert found["b"].augment == ("crop", "hflip")
    assert found["a"] == load_recipe(home, "a")


def test_a_typo_in_the_plans_changes_names_file_line_and_path(home: Home) -> None:
    home.plan.write_text(PLAN.replace("train: {epochs", "trian: {epochs"))
    assert refused(home) == ["plan.yaml:4: recipes.b.trian: unknown key; did you mean train?"]
    home.plan.write_text(PLAN)
    assert refused(home, "recipes.b.train.epocs=3") == [
        "override recipes.b.train.epocs: unknown key; did you mean train.epochs?"
    ]


def test_a_recipe_without_a_file_is_named_where_the_plan_names_it(home: Home) -> None:
    home.plan.write_text(PLAN.replace("  b:", "  bb:"))
    assert refused(home) == [
        "plan.yaml:3: recipes.bb: there is no recipe 'bb' in recipes; did you mean 'b'?"
    ]


def test_all_recipes_problems_are_told_at_once(home: Home) -> None:
    home.recipe("a").write_text(RECIPE.replace("size: 24", "size: 2"))
    home.plan.write_text(PLAN.replace("epochs: 3", "epochs: -3"))
    first, second = refused(home)
    assert first.startswith("recipes/a.yaml:5: input.size: found 2")
    assert second.startswith("plan.yaml:4: recipes.b.train.epochs: found -3")


def test_of_several_errors_each_keeps_its_remedy() -> None:
    wrong = ConfigError("loss is unknown", remedy="known: ce")
    assert joined([wrong]) is wrong
    assert joined([wrong, ConfigError("x", "y")]).problems == (
        "loss is unknown (known: ce)",
        "x",
        "y",
    )


def test_places_tell_the_line_of_a_recipe_a_plan_or_an_override(home: Home) -> None:
    places = planned_places(home)["b"]
    assert places.of("augment.1") == f"{home.path}/plan.yaml:7"
    assert places.of("train.epochs") == f"{home.path}/plan.yaml:4"
    assert places.of("input.size") == f"{home.path}/recipes/b.yaml:5"
    assert places.of("loss") == f"{home.path}/recipes/b.yaml"
    own = recipe_places(home, "b", overrides=["loss=mse"], changes=plan_changes(home)["b"])
    assert own.of("loss") == "override loss"


def test_an_error_with_its_place_names_the_key_once() -> None:
    places = Places("b.yaml", {"loss": "override loss", "mix": "b.yaml:3"})
    wrong = ConfigError("is unknown", remedy="known: ce")
    assert places.error("loss", wrong).problems == ("override loss: is unknown",)
    assert places.error("mix", wrong).problems == ("b.yaml:3: mix: is unknown",)
    assert places.error("mix", wrong).remedy == "known: ce"
