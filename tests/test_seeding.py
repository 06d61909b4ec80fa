import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from foldwise.seeding import key, permutation, uniforms


@given(st.integers(0, 2**63 - 1), st.lists(st.integers(0, 2**62), min_size=1, max_size=20))
def test_a_draw_depends_on_key_and_counter_alone(seed, counters):
    whole = uniforms(seed, np.array(counters), 4)
    for row, counter in enumerate(counters):
        alone = uniforms(seed, np.array([counter]), 7)
        assert (alone[0, :4] == whole[row]).all()
    assert ((whole >= 0) & (whole < 1)).all()


def test_draws_are_uniform_and_uncorrelated():
    draws = uniforms(key("x", 1), np.arange(50_000), 3)
    for column in draws.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
    assert np.abs(np.corrcoef(draws.T) - np.eye(3)).max() < 0.02
    neighbours = np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]
    keys = np.corrcoef(draws[:, 0], uniforms(key("x", 2), np.arange(50_000), 1)[:, 0])[0, 1]
    assert max(abs(neighbours), abs(keys)) < 0.02


def test_keys_tell_words_from_numbers():
    found = {key("a", 1), key("a", "1"), key("a1"), key("a", 1, 0), key(1, "a")}
    assert len(found) == 5


def test_a_permutation_has_every_row_once():
    assert sorted(permutation(3, 100)) == list(range(100))
    assert permutation(3, 100).tolist() != permutation(4, 100).tolist()
