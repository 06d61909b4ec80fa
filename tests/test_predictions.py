import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldwise.errors import DataError
from foldwise.predictions import Predictions, concatenate, read, write


def make(ids: list[str], *, folds: bool = True) -> Predictions:
    rng = np.random.default_rng(len(ids))
    return Predictions(
        np.array(ids, dtype=object),
        rng.random((len(ids), 2)),
        ("cat", "dog: big"),
        rng.random((len(ids), 3)),
        ("a", "b", "c"),
        np.arange(len(ids)) % 2 if folds else None,
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, unique=True))
def test_a_file_gives_back_what_was_written_sorted_by_id(tmp_path_factory, ids):
    path = tmp_path_factory.mktemp("p") / "x.parquet"
    before = make(ids)
    write(path, before)
    after = read(path)
    assert after.ids.tolist() == sorted(ids)
    again = before.align(after.ids, name="x")
    assert np.array_equal(after.scores, again.scores)
    assert after.columns == before.columns
    assert after.raw_columns == before.raw_columns
    assert np.array_equal(after.folds, again.folds)


def test_missing_ids_are_named():
    with pytest.raises(DataError, match=r"mine: 2 of 3 ids have no prediction: x, y"):
        make(["a", "b"]).align(["a", "x", "y"], name="mine")


def test_parts_come_one_after_the_other():
    joined = concatenate([make(["a", "b"]), make(["c"])])
    assert joined.ids.tolist() == ["a", "b", "c"]
    assert concatenate([make(["a"], folds=False), make(["c"])]).folds is None


def test_a_damaged_or_foreign_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(DataError, match="damaged"):
        read(tmp_path / "bad.parquet")
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "foreign.parquet")
    with pytest.raises(DataError, match="not a foldwise file of scores"):
        read(tmp_path / "foreign.parquet")
