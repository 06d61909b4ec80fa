import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldwise.data.folds_file import folds_hash, read_folds, write_folds
from foldwise.errors import DataError

_IDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(_IDS, st.integers(0, 99)))
def test_what_is_written_is_read_again(tmp_path_factory, folds):
    path = tmp_path_factory.mktemp("folds") / "folds.csv"
    write_folds(path, folds.keys(), folds.values())
    assert read_folds(path) == folds


def test_an_id_with_a_carriage_return_stays_one_line(tmp_path):
    path = tmp_path / "folds.csv"
    write_folds(path, ["a\rb", "c"], [0, 1])
    assert read_folds(path) == {"a\rb": 0, "c": 1}


def test_rows_are_sorted_by_id_and_quoted(tmp_path):
    path = tmp_path / "folds.csv"
    write_folds(path, ["b", 'a,"1"'], [1, 0])
    assert path.read_bytes() == b'id,fold\n"a,""1""",0\nb,1\n'


def test_all_wrong_lines_are_told_with_file_and_line(tmp_path):
    path = tmp_path / "folds.csv"
    path.write_text("id,fold\na,0\na,1\nb,1.5\nc\n,2\nd,-1\n")
    with pytest.raises(DataError) as error:
        read_folds(path)
    lines = [problem.split(": ")[0] for problem in error.value.problems]
    assert lines == [f"{path}, line {line}" for line in (3, 4, 5, 6, 7)]
    assert "line 2" in error.value.problems[0]


def test_many_wrong_lines_are_counted(tmp_path):
    path = tmp_path / "folds.csv"
    path.write_text("id,fold\n" + "".join(f"s{i},x\n" for i in range(50)))
    with pytest.raises(DataError, match="and 30 more lines"):
        read_folds(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file"),
        (b"id;fold\n", "columns must be id,fold"),
        (b"fold,id\n0,a\n", "columns must be id,fold"),
        (b"id,fold\n\xff,0\n", "not UTF-8"),
        (b'id,fold\n"a,0\n', "not valid CSV"),
    ],
)
def test_a_file_that_is_no_folds_file_is_refused(tmp_path, data, words):
    path = tmp_path / "folds.csv"
    path.write_bytes(data)
    with pytest.raises(DataError, match=words):
        read_folds(path)


def test_an_absent_file_is_told(tmp_path):
    with pytest.raises(DataError, match="foldwise split"):
        read_folds(tmp_path / "folds.csv")


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "folds.csv"
    path.write_bytes(b"\xef\xbb\xbfid,fold\r\na,0\r\n")
    assert read_folds(path) == {"a": 0}


def test_the_hash_tells_any_change_and_no_order():
    first = folds_hash(["a", "b"], [0, 1])
    assert first == folds_hash(["b", "a"], [1, 0])
    assert len({first, folds_hash(["a", "b"], [1, 0]), folds_hash(["a", "c"], [0, 1])}) == 3
