"""The time left of a training, from what its steps have really taken."""

import pytest

from foldwise.stages.scheduling.phases import Kind
from foldwise.stages.scheduling.rates import Rates
from foldwise.stages.training.pace import Pace

HEAD, ALL = Kind("head", 64), Kind("all", 64)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(pace: Pace, clock: Clock, *, step_s: dict[Kind, float], end_s: float, epochs: int) -> None:
    """Whole epochs."""
    for epoch in range(epochs):
        for _ in range(pace.num_steps):
            clock.now += step_s[pace.kinds[epoch]]
            pace.step(epoch)
        clock.now += end_s
        pace.epoch_end()


def make(**options) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace((HEAD, ALL, ALL), num_steps=10, clock=clock, **options), clock


def test_nothing_is_said_before_a_step_is_timed():
    pace, _ = make()
    pace.step(0)
    assert pace.left(0, 0) is None


def test_measured_kinds_count_as_measured():
    pace, clock = make()
    run(pace, clock, step_s={HEAD: 1.0, ALL: 5.0}, end_s=3.0, epochs=2)
    clock.now += 5.0
    pace.step(2)
    # 9 steps and the end of the last epoch.
    assert pace.left(2, 0) == pytest.approx(9 * 5.0 + 3.0)


def test_a_kind_to_come_is_expected_as_the_forecast_says_corrected_by_what_was_seen():
    rates = Rates(0.0, 1.0, {HEAD.key: 100.0, ALL.key: 25.0})
    pace, clock = make(rates=rates)
    run(pace, clock, step_s={HEAD: 1.0}, end_s=3.0, epochs=1)
    # A step of all was forecast to take 4 times as long as one of the head, whatever the unit.
    # The first epoch's end has been timed.
    assert pace.left(0, 9) == pytest.approx(20 * 4.0 + 3 * 3.0)


def test_without_a_forecast_pixels_and_passes_tell_kinds_apart():
    pace, clock = make()
    run(pace, clock, step_s={HEAD: 1.0}, end_s=3.0, epochs=1)
    assert pace.left(0, 9) == pytest.approx(20 * 3.0 + 3 * 3.0)


def test_the_end_of_an_epoch_is_guessed_by_its_rows_until_it_is_timed():
    pace, clock = make(valid_share=0.5)
    for _ in range(3):
        clock.now += 1.0
        pace.step(0)
    # 7 steps of the head, 20 of all at 3; 3 ends of half an epoch forward, 1 s a step.
    assert pace.left(0, 2) == pytest.approx(7 + 60 + 3 * 0.5 * 10)
