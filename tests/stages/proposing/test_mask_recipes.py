"""Recipes for masks: they load, differ, and keep within the time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.data.mask_augment import bound_augments
from foldwise.losses import LOSSES
from foldwise.models.segmentation import build_masks
from foldwise.parts import bind, name_of
from foldwise.stages.proposing.mask_recipes import mask_blends, mask_folds, mask_size, propose_masks
from foldwise.stages.proposing.recipes import Facts, Proposal
from foldwise.tasks import TASKS

from .test_recipes import FACTS, LITE, MOBILE, looks

MASKS = replace(FACTS, formulations=("sigmoid",), clean_share=0.7, budget_s=1440.0)
CASES = {
    "clean-heavy": MASKS,
    "exclusive": replace(MASKS, formulations=("softmax",), clean_share=0.0),
    "forbidden": replace(MASKS, pretrained=False),
    "one package": replace(MASKS, machine=replace(MASKS.machine, networks=(LITE,))),
    "gpu": replace(MASKS, machine=replace(MASKS.machine, num_gpus=1)),
    "six channels": replace(MASKS, looks=looks((64, 64), (64, 64), channels=6), pretrained=False),
    "tiny": replace(MASKS, looks=looks((30, 40), (30, 40))),
    "huge": replace(MASKS, num_train=200_000),
    "turns": replace(MASKS, symmetries=("hflip", "vflip", "rot90")),
}


def segmenters(facts: Facts) -> list[Proposal]:
    """Those that give masks, without the gate."""
    return [p for p in propose_masks(facts) if "target" not in p.values]


@pytest.mark.parametrize("case", CASES)
def test_augmentations_are_known_with_their_options(case):
    for proposal in segmenters(CASES[case]):
        recipe = from_values(proposal.values, Recipe, source=proposal.name)
        bound_augments(recipe.augment, (recipe.input.size, recipe.input.size))  # Or it raises.


@pytest.mark.parametrize(
    ("case", "num"), [("clean-heavy", 1), ("exclusive", 0), ("forbidden", 0), ("gpu", 1)]
)
def test_a_gate_is_proposed_where_an_image_may_have_no_class_and_features_are_cheap(case, num):
    proposals = propose_masks(CASES[case])
    gates = [p for p in proposals if p not in segmenters(CASES[case])]
    assert len(gates) == num
    blends = mask_blends(proposals)
    assert blends["blend"] == {"method": "mean", "members": "all"}
    assert [b["gate"] for b in blends.values() if "gate" in b] == [gate.name for gate in gates]
    for gate in gates:
        recipe = from_values(gate.values, Recipe, source=gate.name)
        assert recipe.target == "presence"
        assert recipe.freeze == "backbone"


@pytest.mark.parametrize("case", CASES)
def test_two_recipes_that_load_and_differ(case):
    proposals = segmenters(CASES[case])
    recipes = [from_values(p.values, Recipe, source=p.name) for p in proposals]
    assert len({p.name for p in proposals}) == 2
    networks = [(recipe.model.name, name_of(recipe.model.decoder)) for recipe in recipes]
    assert len(set(networks)) == 2
    formulation = CASES[case].formulations[0]
    allowed = TASKS["segmentation"].formulations[formulation].losses
    for recipe in recipes:
        assert recipe.formulation == formulation
        assert {name_of(part) for part in recipe.loss} <= set(allowed)
        for part in recipe.loss:
            bind(LOSSES, part if isinstance(part, str) else part["name"], what="loss")


@pytest.mark.parametrize("place", [0, 1])
def test_the_networks_can_be_built(place):
    proposal = propose_masks(replace(MASKS, pretrained=False))[place]
    recipe = from_values(proposal.values, Recipe, source=proposal.name)
    network = build_masks(
        name=recipe.model.name, decoder=recipe.model.decoder, num_outputs=2, size=64
    )
    assert network is not None


def test_images_of_which_many_are_clean_are_drawn_by_what_they_show():
    sampler = [p.values["train"].get("sampler") for p in segmenters(MASKS)]
    assert sampler == [{"name": "defects"}] * 2
    few = segmenters(replace(MASKS, clean_share=0.2))
    assert all("sampler" not in p.values["train"] for p in few)


def test_networks_of_nearly_one_name_make_recipes_of_two():
    other = replace(LITE, name=LITE.name.removeprefix("tf_"))
    machine = replace(MASKS.machine, networks=(LITE, other))
    assert len({p.name for p in segmenters(replace(MASKS, machine=machine))}) == 2


def test_only_harmless_flips_are_proposed():
    names = [
        {name_of(part) for part in p.values["augment"]}
        for symmetries in ((), ("hflip", "rot90"))
        for p in segmenters(replace(MASKS, symmetries=symmetries))
    ]
    assert names == [{"mask_crop", "jitter"}] * 2 + [{"mask_crop", "hflip", "rot90", "jitter"}] * 2


def test_more_time_gives_larger_images_and_never_larger_than_they_are():
    sizes = [
        [p.values["input"]["size"] for p in segmenters(replace(MASKS, budget_s=budget))]
        for budget in (100.0, 1440.0, 100_000.0)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    small = segmenters(replace(MASKS, budget_s=1e6, looks=looks((150, 130), (150, 130))))
    assert [p.values["input"]["size"] for p in small] == [160, 160]


def test_the_forecast_is_within_the_time_where_that_is_possible():
    assert sum(p.forecast_s for p in propose_masks(MASKS)) <= MASKS.budget_s
    assert MOBILE.name in {p.values["model"]["name"] for p in propose_masks(MASKS)}


def test_there_are_fewer_folds_where_more_would_leave_too_little_to_learn_with():
    assert MASKS.num_folds == 5
    assert mask_folds(replace(MASKS, budget_s=1e6)) == 5
    assert mask_folds(replace(MASKS, num_folds=2)) == 2
    short = replace(MASKS, num_train=900, budget_s=1440.0)
    assert mask_folds(short) == 3
    five, three = (mask_size(replace(short, num_folds=num), 720.0) for num in (5, 3))
    assert three > five


def bold(facts: Facts) -> list[Proposal]:
    """Those that are charged by overlap for what is there alone."""
    return [p for p in segmenters(facts) if p.values["loss"][1].get("empty") == "skipped"]


def test_behind_a_gate_one_recipe_is_careful_and_one_is_bold():
    careful, found = segmenters(MASKS)
    assert [found] == bold(MASKS)
    assert found.values["input"]["zoom"] == 2.0
    side = MASKS.looks.side
    assert 2 * found.values["input"]["size"] <= 1.25 * side
    assert found.values["input"]["size"] <= careful.values["input"]["size"]
    assert careful.values["input"]["zoom"] == 1.0
    smooth = [p.values["loss"][1]["smooth"] for p in (careful, found)]
    assert smooth[0] > smooth[1] >= 1
    assert found.values["train"]["epochs"] >= 5
    assert "bold" in found.reason
    assert found.values["augment"][0]["near"] == 0.5


@pytest.mark.parametrize(
    "facts",
    [
        CASES["exclusive"],
        CASES["forbidden"],
        CASES["tiny"],
        CASES["huge"],
        replace(MASKS, clean_share=0.2),
    ],
    ids=["exclusive", "no gate", "no room for windows", "no time for them", "few are clean"],
)
def test_elsewhere_none_is_bold(facts):
    assert not bold(facts)
