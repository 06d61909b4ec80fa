from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from foldwise.choosing.candidates import Candidates
from foldwise.choosing.futures import Split, simulate

SPLIT = Split(300, 700)


def field_of(right: np.ndarray, **changes: Any) -> Candidates:
    """Candidates that are scored by accuracy; `right` is (M, N) 0/1."""
    num, num_rows = right.shape
    facts: dict[str, Any] = {
        "names": tuple(f"m{number}" for number in range(num)),
        "rescored": lambda weights: right @ weights / weights.sum(),
        "units": np.arange(num_rows),
        "families": np.ones((num, 1)),
        "sources": np.eye(num),
        "public": np.full(num, np.nan),
        "is_honest": np.ones(num, dtype=bool),
        "is_reproducible": np.ones(num, dtype=bool),
    }
    return Candidates(**{**facts, **changes})


def answers(*accuracies: float, num_rows: int = 1000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    hard = rng.uniform(size=num_rows)
    mixed = 0.5 * hard + 0.5 * rng.uniform(size=(len(accuracies), num_rows))
    cuts = [np.quantile(row, share) for row, share in zip(mixed, accuracies, strict=True)]
    return (mixed < np.array(cuts)[:, None]).astype(float)


def test_known_public_scores_are_the_same_in_every_future() -> None:
    public = np.array([0.7, np.nan, 0.75])
    found = simulate(field_of(answers(0.7, 0.72, 0.74), public=public), SPLIT, num=50, seed=0)
    assert found.public.shape == found.private.shape == (200, 3)
    assert (found.public[:, [0, 2]] == [0.7, 0.75]).all()
    assert found.public[:, 1].std() > 0


def test_sampling_noise_is_that_of_a_share_of_rows() -> None:
    right = answers(0.7, 0.72)
    found = simulate(field_of(right), Split(300, 700), num=800, seed=1)
    difference = right[0] - right[1]
    assert found.noise == pytest.approx(difference.std() / np.sqrt(700), rel=0.1)


def test_groups_are_drawn_whole() -> None:
    right = np.repeat(answers(0.7, 0.72, num_rows=100), 10, axis=1)
    rows = simulate(field_of(right), Split(300, 700), num=300, seed=1)
    units = np.repeat(np.arange(100), 10)
    groups = simulate(field_of(right, units=units), Split(30, 70), num=300, seed=1)
    assert groups.noise == pytest.approx(rows.noise * np.sqrt(10), rel=0.2)


def test_a_bad_public_score_of_a_family_lowers_all_of_it() -> None:
    right = answers(0.74, 0.74, 0.73, 0.73, 0.72, 0.72)
    families = np.repeat(np.eye(2), 3, axis=0)[[0, 3, 1, 4, 2, 5]]
    public = np.array([0.62, 0.73, 0.61, 0.72, np.nan, np.nan])
    found = simulate(field_of(right, families=families, public=public), SPLIT, num=200, seed=0)
    means = found.private.mean(axis=0)
    assert means[4] < means[5] - 0.05
    assert found.shifts.typical(found.shifts.family) > 0.02


def test_what_is_not_cross_fitted_is_expected_to_have_promised_too_much() -> None:
    right = answers(0.72, 0.72, 0.72)
    is_honest = np.array([True, True, False])
    means = simulate(field_of(right, is_honest=is_honest), SPLIT, num=200, seed=0).private.mean(0)
    assert means[2] < min(means[0], means[1]) - 0.003


def test_the_field_draws_luck_back_but_keeps_what_is_plain() -> None:
    lucky = simulate(field_of(answers(0.72, 0.70, 0.70, 0.70)), SPLIT, num=100, seed=0)
    plain = simulate(field_of(answers(0.95, 0.70, 0.70, 0.70)), SPLIT, num=100, seed=0)
    lead = [f.private.mean(axis=0)[0] - f.private.mean(axis=0)[1:].mean() for f in (lucky, plain)]
    assert lead[0] < 0.017
    assert lead[1] == pytest.approx(0.25, abs=0.02)


def test_the_same_seed_draws_the_same_futures() -> None:
    candidates = field_of(answers(0.7, 0.72), public=np.array([0.7, np.nan]))
    first, again, other = (simulate(candidates, SPLIT, num=20, seed=seed) for seed in (0, 0, 1))
    assert (first.private == again.private).all()
    assert (first.private != other.private).any()


def test_resamples_without_a_score_are_passed_over_unless_they_are_most() -> None:
    right = answers(0.7, 0.72, num_rows=50)

    def undefined_without(row: int) -> Any:
        def rescored(weights: np.ndarray) -> np.ndarray:
            if weights[row] == 0:
                raise ValueError("a class is not there")
            return right @ weights / weights.sum()

        return rescored

    candidates = field_of(right, rescored=undefined_without(3))
    assert len(simulate(candidates, Split(20, 80), num=60, seed=0).private) < 4 * 60
    with pytest.raises(ValueError, match=r"undefined on .* of 60 draws of 5 rows or groups"):
        simulate(candidates, Split(2, 5), num=60, seed=0)


def test_scores_that_are_not_finite_are_named() -> None:
    bad = field_of(answers(0.7, 0.72), rescored=lambda weights: np.array([0.5, np.nan]))
    with pytest.raises(ValueError, match="the score of m1 is not finite"):
        simulate(bad, SPLIT, num=10, seed=0)


def test_identical_candidates_and_a_single_one_are_no_trouble() -> None:
    right = np.repeat(answers(0.7), 3, axis=0)
    public = np.array([0.69, 0.71, np.nan])
    found = simulate(field_of(right, public=public), SPLIT, num=50, seed=0)
    assert np.isfinite(found.private).all()
    alone = field_of(answers(0.7), public=np.array([0.6]))
    single = simulate(alone, SPLIT, num=50, seed=0)
    assert 0.55 < single.private.mean() < 0.75
    assert len(replace(alone, public=np.array([np.nan])).known) == 0
