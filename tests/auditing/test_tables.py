import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from foldwise.auditing.tables import class_counts, find_size_shortcut, size_by_class


def test_classes_are_counted_commonest_first_and_equal_ones_by_name():
    table = class_counts(["b", "a", "c", "c"])
    assert table["label"].tolist() == ["c", "a", "b"]
    assert table["count"].tolist() == [2, 1, 1]
    assert table["share"].sum() == pytest.approx(1)


def test_the_size_table_matches_pandas_crosstab():
    rng = np.random.default_rng(0)
    sizes, labels = rng.integers(1, 4, (200, 2)), rng.integers(0, 5, 200)
    table = size_by_class(sizes, labels)
    oracle = pd.crosstab([sizes[:, 0], sizes[:, 1]], labels)
    assert table["rows"].tolist() == sorted(oracle.sum(axis=1), reverse=True)
    for size, row in oracle.iterrows():
        assert table.loc[size].iloc[1:].tolist() == row.tolist()


def _clinics(num=600, *, leak):
    """Three cameras; where they leak, each is used for one grade mostly."""
    rng = np.random.default_rng(0)
    grades = rng.choice(3, num, p=[0.5, 0.3, 0.2])
    cameras = np.where(rng.random(num) < leak, grades, rng.integers(0, 3, num))
    return np.array([[640, 480], [2048, 1536], [819, 614]])[cameras], grades


def test_sizes_that_give_the_label_away_are_a_severe_shortcut():
    sizes, grades = _clinics(leak=0.7)
    found = find_size_shortcut(sizes, grades)
    by_size = pd.Series(grades).groupby([sizes[:, 0], sizes[:, 1]])
    plain = by_size.agg(lambda g: g.value_counts().iloc[0]).sum() / len(grades)
    assert found.level == "severe"
    assert found.majority == pytest.approx(np.bincount(grades).max() / len(grades))
    assert found.plain == pytest.approx(plain)
    assert f"{found.left_out:.3f}" in found.note


def test_leaving_rows_out_matches_scikit_learn():
    sizes, grades = _clinics(60, leak=0.5)
    one_hot = OneHotEncoder(sparse_output=False).fit_transform(sizes)
    oracle = cross_val_predict(DecisionTreeClassifier(), one_hot, grades, cv=LeaveOneOut())
    assert find_size_shortcut(sizes, grades).left_out == pytest.approx((oracle == grades).mean())


@pytest.mark.parametrize("sizes", ["equal", "all different", "by chance"])
def test_harmless_sizes_give_no_alarm(sizes):
    labels = np.random.default_rng(0).integers(0, 4, 400)
    table = {
        "equal": np.full((400, 2), 64),
        "all different": np.column_stack([np.arange(400), np.full(400, 64)]),
        "by chance": np.random.default_rng(1).integers(60, 70, (400, 2)),
    }[sizes]
    found = find_size_shortcut(table, labels)
    assert found.level == "none"
    assert found.note == ""
    assert found.left_out <= found.plain


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from("ab")), min_size=1, max_size=30))
def test_accuracies_stay_in_range(rows):
    sizes = np.array([[side, side] for side, _ in rows])
    found = find_size_shortcut(sizes, [label for _, label in rows])
    assert 0 <= found.left_out <= 1
    assert found.majority <= found.plain <= 1
