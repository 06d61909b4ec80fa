import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from foldwise.auditing.links import Links
from foldwise.data.fold_groups import merge_groups

_PAIRS = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40)


@settings(deadline=None)
@given(_PAIRS, st.integers(1, 7))
def test_groups_are_the_connected_components_however_the_pairs_come(pairs, step):
    links = Links(20)
    for start in range(0, len(pairs), step):
        links.join(np.array(pairs[start : start + step]))
    oracle = list(range(20))
    for _ in pairs:
        for i, j in pairs:
            oracle[i] = oracle[j] = min(oracle[i], oracle[j])
    assert links.groups().tolist() == merge_groups(np.array(oracle)).tolist()
    every = np.argwhere(np.ones((20, 20), dtype=bool))
    groups = links.groups()
    assert (links.apart(every) == (groups[every[:, 0]] != groups[every[:, 1]])).all()


def test_no_pairs_join_nothing():
    links = Links(3)
    links.join(np.empty((0, 2), dtype=np.int64))
    assert links.groups().tolist() == [0, 1, 2]
    assert Links(0).groups().tolist() == []
