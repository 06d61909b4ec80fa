"""The range test finds the valley of a known loss, and reads real training steps."""

import json
import math

import numpy as np
import pytest

from foldwise.stages.examining.lr_range import FEWEST_STEPS, read_range, rising_rates
from foldwise.stages.examining.lr_trial import HIGHEST, LOWEST, STEPS, range_test
from foldwise.stages.recipes import load_recipe
from tests.stages.hungry import hungry
from tests.stages.small_units import ready, with_train

RATES = rising_rates(1e-6, 1.0, 121)


def valley(rate: float) -> float:
    """Falls from 2 to about 0.5, fastest at 1e-3, and flies off above 0.1."""
    fall = 1.5 / (1 + math.exp(-4 * (math.log10(rate) + 3)))
    return 2 - fall + 50 * max(0.0, math.log10(rate) + 1) ** 2


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_the_fall_and_the_turn_of_a_known_loss_are_found(noise):
    rng = np.random.default_rng(0)
    found = read_range(RATES, [valley(rate) + noise * rng.standard_normal() for rate in RATES])
    assert found.steepest is not None
    # The smoothed mean lags behind by about a third of a decade.
    assert 5e-4 < found.steepest < 6e-3
    assert 0.05 < found.highest < 0.4
    drawn = found.drawn()
    assert len(drawn) == 40
    assert drawn[0] > drawn[25] < drawn[-1]


def test_a_loss_that_only_rises_has_no_fall():
    found = read_range(RATES, [1 + 10 * rate for rate in RATES])
    assert found.steepest is None
    assert found.highest <= RATES[FEWEST_STEPS]


def test_steps_of_a_real_recipe_are_read(tmp_path):
    home = ready(tmp_path, with_train(optimizer="sgd", lr=0.01))
    recipe = json.dumps(load_recipe(home, "a").model_dump(mode="json"))
    found = range_test(str(home.path), recipe)
    assert found.rates == rising_rates(LOWEST, HIGHEST, STEPS)[: len(found.rates)]
    assert found.steepest is not None
    assert 1e-4 < found.steepest <= found.highest <= 1
    assert range_test(str(home.path), recipe) == found


def test_steps_are_cut_where_memory_runs_out(tmp_path):
    unit = hungry(tmp_path, most=3, optimizer="sgd", lr=0.01)
    recipe = json.dumps(unit.recipe.model_dump(mode="json"))
    assert len(range_test(str(unit.problem.home.path), recipe).rates) >= FEWEST_STEPS
