"""H2: a right parse or an error with its line; pandas is the second parser."""

from __future__ import annotations

import io
import random
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldwise.csv_files import read_csv, write_csv
from foldwise.errors import DataError

BIG = "x" * 1_000_000

RIGHT: dict[str, tuple[bytes, list[list[str]], list[int]]] = {
    "plain": (b"id,a\n1,x\n2,y\n", [["id", "a"], ["1", "x"], ["2", "y"]], [2, 3]),
    "no newline at the end": (b"id,a\n1,x", [["id", "a"], ["1", "x"]], [2]),
    "CRLF": (b"id,a\r\n1,x\r\n", [["id", "a"], ["1", "x"]], [2]),
    "CR alone": (b"id,a\r1,x\r", [["id", "a"], ["1", "x"]], [2]),
    "mixed line ends": (
        b"id,a\r\n1,x\n2,y\r3,z",
        [["id", "a"], ["1", "x"], ["2", "y"], ["3", "z"]],
        [2, 3, 4],
    ),
    "UTF-8 mark": (b"\xef\xbb\xbfid,a\n1,x\n", [["id", "a"], ["1", "x"]], [2]),
    "UTF-8 mark and quotes": (b'\xef\xbb\xbf"id",a\n1,x\n', [["id", "a"], ["1", "x"]], [2]),
    "UTF-16": ("id,ä\n1,x\n".encode("utf-16"), [["id", "ä"], ["1", "x"]], [2]),
    "UTF-16 big endian": (
        b"\xfe\xff" + "id,a\n1,日\n".encode("utf-16-be"),
        [["id", "a"], ["1", "日"]],
        [2],
    ),
    "zeros in front": (b"id\n007\n00\n", [["id"], ["007"], ["00"]], [2, 3]),
    "numbers as written": (
        b"id,v\n1,1.50\n2,1e5\n",
        [["id", "v"], ["1", "1.50"], ["2", "1e5"]],
        [2, 3],
    ),
    "words that pandas takes for missing": (
        b"id,v\nNA,null\nnan,None\n",
        [["id", "v"], ["NA", "null"], ["nan", "None"]],
        [2, 3],
    ),
    "empty cells": (
        b"id,a,b\n1,,\n,,x\n",
        [["id", "a", "b"], ["1", "", ""], ["", "", "x"]],
        [2, 3],
    ),
    "comma in quotes": (b'id,a\n1,"x,y"\n', [["id", "a"], ["1", "x,y"]], [2]),
    "doubled quote": (b'id,a\n1,"5"" disk"\n', [["id", "a"], ["1", '5" disk']], [2]),
    "bare quote inside a cell": (b'id,a\n1,5" disk\n', [["id", "a"], ["1", '5" disk']], [2]),
    "line break in quotes": (
        b'id,a\n1,"x\ny"\n2,z\n',
        [["id", "a"], ["1", "x\ny"], ["2", "z"]],
        [2, 4],
    ),
    "CRLF in quotes": (b'id,a\r\n1,"x\r\ny"\r\n', [["id", "a"], ["1", "x\r\ny"]], [2]),
    "line break in the header": (b'id,"a\nb"\n1,x\n', [["id", "a\nb"], ["1", "x"]], [3]),
    "quoted blank before a quote": (b'id,a\n1," ""x"""\n', [["id", "a"], ["1", ' "x"']], [2]),
    "blanks kept": (b"id,a\n 1 , x\n", [["id", "a"], [" 1 ", " x"]], [2]),
    "blank lines at the end": (b"id,a\n1,x\n\n\r\n\n", [["id", "a"], ["1", "x"]], [2]),
    "header alone": (b"id,a\n", [["id", "a"]], []),
    "one column": (b"id\n1\n2\n", [["id"], ["1"], ["2"]], [2, 3]),
    "one column with an empty cell": (b'id\n1\n""\n2\n', [["id"], ["1"], [""], ["2"]], [2, 3, 4]),
    "semicolons and decimal commas": (b"id;v\n1;1,5\n", [["id", "v"], ["1", "1,5"]], [2]),
    "tabs": (b"id\tv\n1\ta,b;c\n", [["id", "v"], ["1", "a,b;c"]], [2]),
    "quoted semicolon in a comma header": (b'id,"a;b"\n1,x\n', [["id", "a;b"], ["1", "x"]], [2]),
    "a cell of a million characters": (f"id,a\n1,{BIG}\n".encode(), [["id", "a"], ["1", BIG]], [2]),
    "a quoted cell of a million": (
        f'id,a\n1,"{BIG},"\n'.encode(),
        [["id", "a"], ["1", BIG + ","]],
        [2],
    ),
    "unusual blanks": (
        "id,a\n1,\u00a0\u2028x\n".encode(),
        [["id", "a"], ["1", "\u00a0\u2028x"]],
        [2],
    ),
    "unit separators are no line ends": (
        b"id,a\n1,x\x1cy\x0bz\n",
        [["id", "a"], ["1", "x\x1cy\x0bz"]],
        [2],
    ),
}
WRONG: dict[str, tuple[bytes, str]] = {
    "empty file": (b"", "empty"),
    "only line breaks": (b"\n\r\n\n", "empty"),
    "only a mark": (b"\xef\xbb\xbf", "empty"),
    "first line empty": (b"\nid,a\n1,x\n", r":1: empty line"),
    "row too short": (b"id,a\n1,x\n2\n", r":3: found 1 cell, wanted 2"),
    "row too long": (b"id,a\n1,x,y\n", r":2: found 3 cells, wanted 2"),
    "decimal commas unquoted": (b"id,v\n1,1,5\n2,2,5\n", r":2: found 3 cells.*\n.*:3: found 3"),
    "one comma too many at the end": (b"id,a\n1,x,\n", r":2: found 3 cells"),
    "empty line inside": (b"id,a\n1,x\n\n2,y\n", r":3: found an empty line"),
    "empty line in one column": (b"id\n1\n\n2\n", r":3: found an empty line"),
    "blank line inside": (b"id,a\n1,x\n  \n2,y\n", r":3: found 1 cell,"),
    "quote never closed": (b'id,a\n1,x\n2,"y\n3,z\n4,w\n', r":3: a quote opens here"),
    "second quoted cell never closed": (b'id,a\n"1\n2","y\n3,z\n', r":3: a quote opens here"),
    "quote at the very end": (b'id,a\n1,"', r":2: a quote opens here"),
    "text after a quote": (b'id,a\n1,"x"y\n', r":2: found text after a closing quote.*line 2"),
    "quote swallows lines": (b'id,a\n1,"x\n2,y\n3,"z"\n', r":4: found text after.* line 2"),
    "quote after a blank": (b'id,a,b\n1, "x,y"\n', r":2: found a quote after a blank"),
    "quote after a blank in the header": (b'id, "a"\n1,x\n', r":1: found a quote after a blank"),
    "unnamed column": (b",id\n0,1\n", r":1: header: column 1 of 2 has no name"),
    "blank name": (b"id, \n0,1\n", r":1: header: column 2 of 2 has no name"),
    "trailing comma in all lines": (b"id,a,\n1,x,\n", r"column 3 of 3 has no name"),
    "same name twice": (b"id,a,id\n1,x,2\n", r"columns 1 and 3 have the same name 'id'"),
    "NUL": (b"id,a\n1,x\n2,\0\n", r":3: found a NUL"),
    "UTF-16 without mark": ("id,a\n1,x\n".encode("utf-16-le"), r"NUL"),
    "Latin-1": ("id,a\n1,x\n2,é\n".encode("latin-1"), r":3: byte 11 \(0xe9\) is not utf-8"),
    "UTF-16 cut short": ("id,a\n1,x\n".encode("utf-16")[:-1], r"is not utf-16"),
    "overlong UTF-8": (b"id,a\n1,\xc0\xaf\n", r":2: byte 7"),
    "surrogate in UTF-8": (b"id,a\n1,\xed\xa0\x80\n", r":2: byte 7"),
    "comma and semicolon in the header": (b"id,a;b\n1,x\n", r":1: the header holds comma and semi"),
    "comma and tab in the header": (b"id,a\tb\n1,x\n", r":1: the header holds comma and tab"),
    "semicolon rows under a comma header": (b"id,a\n1;x\n", r":2: found 1 cell,"),
    "a zip": (b"PK\x03\x04\x14\0\0\0\x08\0", r"NUL|not utf-8"),
    "a PNG": (b"\x89PNG\r\n\x1a\n\0\0", r":1: byte 0"),
}

