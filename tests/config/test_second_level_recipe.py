"""A second-level recipe: which keys it has, and what is said where they are mixed with others."""

import pytest

from foldwise.config.loading import from_values
from foldwise.config.network import NO_NETWORK
from foldwise.config.recipe import Recipe
from foldwise.errors import ConfigError
from foldwise.stages.training.prints import recipe_print


def recipe(**values):
    return from_values(values, Recipe, source="b.yaml")


def test_one_run_or_several_and_columns_by_name_or_kind():
    found = recipe(features="a", head="svr", columns=["age", {"name": "site", "kind": "category"}])
    assert found.sources == ("a",)
    assert found.is_second_level
    assert found.columns == ("age", {"name": "site", "kind": "category"})
    several = recipe(features=["a", "c"], head={"name": "svr", "C": 2.0})
    assert several.sources == ("a", "c")
    again = from_values(several.model_dump(mode="json"), Recipe, source="run.json")
    assert again == several
    assert recipe_print(again) != recipe_print(found)


def test_a_network_is_none_of_them_and_hashed_as_before():
    found = recipe(model={"name": "resnet18"})
    assert not found.is_second_level
    assert found.model != NO_NETWORK
    assert recipe_print(found) == "fd80b82123ff70e6"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "b.yaml: model: missing; wanted keys .name, .*or features: RUN and head"),
        ({"features": "a"}, "head: missing; a second-level recipe"),
        ({"model": {"name": "x"}, "head": "svr"}, "head goes with features: RUN only"),
        ({"model": {"name": "x"}, "columns": ["age"]}, "columns goes with features: RUN only"),
        (
            {"features": "a", "head": "svr", "model": {"name": "x"}, "train": {"epochs": 3}},
            "model, train: a second-level recipe .* has no network that this could change",
        ),
        (
            {"features": "a", "head": "svr", "views": ["identity", "hflip"]},
            "views: a second-level recipe .*what counts is features, head, columns",
        ),
        ({"features": "a", "head": "svr", "imbalance": "sampler"}, "use weights"),
        ({"features": ["a", "a"], "head": "svr"}, "a stands there twice"),
        ({"features": "a", "head": "svr", "columns": ["x", {"name": "x"}]}, "x stands there twice"),
        ({"features": "../a", "head": "svr"}, "is no name"),
    ],
)
def test_keys_of_two_kinds_are_not_mixed(values, message):
    with pytest.raises(ConfigError, match=message):
        recipe(**values)


@pytest.mark.parametrize("name", ["none", "weights"])
def test_a_balance_written_as_a_mapping_is_taken_as_its_name_is(name):
    found = recipe(features="a", head="svr", imbalance={"name": name})
    assert found.imbalance == {"name": name}
