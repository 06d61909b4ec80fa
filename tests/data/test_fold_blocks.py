import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foldwise.data.fold_blocks import find_gap_rows, join_blocks, place_blocks

_TIMES = st.lists(st.integers(0, 30), min_size=1, max_size=25)


@given(_TIMES, st.integers(1, 6))
def test_blocks_follow_time_and_none_is_empty(times, num_folds):
    order = np.array(times, dtype=float)
    num_folds = min(num_folds, len(order))
    folds = place_blocks(order, np.arange(len(order)), num_folds=num_folds)
    assert set(folds) == set(range(num_folds))
    in_time = folds[np.argsort(order, kind="stable")]
    assert (np.diff(in_time) >= 0).all()


@given(_TIMES, st.integers(0, 4), st.integers(0, 99))
def test_gap_rows_match_all_pairs(times, gap, seed):
    order = np.array(times, dtype=float)
    folds = np.random.default_rng(seed).integers(0, 3, len(order))
    near = np.abs(order[:, None] - order[None, :]) <= gap
    oracle = [(near[:, folds == k]).any(1) & (folds != k) for k in range(3)]
    assert (find_gap_rows(folds, order, num_folds=3, gap=gap) == oracle).all()


@given(_TIMES, _TIMES)
def test_new_units_join_the_nearest_old_row(old, new):
    old_order, start = np.array(old, dtype=float), np.array(new, dtype=float)
    joined = join_blocks(start, old_order, np.arange(len(old)))
    distance = np.abs(start - old_order[joined])
    assert (distance == np.abs(start[:, None] - old_order[None, :]).min(1)).all()
