import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from foldwise.data.fold_growth import place_groups, place_rows


def _counts(table):
    return csr_matrix(np.column_stack([table, np.maximum(np.sum(table, axis=1), 1)]))


def _one_row_after_the_other(labels, held):
    """The rule of Sechidis et al. as published: rows in turn, demands kept by hand."""
    num_folds = len(held)
    demand = (held.sum(0) + np.append(labels.sum(0), len(labels))) / num_folds - held
    left, demands = list(range(len(labels))), demand.copy()
    while left:
        remaining = labels[left].sum(0)
        if not remaining.any():
            break
        label = np.where(remaining > 0, remaining, len(labels) + 1).argmin()
        for row in [r for r in left if labels[r, label]]:
            keys = [(round(d[label], 9), round(d[-1], 9), -k) for k, d in enumerate(demands)]
            fold = max(range(num_folds), key=lambda k: keys[k])
            demands[fold] -= np.append(labels[row], 1)
            left.remove(row)
    return demands


@given(st.integers(0, 10**6), st.integers(2, 5), st.booleans())
@settings(deadline=None, max_examples=60)
def test_rows_of_one_label_are_shared_as_by_the_published_rule(seed, num_folds, grown):
    rng = np.random.default_rng(seed)
    labels = np.eye(4, dtype=int)[rng.integers(0, 4, 40)]  # One label a row: no choice of row.
    held = np.zeros((num_folds, 5), dtype=int)
    if grown:
        held[:, :4] = rng.integers(0, 6, (num_folds, 4))
        held[:, 4] = held[:, :4].sum(1)
    counts = csr_matrix(np.column_stack([labels, np.ones(40, dtype=int)]))
    folds = place_rows(counts, held, seed=seed)
    demand = (held.sum(0) + counts.toarray().sum(0)) / num_folds - held
    for fold in range(num_folds):
        demand[fold] -= counts.toarray()[folds == fold].sum(0)
    np.testing.assert_allclose(demand, _one_row_after_the_other(labels, held), atol=1e-9)


def test_rows_without_any_label_even_out_the_sizes():
    labels = np.zeros((10, 3), dtype=int)
    labels[:3, 0] = 1
    counts = csr_matrix(np.column_stack([labels, np.ones(10, dtype=int)]))
    folds = place_rows(counts, np.zeros((5, 4), dtype=int), seed=0)
    assert np.bincount(folds).tolist() == [2] * 5


def _sum_of_squares(counts, held, folds):
    table = counts.toarray()
    scale = 1 / np.maximum(held.sum(0) + table.sum(0), 1)
    filled = held + np.array([table[folds == k].sum(0) for k in range(len(held))])
    return (((filled * scale)[:, :-1]) ** 2).sum()


@pytest.mark.parametrize("repeats", [1, 40])
def test_placed_groups_are_nearly_as_even_as_the_best_of_many_draws(repeats):
    rng = np.random.default_rng(0)
    counts = _counts(np.repeat(rng.poisson(2, (30, 4)), repeats, axis=0))
    held = np.zeros((3, 5), dtype=int)
    ours = _sum_of_squares(counts, held, place_groups(counts, held, seed=0))
    draws = [_sum_of_squares(counts, held, rng.integers(0, 3, counts.shape[0])) for _ in range(500)]
    assert ours <= min(draws)


def test_long_runs_of_equal_groups_end_level():
    counts = _counts(np.array([[2, 0]] * 50 + [[0, 1]] * 33 + [[5, 5]]))
    folds = place_groups(counts, np.zeros((4, 3), dtype=int), seed=0)
    filled = np.array([counts.toarray()[folds == k].sum(0) for k in range(4)])
    assert np.ptp(filled[:, 0]) <= 5
    assert np.ptp(filled[:, 1]) <= 5


def test_an_emptier_fold_gets_the_new_groups():
    held = np.array([[10, 10], [0, 0]])
    folds = place_groups(_counts(np.ones((20, 1), dtype=int)), held, seed=0)
    assert np.bincount(folds).tolist() == [5, 15]
