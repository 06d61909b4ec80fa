"""Epochs by what they cost: which kinds a schedule has, and how they are named."""

import pytest

from foldwise.config.loading import from_values
from foldwise.config.recipe import Recipe
from foldwise.stages.scheduling.phases import Kind, kinds, names, phases
from foldwise.stages.scheduling.rates import UNKNOWN, Rates
from foldwise.stages.scheduling.unit_forecast import Forecast, Part, forecast


def recipe(**train) -> Recipe:
    values = {"model": {"name": "small_cnn"}, "input": {"size": 64}, "train": train}
    return from_values(values, Recipe, source="test")


STAGED = recipe(epochs=10, schedule={"preset": "staged", "head": 2, "warmup": 1, "hold": 1})


def test_stages_that_train_the_same_at_one_size_are_one_phase():
    found = phases(STAGED)
    assert [(phase.kind, phase.epochs) for phase in found] == [
        (Kind("head", 64), 2),
        (Kind("all", 64), 8),
    ]
    assert names(found) == ["head", "all"]


def test_sizes_part_a_stage_and_are_named():
    found = phases(recipe(epochs=6, sizes=[32, 64], trainable={"last": 2}))
    assert names(found) == ["last 2 blocks at 32 px", "last 2 blocks at 64 px"]
    assert [phase.epochs for phase in found] == [3, 3]


def test_a_shortened_schedule_has_the_phases_it_keeps():
    assert [phase.epochs for phase in phases(STAGED, 4)] == [1, 3]
    assert kinds(STAGED, 2) == (Kind("head", 64), Kind("all", 64))
    assert kinds(STAGED, 1) == (Kind("all", 64),)
    assert kinds(STAGED) == (*[Kind("head", 64)] * 2, *[Kind("all", 64)] * 8)


def test_a_rate_that_was_not_measured_comes_from_the_nearest_that_was():
    rates = Rates(0.0, 90.0, {"head@64": 120.0, "all@64": 40.0})
    assert rates.of(Kind("head", 64)) == 120.0
    assert rates.of(Kind("all", 128)) == 10.0
    assert rates.of(Kind("last 2", 64)) == 40.0
    assert UNKNOWN.of(Kind("all", 64)) == 5.0


def test_the_forecast_is_worked_by_hand_and_told_stage_by_stage():
    rates = Rates(2.0, 100.0, {"head@64": 50.0, "all@64": 10.0})
    found = forecast(STAGED, rates, 10, num_train=600, num_valid=200, num_test=300)
    # Head: 600 / 50 + 200 / 100 = 14 s; all: 60 + 2 s; start 2, unit 4, scores 500 / 100 s.
    assert found == Forecast((Part("head", 14.0, 2), Part("all", 62.0, 8)), 11.0)
    assert found.seconds == 535.0
    assert str(found) == (
        "head 14 s x 2 + all 1 min 02 s x 8 + 11 s for start and scores = 8 min 55 s"
    )


@pytest.mark.parametrize("epochs", [2, 5])
def test_a_shortened_unit_costs_its_own_stages(epochs: int):
    rates = Rates(0.0, 100.0, {"head@64": 50.0, "all@64": 10.0})
    found = forecast(STAGED, rates, epochs, num_train=100, num_valid=0, num_test=0)
    assert sum(part.epochs for part in found.parts) == epochs
