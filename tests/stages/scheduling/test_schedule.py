"""What is trained in the time there is: what stays, what is shortened, what is left out."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from foldwise import device as machine
from foldwise.home import Home
from foldwise.publish import publish_json
from foldwise.stages.display import Display
from foldwise.stages.prepare import prepare
from foldwise.stages.recipes import load_plan, planned_recipes
from foldwise.stages.scheduling.forecast import rates_key, run_seconds
from foldwise.stages.scheduling.limit import shortened
from foldwise.stages.scheduling.rates import Rates
from foldwise.stages.scheduling.schedule import Schedule
from foldwise.stages.split import split
from foldwise.stages.train import record_run
from foldwise.stages.training.unit import Unit
from foldwise.tasks.problem import open_problem
from tests.builders import SMALL, make_home

QUIET = Display(quiet=True)
#: 24 train and 12 held-out images a fold: an epoch of 4 s and 5 s beside it, by forecast.
RATES = Rates(start_s=0.0, infer=12.0, train={"all@16": 12.0})


def long(**train: Any) -> dict[str, Any]:
    return {**SMALL, "train": {**SMALL["train"], "epochs": 40, **train}}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return ready(tmp_path, {"a": long(), "b": long(lr=1e-3)})


def ready(folder: Path, recipes: dict[str, Any], **plan: Any) -> Home:
    """A split competition whose recipes have been timed already; no trial is made."""
    home = make_home(
        folder, recipes=recipes, num_train=36, num_test=12,
        plan={"folds": {"count": 3}, "parallel": 1, **plan},
    )  # fmt: skip
    prepare(home, display=QUIET)
    split(home, display=QUIET)
    return home


def schedule(home: Home, *, seconds: float | None, rates: Rates = RATES) -> Schedule:
    plan, recipes = load_plan(home), planned_recipes(home)
    parallel = None if plan.parallel == "auto" else plan.parallel
    keys = [rates_key(recipe, parallel) for recipe in recipes.values()]
    publish_json(home.stamp("rates"), {key: asdict(rates) for key in keys})
    now = machine.monotonic()
    stop_at = None if seconds is None else now + seconds
    return Schedule(open_problem(home), plan, recipes, now, stop_at)


def finish(home: Home, name: str, *, epochs: int | None = None, folds: int) -> None:
    """The record of a run and of its first units, as training leaves them."""
    units = schedule(home, seconds=None).units(name, epochs)
    record_run(units[0], (0,))
    for unit in units[:folds]:
        publish_json(unit.folder.record, {"inputs": unit.inputs})


def begun(home: Home, name: str, *, epochs: int) -> None:
    """The record of a run and the choices of its first unit, as a kill leaves them."""
    units = schedule(home, seconds=None).units(name, epochs)
    record_run(units[0], (0,))
    units[0].folder.path.mkdir(parents=True)
    publish_json(units[0].folder.choices, {"inputs": units[0].inputs})


def lengths(units: tuple[Unit, ...]) -> dict[str, int | None]:
    return {unit.name: unit.epochs for unit in units}


def test_without_a_limit_all_is_trained_in_full(home: Home) -> None:
    found = schedule(home, seconds=None).allotment(QUIET)
    assert list(lengths(found.units).values()) == [None] * 6
    assert found.notes == ()


def test_a_recipe_with_full_length_units_is_not_shortened_and_the_rest_of_it_left_out(
    home: Home,
) -> None:
    finish(home, "a", folds=2)
    found = schedule(home, seconds=120).allotment(QUIET)
    assert {name.partition("/")[0] for name in lengths(found.units)} == {"b"}
    assert any("the rest of a is left out" in note for note in found.notes)
    assert any("2 of 3 units are done at that length" in note for note in found.notes)


def test_the_rest_of_a_full_length_recipe_is_trained_in_full_where_it_fits(home: Home) -> None:
    finish(home, "a", folds=2)
    found = schedule(home, seconds=400).allotment(QUIET)
    assert lengths(found.units)["a/fold2-seed0"] is None
    assert {epochs for name, epochs in lengths(found.units).items() if name[0] == "b"} < {
        *range(40)
    }


def test_alone_it_keeps_its_length_too_however_short_the_time(tmp_path: Path) -> None:
    home = ready(tmp_path, {"a": long()})
    finish(home, "a", folds=2)
    found = schedule(home, seconds=60).allotment(QUIET)
    assert lengths(found.units) == {"a/fold2-seed0": None}


def test_a_length_that_was_begun_is_kept_under_a_limit_and_dropped_without(home: Home) -> None:
    finish(home, "a", epochs=7, folds=1)
    found = schedule(home, seconds=600).allotment(QUIET)
    assert lengths(found.units)["a/fold1-seed0"] == 7
    assert any("a stays at 7 of 40 epochs" in note for note in found.notes)
    free = schedule(home, seconds=None).allotment(QUIET)
    assert lengths(free.units)["a/fold0-seed0"] is None


def test_at_least_one_unit_is_trained_while_there_is_any_time(home: Home) -> None:
    found = schedule(home, seconds=3).allotment(QUIET)
    assert list(lengths(found.units).values()) == [2]
    none = schedule(home, seconds=0).allotment(QUIET)
    assert none.units == ()
    assert "no time left" in none.notes[0]


def test_as_many_folds_as_fit_are_trained(tmp_path: Path) -> None:
    home = ready(tmp_path, {"a": long()})
    found = schedule(home, seconds=45).allotment(QUIET)  # A unit of 2 epochs takes 16 s.
    assert lengths(found.units) == {"a/fold0-seed0": 2, "a/fold1-seed0": 2}
    assert any("only 2 of 3 units fit" in note for note in found.notes)


def test_the_time_kept_back_is_small_where_time_is_short(home: Home) -> None:
    for seconds in (30.0, 60.0):
        plan = schedule(home, seconds=seconds)
        assert plan.stop_at is not None
        assert plan.train_until is not None
        assert plan.stop_at - plan.train_until <= 0.2 * seconds + 1e-6
    plan.remember_tail(4.0)
    again = schedule(home, seconds=60.0)
    assert again.stop_at is not None
    assert again.train_until is not None
    assert again.stop_at - again.train_until == pytest.approx(6.0)


def test_a_recipes_own_limit_shortens_it_alone_and_asking_again_gives_the_same(
    tmp_path: Path,
) -> None:
    home = ready(tmp_path, {"a": long(limit="2m"), "b": long(lr=1e-3)})
    found = schedule(home, seconds=None).allotment(QUIET)
    epochs = lengths(found.units)
    short = epochs["a/fold0-seed0"]
    assert short is not None
    assert 2 <= short < 40
    assert epochs["b/fold0-seed0"] is None
    assert any("its train.limit is 2m" in note for note in found.notes)
    finish(home, "a", epochs=short, folds=2)
    again = lengths(schedule(home, seconds=None).allotment(QUIET).units)
    assert {n: e for n, e in again.items() if n[0] == "a"} == {"a/fold2-seed0": short}


def test_a_unit_begun_at_a_length_keeps_it_by_other_rates(tmp_path: Path) -> None:
    home = ready(tmp_path, {"a": long(limit="2m")})
    short = lengths(schedule(home, seconds=None).allotment(QUIET).units)["a/fold0-seed0"]
    assert short is not None
    begun(home, "a", epochs=short)
    slower = replace(RATES, train={"all@16": 9.0})
    again = schedule(home, seconds=None, rates=slower)
    assert set(lengths(again.allotment(QUIET).units).values()) == {short}
    every = partial(again.units, "a")
    one = shortened(every(None), every, 30.0, QUIET)
    assert {unit.epochs for unit in one} == {short}


def test_what_a_short_command_left_is_not_what_the_recipes_own_limit_asks_for(
    tmp_path: Path,
) -> None:
    home = ready(tmp_path, {"a": long(limit="1h")})
    finish(home, "a", epochs=2, folds=3)
    found = schedule(home, seconds=None).allotment(QUIET)
    assert set(lengths(found.units).values()) == {None}


def test_units_side_by_side_are_forecast_side_by_side(home: Home) -> None:
    units = schedule(home, seconds=None).units("a", None)
    alone = run_seconds(units, RATES, 10, parallel=1)
    assert run_seconds(units, RATES, 10, parallel=3) == pytest.approx(alone / 3)


def test_the_plans_parallel_counts_in_the_forecast(tmp_path: Path) -> None:
    found = []
    for parallel in (1, 3):
        home = ready(tmp_path / str(parallel), {"a": long()}, parallel=parallel)
        units = schedule(home, seconds=200).allotment(QUIET).units
        found.append(units[0].epochs or 40)
    assert found[1] > 2 * found[0]


def test_one_run_with_a_limit_is_shortened_before_it_starts(home: Home) -> None:
    plan = schedule(home, seconds=None)
    publish_json(
        home.stamp("rates"),
        {rates_key(recipe, None): asdict(RATES) for recipe in plan.recipes.values()},
    )
    every = partial(plan.units, "a")
    short = shortened(every(None), every, 120.0, QUIET)
    epochs = short[0].epochs
    assert epochs is not None
    assert 2 <= epochs < 40
    finish(home, "a", epochs=epochs, folds=1)
    assert shortened(every(None), every, 1e6, QUIET) == short
    finish(home, "b", folds=1)
    whole = partial(plan.units, "b")
    assert shortened(whole(None), whole, 10.0, QUIET)[1].epochs is None
