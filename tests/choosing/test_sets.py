from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from foldwise.choosing import sets
from foldwise.choosing.sets import Aim, best_set


def private_scores(seed: int, num_draws: int = 400, num: int = 9) -> np.ndarray:
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(3, num))
    return rng.normal(size=num) * 0.3 + rng.normal(size=(num_draws, 3)) @ loadings


FREE = np.zeros((9, 1), dtype=int)


@pytest.mark.parametrize("num", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_the_set_is_the_best_of_all_by_brute_force(seed: int, num: int) -> None:
    private = private_scores(seed, num_draws=40_000)
    best = max(
        combinations(range(9), num), key=lambda s: float(private[:, list(s)].max(axis=1).mean())
    )
    assert best_set(Aim(private, noise=1e-9), num, FREE)[0] == best


@pytest.mark.parametrize("seed", range(5))
def test_a_search_by_exchanges_finds_what_brute_force_finds(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    private = private_scores(seed)
    exhaustive = best_set(Aim(private, noise=1e-9), 3, FREE)[0]
    monkeypatch.setattr(sets, "_MOST_SETS", 10)
    assert best_set(Aim(private, noise=1e-9), 3, FREE)[0] == exhaustive


def test_of_level_sets_the_cheapest_is_taken_by_the_weightiest_cost_first() -> None:
    rng = np.random.default_rng(0)
    private = rng.normal(size=(400, 1)) + np.array([0.002, 0.001, 0.0, -5.0])
    costs = np.array([[1, 0], [0, 3], [0, 1], [0, 0]])
    found, num_level = best_set(Aim(private, noise=1.0), 1, costs)
    assert found == (2,)
    assert num_level == 2


def test_costs_do_not_outweigh_what_the_simulation_can_tell() -> None:
    rng = np.random.default_rng(0)
    private = rng.normal(size=(400, 2)) + np.array([1.0, 0.0])
    assert best_set(Aim(private, noise=1.0), 1, np.array([[5], [0]]))[0] == (0,)


def test_to_pass_a_high_score_the_uncertain_candidate_is_better() -> None:
    rng = np.random.default_rng(1)
    private = np.stack([rng.normal(0.5, 0.1, 2000), rng.normal(0.0, 1.0, 2000)], axis=1)
    costs = np.zeros((2, 1), dtype=int)
    assert best_set(Aim(private, noise=0.1), 1, costs)[0] == (0,)
    assert best_set(Aim(private, noise=0.1, pass_score=1.0), 1, costs)[0] == (1,)


def test_where_nobody_can_pass_the_expected_best_decides() -> None:
    private = np.random.default_rng(1).normal(size=(500, 3)) + np.array([0.0, 3.0, 1.0])
    assert best_set(Aim(private, 0.1, pass_score=99.0), 1, FREE[:3])[0] == (1,)


def test_of_level_sets_the_one_with_the_better_members_is_taken() -> None:
    """A poor candidate that is best in a few draws is no better a second pick for it."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=2000)
    second, poor = first - rng.uniform(0, 0.2, 2000), np.where(rng.random(2000) < 0.01, 9, -9)
    aim = Aim(np.stack([first, second, poor], axis=1), noise=2.0)
    assert aim.value((0, 2)) > aim.value((0, 1))
    assert best_set(aim, 2, FREE[:3])[0] == (0, 1)
