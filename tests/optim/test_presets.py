"""Golden curves of the presets against torch's and timm's schedulers, and how they shorten."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from timm.scheduler import PolyLRScheduler
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, PolynomialLR

from foldwise import parts
from foldwise.errors import ConfigError
from foldwise.optim.presets import PRESETS, cosine_restarts, one_cycle, polynomial
from foldwise.optim.schedule import in_proportion, rates, shorten


def _optimizer(lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)


def _followed(
    make: Callable[[torch.optim.Optimizer], Any], lr: float, num_steps: int
) -> np.ndarray:
    """The rates of a scheduler of torch, step by step."""
    optimizer = _optimizer(lr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # The optimiser makes no steps here.
        scheduler = make(optimizer)
        found = []
        for _ in range(num_steps):
            found.append(optimizer.param_groups[0]["lr"])
            scheduler.step()
    return np.array(found)


@pytest.mark.parametrize(("epochs", "steps", "rise", "div"), [(4, 9, 0.3, 25.0), (1, 20, 0.5, 10)])
def test_one_cycle_is_the_one_of_torch(epochs: int, steps: int, rise: float, div: float) -> None:
    num = epochs * steps
    curve = rates(one_cycle(epochs, 0, 0.1, 1e-5, rise=rise, div=div), steps)
    # torch's rise ends one step before the share it is given of all steps.
    share = (rise * (num - 1) + 1) / num
    expected = _followed(
        lambda optimizer: OneCycleLR(
            optimizer, max_lr=0.1, total_steps=num, pct_start=share, div_factor=div,
            final_div_factor=0.1 / div / 1e-5, cycle_momentum=False,
        ),
        0.1, num - 1,
    )  # fmt: skip
    np.testing.assert_allclose(curve[:-1], expected, rtol=1e-9)
    assert curve[-1] == pytest.approx(1e-5)


@pytest.mark.parametrize("power", [0.5, 0.9, 1.0, 2.0])
def test_polynomial_is_the_one_of_torch_and_of_timm(power: float) -> None:
    num = 5 * 7
    curve = rates(polynomial(5, 0, 0.1, 0.0, power=power), 7)
    expected = _followed(lambda o: PolynomialLR(o, total_iters=num - 1, power=power), 0.1, num)
    np.testing.assert_allclose(curve, expected, rtol=1e-9, atol=1e-15)

    curve = rates(polynomial(5, 0, 0.1, 0.01, power=power), 7)
    timm = PolyLRScheduler(
        _optimizer(0.1), t_initial=num - 1, lr_min=0.01, power=power, t_in_epochs=False
    )
    theirs = [timm._get_lr(step)[0] for step in range(num)]
    np.testing.assert_allclose(curve, theirs, rtol=1e-12)


def test_each_cycle_is_the_cosine_of_torch_from_a_lower_peak() -> None:
    stages = cosine_restarts(14, 0, 0.1, 1e-3, cycles=3, growth=2.0, decay=0.5)
    assert [stage.epochs for stage in stages] == [2, 4, 8]
    curve = rates(stages, 5)
    cycles = [
        _followed(lambda o, n=length * 5: CosineAnnealingLR(o, T_max=n - 1, eta_min=1e-3), lr, n)  # type: ignore[misc]
        for length, lr, n in ((2, 0.1, 10), (4, 0.05, 20), (8, 0.025, 40))
    ]
    np.testing.assert_allclose(curve, np.concatenate(cycles), rtol=1e-9)


def test_a_warm_up_comes_before_the_cycles_and_before_the_fall() -> None:
    for stages in (cosine_restarts(7, 1, 0.1, 0.0, cycles=2), polynomial(7, 1, 0.1, 0.0)):
        curve = rates(stages, 4)
        np.testing.assert_allclose(curve[:5], [0.0, 0.1 / 3, 0.2 / 3, 0.1, 0.1])
        assert len(curve) == 28


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("epochs", [1, 2, 3, 5, 11, 12])
def test_every_preset_shortens_and_ends_at_the_lowest_rate(name: str, epochs: int) -> None:
    preset = parts.bind(PRESETS, name, what="schedule preset")
    whole = preset(12, 0, 0.1, 0.001, {"last": 2})
    short = shorten(whole, epochs)
    curve = rates(short, 6)
    assert len(curve) == 6 * epochs
    assert curve[-1] == pytest.approx(0.001)
    assert max(stage.peak_lr for stage in short) == pytest.approx(0.1)
    assert curve.max() == pytest.approx(0.1, rel=0.05)
    assert all(stage.trainable == {"last": 2} for stage in short)


def test_one_cycle_keeps_its_form_in_fewer_epochs() -> None:
    whole = one_cycle(10, 0, 0.1, 0.0, rise=0.25)
    np.testing.assert_allclose(
        rates(shorten(whole, 2), 50), rates(one_cycle(2, 0, 0.1, 0.0, rise=0.25), 50)
    )


@pytest.mark.parametrize(
    ("lengths", "epochs", "shares"),
    [([1, 2, 4], 7, [1, 2, 4]), ([1, 2, 4], 3, [1, 1, 1]), ([1, 1], 5, [3, 2])],
)
def test_epochs_are_shared_out_in_proportion(
    lengths: list[float], epochs: int, shares: list[int]
) -> None:
    assert in_proportion(lengths, epochs) == shares


@pytest.mark.parametrize(
    ("spec", "warmup", "message"),
    [
        ("onecycle", 0, "did you mean 'one_cycle'"),
        ({"name": "one_cycle", "pct": 0.3}, 0, "unknown option 'pct'; it takes rise, div"),
        ({"name": "one_cycle", "rise": 1.0}, 0, "rise: Input should be less than 1"),
        ({"name": "polynomial", "power": 0}, 0, "power: Input should be greater than 0"),
        ({"name": "cosine_restarts", "growth": 0.5}, 0, "growth"),
        ("one_cycle", 1, "rises by itself"),
        ({"name": "cosine_restarts", "cycles": 5}, 1, "5 cycles do not fit into the 4 epochs"),
        ({"name": "cosine_restarts", "decay": 0.01}, 0, "start at 1e-05, below the lowest rate"),
        ("polynomial", 5, "leaves nothing of 5"),
    ],
)
def test_mistakes_are_named(spec: parts.Spec, warmup: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parts.bind(PRESETS, spec, what="schedule preset")(5, warmup, 0.1, 0.001)
