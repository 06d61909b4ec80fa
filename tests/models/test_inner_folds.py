"""Inner folds: even strata, whole groups, the same each time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foldwise.models.inner_folds import inner_folds


@given(st.lists(st.integers(0, 4), min_size=8, max_size=80), st.integers(2, 5))
def test_each_stratum_is_shared_out_evenly(strata: list[int], num_folds: int) -> None:
    labels = np.array(strata)
    folds = inner_folds(labels, groups=None, num_folds=num_folds, seed=0)
    assert set(folds) <= set(range(num_folds))
    for stratum in set(strata):
        counts = np.bincount(folds[labels == stratum], minlength=num_folds)
        assert counts.max() - counts.min() <= 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=20, max_size=80))
def test_groups_stay_whole(rows: list[tuple[int, int]]) -> None:
    strata, groups = np.array(rows).T
    folds = inner_folds(strata, groups=groups, num_folds=2, seed=0)
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))


def test_the_seed_alone_decides() -> None:
    strata = np.arange(60) % 3
    one, same, other = (
        inner_folds(strata, groups=None, num_folds=4, seed=seed) for seed in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).any()