NASTY = ["a", "7", "é", "日", " ", ",", ";", "\t", '"', "\n", "\r\n", "'", "=", "-", ".", "#", "\\"]


def cells_of(path: Path) -> list[list[str]]:
    cells = read_csv(path)
    rows = [list(row) for row in zip(*cells.columns, strict=True)]
    assert len(cells.lines) == len(rows)
    return [cells.header, *rows]


def by_pandas(text: str, delimiter: str) -> list[list[str]]:
    """The second parser: pandas' own in C, told to change nothing."""
    frame = pd.read_csv(
        io.StringIO(text.lstrip("\ufeff").rstrip("\r\n"), newline=""),
        sep=delimiter,
        dtype=str,
        na_filter=False,
        header=None,
        index_col=False,
        skip_blank_lines=False,
        engine="c",
    )
    return [list(row) for row in frame.itertuples(index=False)]


def random_text(draw: random.Random) -> str:
    return "".join(draw.choices(NASTY, k=draw.randrange(7)))


def random_file(draw: random.Random) -> tuple[list[list[str]], str, str]:
    """Cells, the delimiter, and the text of a well-formed file that holds them."""
    num_columns, end = draw.randrange(1, 5), draw.choice(["\n", "\n", "\r\n"])
    delimiter = draw.choice(",,;\t") if num_columns > 1 else ","
    header = [f"c{place}" for place in range(num_columns)]
    rows = [[random_text(draw) for _ in header] for _ in range(draw.randrange(1, 6))]
    must = set('"\r\n') | {delimiter}
    always = draw.random() < 0.3
    lines = [delimiter.join(header)]
    for row in rows:
        texts = []
        for cell in row:
            needs = always or must & set(cell) or cell[:1] == " " or (num_columns == 1 and not cell)
            texts.append('"' + cell.replace('"', '""') + '"' if needs else cell)
        lines.append(delimiter.join(texts))
    return [header, *rows], delimiter, end.join(lines) + draw.choice(["", end])


