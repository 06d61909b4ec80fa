"""The trial of a recipe heals as training does, and tells a loss that is not finite."""

import json

import numpy as np
import pytest
import torch

from foldwise.data.batches import eval_batches
from foldwise.engine.assemble import Assembly
from foldwise.stages.examining.overfit import learn_by_heart
from foldwise.stages.examining.trial import spread_rows, try_recipe
from foldwise.stages.examining.trial_facts import Overfit
from foldwise.stages.examining.trial_rules import RULES, TrialCase
from foldwise.stages.training.unit import Unit
from tests.stages.hungry import hungry
from tests.stages.small_units import ready, units, with_train


def tried(unit: Unit) -> TrialCase:
    recipe = json.dumps(unit.recipe.model_dump(mode="json"))
    picture = unit.problem.home.path / "batch.png"
    found = try_recipe(str(unit.problem.home.path), recipe, "a", str(picture), 1)
    assert found.failures == ()
    assert found.facts is not None
    return TrialCase(found.facts, side_by_side=2)


@pytest.mark.plants("memory")
def test_memory_that_runs_out_in_a_trial_is_a_warning_that_says_how_batches_are_cut(tmp_path):
    case = tried(hungry(tmp_path, most=3, most_scored=5))
    assert case.facts.attempts
    assert all(len(attempt.losses) > 1 for attempt in case.facts.attempts)
    assert all(rate > 0 for rate in case.facts.rates.train.values())
    (fault,) = RULES["memory"](case)
    assert fault.level == "warning"
    assert "cut into 4 parts" in fault.message
    assert "train.accumulate: 4" in fault.remedy


def test_memory_that_suffices_for_the_parts_a_recipe_asks_for_is_no_matter(tmp_path):
    case = tried(hungry(tmp_path, most=3, accumulate=4))
    assert case.facts.parts is None
    assert list(RULES["memory"](case)) == []


def by_heart(unit: Unit, lr: float) -> Overfit:
    assembly = Assembly(unit.problem, unit.recipe)
    rows = spread_rows(unit.problem, 16)
    source = assembly.feed.source(unit.problem.train.take(rows))
    images = next(eval_batches(source, batch=len(rows), workers=0)).images
    return learn_by_heart(
        assembly, images, rows, trainable="all", lr=lr, device=torch.device("cpu")
    )


@pytest.mark.parametrize("on_nonfinite", ["stop", "skip"])
def test_a_loss_that_is_not_finite_is_not_learned_by_heart(tmp_path, on_nonfinite):
    found = by_heart(units(ready(tmp_path, with_train(on_nonfinite=on_nonfinite)))[0], 1e30)
    assert "infinite or NaN" in found.problem
    assert not found.is_learned
    assert np.all(np.array(found.losses) > 0)
