"""The studies of tricks: every recipe is one, differs in one thing, and is worked off in order."""

from __future__ import annotations

from pathlib import Path

import pytest
from studies import BASE, SCREEN, VERDICT, Study, Trick, in_order, read_studies

from foldwise.config.loading import load, origins
from foldwise.config.recipe import Recipe
from foldwise.stages.examining.unhonoured import check_keys
from foldwise.stages.recipes import Places
from foldwise.stages.training.prints import identity

STUDIES = read_studies()


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.pack)
def test_every_trick_changes_what_its_reference_trains(study: Study, tmp_path: Path) -> None:
    study.write_recipes(tmp_path)
    recipes = {path.stem: identity(load(path, Recipe)) for path in tmp_path.glob("*.yaml")}
    assert set(recipes) == {BASE, *(trick.name for trick in study.tricks)}
    same = [trick.name for trick in study.tricks if recipes[trick.name] == recipes[trick.reference]]
    assert same == []


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.pack)
def test_no_recipe_says_what_its_training_would_pass_over(study: Study, tmp_path: Path) -> None:
    study.write_recipes(tmp_path)
    for path in tmp_path.glob("*.yaml"):
        check_keys(load(path, Recipe), Places(path.name, origins(path)))


def test_packs_take_turns_and_a_reference_comes_before_what_it_is_compared_with() -> None:
    over = Trick("b", "a", {})
    one = Study("one", (), 2, 2, {}, (Trick("a", BASE, {}), over, Trick("c", BASE, {})))
    two = Study("two", (), 2, 1, {}, (Trick("z", BASE, {}), Trick("y", BASE, {})))
    first = [(study.pack, name) for study, name in in_order([one, two], first=True)]
    assert first == [("one", BASE), ("two", BASE), ("one", "a"), ("two", "z"), ("one", "b")]
    others = [(study.pack, name) for study, name in in_order([one, two], first=False)]
    assert others == [("one", BASE), ("two", BASE), ("one", "c"), ("two", "y")]


def test_the_order_of_all_studies_holds_every_recipe_behind_its_reference() -> None:
    for study in STUDIES:
        order = [
            name
            for first in (True, False)
            for each, name in in_order(STUDIES, first=first)
            if each is study
        ]
        assert set(order) == {BASE, *(trick.name for trick in study.tricks)}
        for trick in study.tricks:
            assert order.index(trick.reference) < order.index(trick.name), trick.name


def test_a_verdict_takes_at_least_eight_paired_units_and_keeps_those_of_the_screen() -> None:
    assert all(len(VERDICT.seeds) * study.num_folds >= 8 for study in STUDIES)
    assert VERDICT.seeds[: len(SCREEN.seeds)] == SCREEN.seeds
