"""Costs of steps: the model is exact where costs are, and the table says what fits."""

import json

import numpy as np
import pytest
from rich.console import Console

from foldwise.stages.display import Display
from foldwise.stages.examining import costing
from foldwise.stages.examining.cases import RecipeCase
from foldwise.stages.examining.cost_trial import cost_of_step
from foldwise.stages.examining.costs import Cost, CostModel, trial_points
from foldwise.stages.examining.ground import open_ground
from foldwise.stages.recipes import load_plan, load_recipe, recipe_places
from tests.stages.small_units import ready

GIB = 2**30


def true_cost(batch: int, size: int) -> Cost:
    pixels = batch * size * size
    memory = GIB + 3e6 * batch + 80.0 * pixels
    return Cost(batch, size, memory, 0.02 + 1e-3 * batch + 2e-7 * pixels, "cpu")


@pytest.mark.parametrize("size", [28, 96, 224, 512])
def test_the_model_meets_costs_that_are_a_sum_of_its_parts(size):
    corners, checked = trial_points(32, size)
    model = CostModel.of([true_cost(*point) for point in corners])
    for batch, side in (checked, (64, size), (128, 2 * size)):
        found, wanted = model.at(batch, side), true_cost(batch, side)
        assert found.memory == pytest.approx(wanted.memory, rel=1e-6)
        assert found.seconds == pytest.approx(wanted.seconds, rel=1e-6)


def test_no_part_is_negative_though_measurements_are_noisy():
    rng = np.random.default_rng(0)
    corners, _ = trial_points(32, 224)
    for _ in range(50):
        trials = []
        for point in corners:
            cost = true_cost(*point)
            trials.append(
                Cost(*point, cost.memory, cost.seconds * float(rng.uniform(0.3, 3)), "cpu")
            )
        model = CostModel.of(trials)
        assert (model.seconds >= 0).all()
        assert model.memory == pytest.approx([GIB, 3e6, 80.0], rel=1e-5)


def test_the_largest_batch_fits_and_one_more_does_not():
    corners, _ = trial_points(16, 224)
    model = CostModel.of([true_cost(*point) for point in corners])
    for memory in (1.2 * GIB, 8 * GIB, 0.5 * GIB):
        batch = model.largest_batch(224, memory)
        assert batch == 0 or model.at(batch, 224).memory <= memory
        assert model.at(batch + 1, 224).memory > memory


def test_a_step_of_a_real_network_is_measured(tmp_path):
    home = ready(tmp_path)
    recipe = json.dumps(load_recipe(home, "a").model_dump(mode="json"))
    found = cost_of_step(str(home.path), recipe, 5, 24)
    assert (found.batch, found.size, found.device) == (5, 24, "cpu")
    assert 0 < found.seconds < 5
    assert found.memory > 50e6


def test_the_table_tells_what_fits_and_how_far_the_check_is_off(tmp_path, monkeypatch):
    home = ready(tmp_path)
    recipe = load_recipe(home, "a")
    ground = open_ground(home, load_plan(home), [])
    assert ground is not None
    case = RecipeCase(ground, "a", recipe, recipe_places(home, "a"))
    measured = [true_cost(*point) for point in (*trial_points(8, 16)[0], trial_points(8, 16)[1])]
    late = measured[-1]
    measured[-1] = Cost(late.batch, late.size, late.memory / 1.1, late.seconds, "cpu")
    monkeypatch.setattr(costing, "_measured", lambda *_: iter(measured))
    monkeypatch.setattr(costing, "_memory_of_a_unit", lambda _: (GIB + 3.1e6 * 6) / 0.9)
    console = Console(record=True, width=100)
    costing.show_costs(home, case, Display(console))
    text = console.export_text()
    assert "up to 6 images of 16 px" in text
    assert "set train.accumulate: 2 for its 8" in text
    assert "memory +10%, time" in text
    assert "too much" in text
