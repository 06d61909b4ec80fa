"""Seed noise against hand-worked variances and draws whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from foldwise.choosing.seed_noise import Repeats, SeedNoise, seed_noise, shared_noise


def run(name: str, by_fold: np.ndarray) -> Repeats:
    return Repeats(name, tuple(range(len(by_fold))), by_fold.mean(axis=1), by_fold, None)


def test_the_variance_of_a_score_is_the_sum_of_what_folds_contribute() -> None:
    found = seed_noise([run("a", np.array([[0.0, 2.0], [2.0, 2.0], [4.0, 8.0]]))])
    assert found is not None
    assert found.by_fold == pytest.approx([4.0, 12.0])
    assert (found.variance, found.num_free, found.runs) == (16.0, 2, ("a",))


def test_runs_are_pooled_by_their_degrees_of_freedom_and_single_seeds_say_nothing() -> None:
    runs = [run("a", np.array([[0.0], [2.0], [4.0]])), run("b", np.array([[0.0], [4.0]]))]
    found = seed_noise([*runs, run("c", np.array([[9.0]]))])
    assert found is not None
    assert found.variance == pytest.approx((2 * 4 + 1 * 8) / 3)
    assert (found.df, found.runs) == (3.0, ("a", "b"))
    assert seed_noise([run("c", np.array([[9.0]]))]) is None


def test_equal_scores_of_all_seeds_are_known_to_have_no_noise() -> None:
    found = seed_noise([run("a", np.ones((3, 4)))])
    assert found is not None
    assert (found.variance, found.df) == (0.0, 8.0)


@pytest.mark.parametrize(
    ("by_fold", "num_free", "expected"),
    [([1, 1, 1, 1, 1], 1, 5.0), ([3, 0.2, 0.2], 1, 3.4**2 / 9.08), ([2, 0, 0], 4, 4.0)],
)
def test_degrees_of_freedom_follow_how_evenly_folds_contribute(
    by_fold: list[float], num_free: int, expected: float
) -> None:
    assert SeedNoise(np.array(by_fold), num_free, ()).df == pytest.approx(expected)


def test_shared_noise_is_what_rows_do_to_each_seed_alone() -> None:
    rng = np.random.default_rng(0)
    common, own = rng.normal(size=20_000), rng.normal(size=(3, 20_000))
    assert shared_noise(3 * common + 0.5 * own) == pytest.approx(0.25, rel=0.1)
    assert shared_noise(common[None]) == 0.0
