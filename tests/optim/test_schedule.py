"""Golden curves of the schedules, and how they shorten."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldwise.errors import ConfigError
from foldwise.optim.presets import staged, warmup_cosine
from foldwise.optim.schedule import Stage, rates, shorten
from foldwise.optim.shapes import SHAPES


def test_staged_5_10_10_20_follows_its_golden_curve() -> None:
    stages = staged(45, 10, lr=1e-3, min_lr=1e-5, head=5, hold=10)
    curve = rates(stages, 11)
    assert curve.shape == (45 * 11,)
    assert [stage.trainable for stage in stages] == ["head", "all", "all", "all"]
    steps = {
        0: 1e-3,  # head, all along at the peak
        54: 1e-3,
        55: 1e-5,  # warm-up: 110 steps on a line
        55 + 109: 1e-3,
        55 + 21: 1e-5 + 21 / 109 * 99e-5,
        165: 1e-3,  # hold
        274: 1e-3,
        275: 1e-3,  # cool-down: 220 steps of half a cosine
        275 + 73: 1e-5 + 99e-5 * 0.75,  # at a third of 219 steps cos is one half
        275 + 146: 1e-5 + 99e-5 * 0.25,
        494: 1e-5,
    }
    np.testing.assert_allclose(curve[list(steps)], list(steps.values()), rtol=1e-12)


def test_staged_4_none_16_follows_its_golden_curve() -> None:
    stages = staged(20, 4, lr=0.4, min_lr=0.0)
    assert [(stage.epochs, stage.trainable) for stage in stages] == [(4, "all"), (16, "all")]
    curve = rates(stages, 1)
    np.testing.assert_allclose(curve[:4], [0.0, 0.4 / 3, 0.8 / 3, 0.4])
    cosine = 0.2 * (1.0 + np.cos(np.pi * np.arange(16) / 15))
    np.testing.assert_allclose(curve[4:], cosine, atol=1e-15)


def test_warmup_cosine_rises_once_and_falls_to_the_end() -> None:
    curve = rates(warmup_cosine(epochs=10, warmup=2, lr=1.0, min_lr=0.1), 8)
    peak = int(curve.argmax())
    assert (len(curve), peak) == (80, 15)
    np.testing.assert_allclose(curve[[0, 15, -1]], [0.1, 1.0, 0.1])
    assert (np.diff(curve[:16]) > 0).all()
    assert (np.diff(curve[16:]) < 0).all()


def test_without_warmup_it_starts_at_the_peak() -> None:
    (stage,) = warmup_cosine(epochs=3, warmup=0, lr=0.5, min_lr=0.0)
    assert rates([stage], 4)[0] == 0.5


@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "peaked"])
def test_every_shape_without_a_peak_stays_between_its_ends(shape: str) -> None:
    curve = rates([Stage(3, "all", 0.2, 0.8, shape)], 7)
    assert curve[0] == pytest.approx(0.2)
    assert curve[-1] == pytest.approx(0.2 if shape == "constant" else 0.8)
    assert ((curve >= 0.2) & (curve <= 0.8 + 1e-12)).all()


def test_a_stage_of_one_step_has_the_rate_half_way() -> None:
    assert rates([Stage(1, "all", 0.0, 1.0)], 1).tolist() == [0.5]


def test_no_stages_have_no_steps() -> None:
    assert rates([], 10).shape == (0,)


def test_a_warmup_as_long_as_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="leaves nothing of 5"):
        warmup_cosine(epochs=5, warmup=5, lr=1.0, min_lr=0.0)


def test_a_lowest_rate_above_the_highest_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"0\.1 is above the highest, 0\.01"):
        staged(45, 10, lr=0.01, min_lr=0.1)


@pytest.mark.parametrize("parts", [(0, 0, 0, 0), (5, 10, 10, -3)])
def test_a_staged_schedule_without_room_is_refused(parts: tuple[int, int, int, int]) -> None:
    head, warmup, hold, _ = parts
    with pytest.raises(ConfigError, match="cannot be run"):
        staged(sum(parts), warmup, lr=1.0, min_lr=0.0, head=head, hold=hold)


@pytest.mark.parametrize(
    ("epochs", "lengths"),
    [(45, [5, 10, 10, 20]), (99, [5, 10, 10, 20]), (9, [1, 2, 2, 4]), (18, [2, 4, 4, 8])],
)
def test_shortening_keeps_proportions(epochs: int, lengths: list[int]) -> None:
    stages = staged(45, 10, lr=1.0, min_lr=0.0, head=5, hold=10)
    assert [stage.epochs for stage in shorten(stages, epochs)] == lengths


def test_stages_go_in_the_stated_order_and_the_cooldown_stays() -> None:
    whole = staged(45, 10, lr=1.0, min_lr=0.0, head=5, hold=10)
    head, warmup, _, cooldown = (f"{stage.shape} {stage.trainable}" for stage in whole)
    kept = [[f"{s.shape} {s.trainable}" for s in shorten(whole, n)] for n in (3, 2, 1)]
    assert kept == [[head, warmup, cooldown], [head, cooldown], [cooldown]]


_STAGES = st.lists(
    st.builds(
        Stage,
        epochs=st.integers(1, 30),
        trainable=st.sampled_from(["head", "all"]),
        start_lr=st.floats(0, 1),
        end_lr=st.floats(0, 1),
        shape=st.sampled_from(["linear", "cosine", "constant"]),
    ),
    min_size=1,
    max_size=6,
)


@given(stages=_STAGES, epochs=st.integers(1, 120))
def test_a_shortened_schedule_fits_and_ends_as_the_whole(stages: list[Stage], epochs: int) -> None:
    short = shorten(stages, epochs)
    assert sum(stage.epochs for stage in short) == min(epochs, sum(s.epochs for s in stages))
    assert all(stage.epochs >= 1 for stage in short)
    assert short[-1].end_lr == stages[-1].end_lr
    assert len(rates(short, 3)) == 3 * sum(stage.epochs for stage in short)
