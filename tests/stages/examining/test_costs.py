"""Costs of steps: the model is exact where costs are, and the table says what fits."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from foldwise.engine import precision
from foldwise.engine.memory import StepMemoryError
from foldwise.home import Home
from foldwise.stages.display import Display
from foldwise.stages.examining import costing
from foldwise.stages.examining.cases import RecipeCase
from foldwise.stages.examining.cost_trial import cost_of_step
from foldwise.stages.examining.costs import Cost, CostModel, trial_points
from foldwise.stages.examining.ground import open_ground
from foldwise.stages.recipes import load_plan, load_recipe, recipe_places
from tests.stages.hungry import hungry
from tests.stages.small_units import ready, with_train

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
        batch = model.largest_batch(224, memory, most=4096)
        assert batch == 0 or model.at(batch, 224).memory <= memory
        assert model.at(batch + 1, 224).memory > memory


def test_a_step_of_a_real_network_is_measured(tmp_path):
    home = ready(tmp_path)
    recipe = json.dumps(load_recipe(home, "a").model_dump(mode="json"))
    found = cost_of_step(str(home.path), recipe, 5, 24)
    assert (found.batch, found.size, found.device) == (5, 24, "cpu")
    assert 0 < found.seconds < 5
    assert found.memory > 50e6


def test_memory_that_does_not_grow_sets_no_limit_but_what_is_looked_at():
    flat = CostModel(np.array([GIB, 0.0, 0.0]), np.ones(3), "cpu")
    assert flat.largest_batch(16, 2 * GIB, most=512) == 512
    assert flat.largest_batch(16, 0.5 * GIB, most=512) == 0
    # Noise alone: memory falls by a little with the batch, or rises by less than a byte.
    noisy = CostModel.of(
        [Cost(4, 16, GIB + 4096, 0.1, "cpu"), Cost(8, 16, GIB, 0.1, "cpu"),
         Cost(4, 24, GIB + 100, 0.1, "cpu"), Cost(8, 24, GIB + 9, 0.1, "cpu")]
    )  # fmt: skip
    assert noisy.largest_batch(16, 2 * GIB, most=512) == 512
    tiny = CostModel(np.array([GIB, 1e-300, 0.0]), np.ones(3), "cpu")
    assert tiny.largest_batch(16, 2 * GIB, most=512) == 512


@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_step_holds_all_images_at_a_time_whatever_a_recipe_cuts(tmp_path, accumulate):
    unit = hungry(tmp_path, most=7, accumulate=accumulate)
    recipe = json.dumps(unit.recipe.model_dump(mode="json"))
    home = str(unit.problem.home.path)
    assert cost_of_step(home, recipe, 7, 16).seconds > 0
    with pytest.raises(StepMemoryError):
        cost_of_step(home, recipe, 8, 16)


def shown(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    cost: Callable[[int, int], Cost | None],
    memory: float,
    precisions: tuple[str, ...] = ("fp32",),
    slow: float = 1.0,
    **train: Any,
) -> str:
    """What is printed of a recipe whose batch is 8 and whose steps cost so much."""
    home = ready(folder, with_train(**train))
    ground = open_ground(home, load_plan(home), [])
    assert ground is not None
    case = RecipeCase(ground, "a", load_recipe(home, "a"), recipe_places(home, "a"))

    def measured(home: Home, case: RecipeCase, points: tuple[tuple[int, int], ...]):
        half = 1.0 if case.recipe.train.precision == "fp32" else 0.5
        found = [each for point in points if (each := cost(*point)) is not None]
        found = [replace(each, memory=each.memory * half) for each in found]
        return iter([*found[:-1], replace(found[-1], memory=found[-1].memory / slow)])

    monkeypatch.setattr(costing, "_measured", measured)
    monkeypatch.setattr(costing, "_memory_of_a_unit", lambda _: memory / 0.9)
    monkeypatch.setattr(precision, "precisions_of", lambda device: list(precisions))
    console = Console(record=True, width=120)
    costing.show_costs(home, case, Display(console))
    return console.export_text()


ROOM_FOR_SIX = GIB + 3.1e6 * 6


def test_the_table_tells_what_fits_and_how_far_the_check_is_off(tmp_path, monkeypatch):
    text = shown(tmp_path, monkeypatch, cost=true_cost, memory=ROOM_FOR_SIX, slow=1.1)
    assert "up to 6 images of 16 px" in text
    assert "set train.accumulate: 2 for its 8" in text
    assert "memory +10%, time" in text
    assert "too much" in text
    assert "bf16 is left out" in text


def test_a_batch_that_fits_as_the_recipe_cuts_it_needs_no_advice(tmp_path, monkeypatch):
    asked = {"cost": true_cost, "memory": ROOM_FOR_SIX}
    text = shown(tmp_path, monkeypatch, **asked, accumulate=4)
    assert "up to 6 images of 16 px" in text
    assert "set train.accumulate" not in text
    room = GIB + 3.1e6
    text = shown(tmp_path / "less", monkeypatch, cost=true_cost, memory=room, accumulate=4)
    assert "up to 1 images of 16 px" in text
    assert "set train.accumulate: 8 for its 8" in text


def test_memory_that_does_not_grow_is_no_reason_for_advice(tmp_path, monkeypatch):
    def flat(batch: int, size: int) -> Cost:
        return replace(true_cost(batch, size), memory=float(GIB))

    text = shown(tmp_path, monkeypatch, cost=flat, memory=2.0 * GIB)
    assert "at least 512 images of 16 px" in text
    assert "accumulate" not in text


def test_where_not_even_one_image_fits_no_cut_is_advised(tmp_path, monkeypatch):
    text = shown(tmp_path, monkeypatch, cost=true_cost, memory=0.5 * GIB)
    assert "not even one image fits" in text
    assert "set train.accumulate" not in text


def test_where_trials_fail_no_more_is_promised_than_was_tried(tmp_path, monkeypatch):
    def small_alone(batch: int, size: int) -> Cost | None:
        return true_cost(batch, size) if batch < 8 else None

    text = shown(tmp_path, monkeypatch, cost=small_alone, memory=2.0 * GIB)
    assert "2 of 4 trials failed in fp32" in text
    assert "at least 2 images of 16 px" in text
    assert "set train.accumulate: 4 for its 8" in text


def test_each_precision_of_the_device_has_its_table(tmp_path, monkeypatch):
    asked = {"cost": true_cost, "memory": ROOM_FOR_SIX, "precisions": ("fp32", "bf16", "fp16")}
    text = shown(tmp_path, monkeypatch, **asked)
    assert "a on cpu in fp32: memory" in text
    assert "a on cpu in bf16: memory" in text
    assert "in bf16 up to 367 images of 16 px" in text
    assert "fp16" not in text
    assert "left out" not in text
