import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldwise.data.fold_groups import merge_groups, quantile_bins

_VALUES = st.lists(st.sampled_from(["a", "b", "c", "d", "", None, float("nan")]), min_size=12)


def _by_flooding(groupings):
    """Slow oracle: spread the lowest number over equal values until nothing changes."""
    numbers = list(range(len(groupings[0])))
    changed = True
    while changed:
        changed = False
        for grouping in groupings:
            for i, a in enumerate(grouping):
                for j, b in enumerate(grouping):
                    if a == b and a not in ("", None) and numbers[i] > numbers[j]:
                        numbers[i], changed = numbers[j], True
    return numbers


@settings(deadline=None, max_examples=40)
@given(_VALUES, _VALUES)
def test_merged_groups_are_the_connected_components(first, second):
    num = min(len(first), len(second), 14)
    groupings = [np.array(g[:num], dtype=object) for g in (first, second)]
    merged, oracle = merge_groups(*groupings), _by_flooding(groupings)
    same = merged[:, None] == merged[None, :]
    assert (same == (np.array(oracle)[:, None] == np.array(oracle)[None, :])).all()
    assert merged.max() + 1 == len(set(oracle))


def test_missing_values_are_groups_of_their_own():
    assert merge_groups(np.array([np.nan, 1.0, np.nan, 1.0])).tolist() == [0, 1, 2, 1]


@pytest.mark.parametrize("num_bins", [1, 2, 7, 10])
def test_bins_hold_equally_many_and_follow_the_values(num_bins):
    values = np.random.default_rng(0).normal(size=1000)
    bins = quantile_bins(values, num_bins=num_bins)
    assert np.ptp(np.bincount(bins, minlength=num_bins)) <= 1
    assert (np.diff(bins[np.argsort(values)]) >= 0).all()


def test_equal_values_share_a_bin():
    values = np.array([0.0] * 90 + list(range(1, 11)))
    bins = quantile_bins(values)
    assert len(set(bins[:90])) == 1
    assert sorted(set(bins)) == list(range(bins.max() + 1))