@pytest.mark.parametrize("name", RIGHT)
def test_reads_rightly(tmp_path: Path, name: str) -> None:
    data, wanted, lines = RIGHT[name]
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    assert cells_of(path) == wanted
    assert read_csv(path).lines.tolist() == lines


@pytest.mark.parametrize("name", WRONG)
def test_refuses_with_line_found_and_wanted(tmp_path: Path, name: str) -> None:
    data, message = WRONG[name]
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message) as caught:
        read_csv(path)
    assert all(problem.startswith(str(path)) for problem in caught.value.problems)


def test_shows_ten_ragged_rows_and_counts_the_others(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,a\n" + "1\n" * 25)
    with pytest.raises(DataError) as caught:
        read_csv(path)
    assert len(caught.value.problems) == 11
    assert caught.value.problems[-1] == "... and 15 more"


def test_a_tsv_may_hold_commas_in_its_header(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("id\ta,b\n1\tx\n")
    assert cells_of(path) == [["id", "a,b"], ["1", "x"]]


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: cannot be read: No such file"):
        read_csv(tmp_path / "none.csv")


def test_well_formed_files_read_as_pandas_reads_them(tmp_path: Path) -> None:
    draw, path, done = random.Random(0), tmp_path / "t.csv", 0
    for _ in range(300):
        wanted, delimiter, text = random_file(draw)
        path.write_bytes(text.encode(draw.choice(["utf-8", "utf-8-sig", "utf-16"])))
        assert cells_of(path) == wanted, text
        assert by_pandas(text, delimiter) == wanted, text
        done += 1
    print(f"well-formed files planned 300, done {done}, equal {done}")
    assert done == 300


def test_damaged_files_are_refused_or_read_as_pandas_reads_them(tmp_path: Path) -> None:
    draw, path = random.Random(1), tmp_path / "t.csv"
    refused = equal = 0
    for _ in range(700):
        text = random_file(draw)[2]
        place = draw.randrange(len(text))
        kept = text[place + draw.randrange(2) :]
        text = text[:place] + draw.choice([*NASTY, ""]) + kept
        path.write_bytes(text.encode())
        try:
            cells = cells_of(path)
        except DataError:
            refused += 1
            continue
        delimiter = next((d for d in ",;\t" if d in text.splitlines()[0]), ",")
        assert cells == by_pandas(text, delimiter), text
        equal += 1
    print(f"damaged files planned 700, refused {refused}, equal {equal}, silently different 0")
    assert refused + equal == 700
    assert min(refused, equal) > 100


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(
        TEXT.filter(lambda t: t.strip("\ufeff \t\r\n")), min_size=1, max_size=4, unique=True
    ),
    data=st.data(),
)
def test_text_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.csv"
    row = st.lists(TEXT, min_size=len(names), max_size=len(names))
    rows = data.draw(st.lists(row, max_size=4))
    write_csv(path, pd.DataFrame(rows, columns=pd.Index(names, dtype=object), dtype=object))
    assert cells_of(path) == [names, *rows]


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_floats_written_read_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    path = tmp_path_factory.getbasetemp() / "floats.csv"
    write_csv(path, pd.DataFrame({"v": values}))
    back = np.array(read_csv(path).columns[0]).astype(float)
    assert back.tobytes() == np.array(values).tobytes()


def test_writes_lf_minimal_quotes_and_the_digits_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    frame = pd.DataFrame({"id": ["a", 'b"'], "v": [1 / 3, np.nan], "n": [1, 2], "t": [True, False]})
    write_csv(path, frame, digits=3)
    assert path.read_bytes() == b'id,v,n,t\na,0.333,1,True\n"b""",,2,False\n'


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "same name 'a'"),
        (pd.DataFrame({"": [1]}), "has no name"),
        (pd.DataFrame({"a": [np.inf]}), "found inf"),
        (pd.DataFrame({"a": ["x\0"]}), "NUL"),
        (pd.DataFrame(), "no columns"),
    ],
)
def test_refuses_to_write_what_would_not_read_back(
    tmp_path: Path, frame: pd.DataFrame, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        write_csv(tmp_path / "t.csv", frame)
    assert not list(tmp_path.iterdir())


def test_one_open_quote_before_many_lines_is_found_fast(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('id,a\n1,"x\n' + "2,y\n" * 200_000)
    start = time.monotonic()
    with pytest.raises(DataError, match=":2: a quote opens here"):
        read_csv(path)
    assert time.monotonic() - start < 5
