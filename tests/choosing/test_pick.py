from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foldwise.choosing.futures import Split
from foldwise.choosing.pick import pick

from .test_futures import SPLIT, answers, field_of


def test_the_best_by_far_is_picked_and_its_figures_agree() -> None:
    found = pick(field_of(answers(0.9, 0.7, 0.72, 0.6)), SPLIT, num=1, num_resamples=100)
    assert found.picked.members == (0,)
    assert 0 <= found.picked.regret < 0.02
    assert found.picked.place == pytest.approx(1, abs=0.2)
    assert found.chance_first[0] > 0.9
    assert found.chance_first.sum() == pytest.approx(1)
    low, high = found.private[0, 1:]
    assert low < found.private[0, 0] < high
    assert found.by_public is None


def test_lower_is_better_mirrors_higher_is_better() -> None:
    right = answers(0.8, 0.7, 0.75, 0.76)
    public = np.array([0.78, 0.6, np.nan, 0.75])
    up = field_of(right, public=public)
    down = replace(
        up,
        rescored=lambda weights: 1 - right @ weights / weights.sum(),
        public=1 - public,
        higher_is_better=False,
    )
    first = pick(up, SPLIT, num_resamples=50, pass_score=0.77)
    second = pick(down, SPLIT, num_resamples=50, pass_score=0.23)
    assert first.picked.members == second.picked.members
    assert second.picked.expected == pytest.approx(1 - first.picked.expected)
    assert second.picked.chance == pytest.approx(first.picked.chance, abs=0.02)
    assert second.private[:, [0, 2, 1]] == pytest.approx(1 - first.private)
    assert second.cv == pytest.approx(1 - first.cv)
    assert first.by_public is not None
    assert second.by_public is not None
    assert second.by_public.members == first.by_public.members


def test_the_second_pick_comes_from_another_family_where_families_shift() -> None:
    """Three strong ones of one family and a slightly weaker one beside it."""
    right = np.vstack([answers(0.742, 0.74, 0.738, seed=1), answers(0.73, seed=2)])
    families = np.array([[1, 0], [1, 0], [1, 0], [0, 1.0]])
    # Elsewhere in the ledger families did shift: six weak runs of three more families show it.
    others = answers(*([0.6] * 6), seed=3)
    loadings = np.zeros((10, 5))
    loadings[:4, :2] = families
    loadings[[4, 5], 2] = loadings[[6, 7], 3] = loadings[[8, 9], 4] = 1
    public = np.array([np.nan] * 4 + [0.50, 0.51, 0.63, 0.62, 0.70, 0.69])
    candidates = field_of(np.vstack([right, others]), families=loadings, public=public)
    found = pick(candidates, Split(2000, 5000), num_resamples=200)
    assert 3 in found.picked.members
    assert found.by_cv.members == (0, 1)
    assert found.picked.expected > found.by_cv.expected
    assert found.added.min() > 0


def test_what_is_shown_of_a_future_can_be() -> None:
    right = answers(0.97, 0.99)
    candidates = field_of(right, lowest=0.0, highest=1.0)
    found = pick(candidates, Split(10, 20), num_resamples=50)
    assert found.private.max() == 1.0
    down = replace(
        candidates,
        rescored=lambda weights: 1 - right @ weights / weights.sum(),
        higher_is_better=False,
    )
    assert pick(down, Split(10, 20), num_resamples=50).private.min() == 0.0


def test_near_the_end_of_the_scale_equal_candidates_are_equally_likely_first() -> None:
    candidates = field_of(answers(*([0.96] * 4)), lowest=0.0, highest=1.0)
    found = pick(candidates, SPLIT, num_resamples=200)
    assert found.chance_first == pytest.approx(0.25, abs=0.06)
    assert found.private[:, 0] == pytest.approx(found.cv, abs=0.02)


def test_a_poor_candidate_is_no_lottery_ticket() -> None:
    """The runner-up is level with a far worse one, which gains in the tails alone."""
    found = pick(field_of(answers(0.9, 0.75, 0.4)), SPLIT, num_resamples=100)
    assert found.picked.members == (0, 1)


def test_ties_go_to_what_can_be_made_again_then_cross_fitted() -> None:
    right = np.repeat(answers(0.7), 3, axis=0)
    first = field_of(right, is_reproducible=np.array([False, True, False]))
    assert pick(first, SPLIT, num=1, num_resamples=50).picked.members == (1,)
    second = field_of(right, is_honest=np.array([False, False, True]))
    assert pick(second, SPLIT, num=1, num_resamples=50).picked.members == (2,)


def test_rules_take_the_best_on_public_filled_up_by_cv_and_the_best_by_cv() -> None:
    public = np.array([np.nan, np.nan, 0.6, np.nan])
    candidates = field_of(answers(0.7, 0.8, 0.5, 0.75), public=public)
    found = pick(candidates, SPLIT, num_resamples=50)
    assert found.by_public is not None
    assert set(found.by_public.members) == {2, 1}
    assert found.by_public.num_public == 1
    assert set(found.by_cv.members) == {1, 3}
    assert found.picked.regret <= found.by_public.regret


def test_the_chance_to_pass_falls_with_the_score_to_pass() -> None:
    candidates = field_of(answers(0.7, 0.72, 0.74), public=np.array([0.7, 0.71, 0.75]))
    chances = [
        pick(candidates, SPLIT, pass_score=score, num_resamples=50).picked.chance
        for score in (0.5, 0.74, 0.99)
    ]
    assert chances[0] == 1
    assert chances[1] is not None
    assert 0 < chances[1] < 1
    assert chances[2] == 0


def test_ranks_change_less_where_the_test_set_is_large() -> None:
    candidates = field_of(answers(0.70, 0.71, 0.72, 0.73, 0.74, num_rows=4000))
    small, large = (
        pick(candidates, split, num_resamples=100).climb
        for split in (Split(50, 100), Split(20_000, 50_000))
    )
    assert small.shape == (5, 5)
    assert (np.diff(small, axis=1) >= 0).all()
    assert np.ptp(small, axis=1).mean() > np.ptp(large, axis=1).mean()


def test_as_many_picks_as_candidates_are_all_of_them() -> None:
    assert pick(field_of(answers(0.7, 0.72)), SPLIT, num_resamples=20).picked.members == (1, 0)
