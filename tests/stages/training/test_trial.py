"""Rates of a short trial are measured, however few steps an epoch has."""

from foldwise.engine.assemble import Assembly
from foldwise.stages.training import trial
from foldwise.stages.training.trial import train_trial
from tests.stages.small_units import ready, units, with_train


def test_epochs_of_one_step_are_timed_one_after_the_other(tmp_path, monkeypatch):
    unit = units(ready(tmp_path, with_train(batch=64)))[0]
    assembly = Assembly(unit.problem, unit.recipe)
    now = iter(range(1000))
    monkeypatch.setattr(trial.time, "monotonic", lambda: float(next(now)))
    found = train_trial(assembly, assembly.network(), seconds=3.0, max_steps=5)
    (rate,) = found.rates.values()
    assert rate == len(unit.problem.train)  # A step of all rows takes a second of this clock.
