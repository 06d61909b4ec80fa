"""Wrong submission files by name: how each is made from the right one, and what must be said."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

Edit = Callable[[bytes], bytes]


def swap(old: str, new: str) -> Edit:
    """The first `old` becomes `new`."""

    def edit(data: bytes) -> bytes:
        assert old.encode() in data, old
        return data.replace(old.encode(), new.encode(), 1)

    return edit


def every(old: str, new: str) -> Edit:
    """Every `old` becomes `new`."""

    def edit(data: bytes) -> bytes:
        assert old.encode() in data, old
        return data.replace(old.encode(), new.encode())

    return edit


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Edit:
    """The lines, changed."""
    return lambda data: b"\n".join(change(data.splitlines())) + b"\n"


def cell(line: int, column: int, text: str) -> Edit:
    """The cell in a line (from 1) and column (from 0) becomes `text`."""

    def change(rows: list[bytes]) -> list[bytes]:
        cells = rows[line - 1].split(b",")
        cells[column] = text.encode()
        return [*rows[: line - 1], b",".join(cells), *rows[line:]]

    return lines(change)


def columns(pick: Callable[[list[bytes]], list[bytes]]) -> Edit:
    """Every line's cells, changed."""
    return lines(lambda rows: [b",".join(pick(row.split(b","))) for row in rows])


#: What is wrong with any file: the answers are one of the classes ape, bear, cow.
ANY: dict[str, tuple[Edit, str]] = {
    "empty file": (lambda data: b"", ":.*empty"),
    "header only": (lines(lambda rows: rows[:1]), "30 of 30 ids are missing: x0000, x0001"),
    "only line ends": (lambda data: b"\n\n\n", "empty"),
    "no header": (lines(lambda rows: rows[1:]), ":1: column 'id' is missing"),
    "UTF-8 mark": (lambda data: codecs.BOM_UTF8 + data, ":1: found a byte order mark of UTF-8"),
    "UTF-16": (lambda data: data.decode().encode("utf-16"), "byte order mark of UTF-16"),
    "cp1252": (swap("x0001", "x0001\u00e9"), "is not asked for"),
    "latin bytes": (lambda data: data.replace(b"x0001", b"x\xe9001"), ":3: byte .* is not utf-8"),
    "NUL": (lambda data: data.replace(b"x0001", b"x\x00001"), ":3: found a NUL"),
    "semicolons": (every(",", ";"), ":1: found semicolons between cells; write commas"),
    "tabs": (every(",", "\t"), ":1: found tabs between cells; write commas"),
    "mixed delimiters": (swap("id,", "id;x,"), ":1: the header holds comma and semicolon"),
    "open quote": (swap("x0001", '"x0001'), ":3: a quote opens here and never closes"),
    "text after quote": (swap("x0001", '"x0001"z'), ":3: found text after a closing quote"),
    "row too long": (lines(lambda r: [*r[:3], r[3] + b",1", *r[4:]]), ":4: found . cells, wanted"),
    "row too short": (lines(lambda r: [*r[:3], r[3].split(b",")[0], *r[4:]]), ":4: found 1 cell"),
    "empty line inside": (lines(lambda r: [*r[:3], b"", *r[3:]]), ":4: found an empty line"),
    "id column renamed": (
        swap("id,", "image_id,"),
        ":1: column 'id' is missing; rename 'image_id'",
    ),
    "id column in capitals": (swap("id,", "ID,"), ":1: column 'id' is missing"),
    "blank in header": (swap("id,", " id,"), ":1: column 'id' is missing; rename ' id'"),
    "pandas index": (
        lines(lambda r: [b"," + r[0], *(b"%d," % i + x for i, x in enumerate(r[1:]))]),
        ":1: header: column 1 of . has no name; .*index=False",
    ),
    "index read back": (
        lines(lambda r: [b"Unnamed: 0," + r[0], *(b"1," + x for x in r[1:])]),
        ":1: column 'Unnamed: 0' is not asked for; write with index=False",
    ),
    "column twice": (
        columns(lambda cells: [*cells, cells[-1]]),
        ":1: header: columns . and . have",
    ),
    "extra column": (columns(lambda cells: [*cells, b"1"]), ":1: column '1' is not asked for"),
    "id missing": (columns(lambda cells: cells[1:]), ":1: column 'id' is missing"),
    "columns in another order": (
        columns(lambda c: [*c[1:], c[0]]),
        ":1: columns are in another order",
    ),
    "id twice": (swap("x0004", "x0003"), ":6: id 'x0003' is there already in line 5"),
    "row twice": (lines(lambda r: [*r, r[4]]), ":32: id 'x0003' is there already in line 5"),
    "row missing": (lines(lambda r: [*r[:4], *r[5:]]), "1 of 30 ids are missing: x0003;"),
    "half of the rows": (
        lines(lambda r: r[:16]),
        "15 of 30 ids are missing: x0015, .*, x0019 \\.\\.\\.",
    ),
    "unknown id": (swap("x0003", "banana"), ":5: id 'banana' is not asked for$"),
    "train id": (swap("x0003", "t0003"), ":5: id 't0003' is not asked for; did you mean"),
    "id with ending": (swap("x0003", "x0003.png"), ":5: id 'x0003.png' .* did you mean 'x0003'"),
    "id with folder": (swap("x0003", "test/x0003.png"), ":5: .* did you mean 'x0003'"),
    "id in capitals": (swap("x0003", "X0003"), ":5: id 'X0003' .* did you mean 'x0003'"),
    "id with blank": (swap("x0003", "x0003 "), ":5: id 'x0003 ' .* did you mean 'x0003'"),
    "empty id": (swap("x0003,", ","), ":5: id an empty cell is not asked for"),
    "all ids wrong": (every("\nx", "\ny"), "and 25 more like this"),
    "rows upside down": (
        lines(lambda r: [r[0], *r[:0:-1]]),
        ":2: ids are in another order: found 'x0029' where .* has 'x0000'",
    ),
    "two rows swapped": (
        lines(lambda r: [*r[:4], r[5], r[4], *r[6:]]),
        ":5: ids are in another order",
    ),
    "formula id =": (swap("x0003", "=1+1"), ":5: id '=1\\+1' starts as a formula does"),
    "formula id +": (swap("x0003", "+cmd"), ":5: .* starts as a formula does"),
    "formula id -": (swap("x0003", "-cmd"), ":5: .* starts as a formula does"),
    "formula id @": (swap("x0003", "@SUM(A1)"), ":5: .* starts as a formula does"),
    "formula in an extra row": (
        lines(lambda r: [*r, b"=HYPERLINK(1)" + r[1][5:]]),
        ":32: .* formula",
    ),
    "a cell of a million letters": (
        swap("x0003", "x" * 1_000_000),
        ":5: id 'xxxxx.{0,70}\\.\\.\\.' is not asked for",
    ),
}

ANSWERS: dict[str, tuple[Edit, str]] = {
    "empty answer": (
        cell(5, 1, ""),
        ":5: column 'label': found an empty cell, wanted one of the 3",
    ),
    "NaN answer": (cell(5, 1, "nan"), ":5: column 'label': found 'nan', wanted one of the 3"),
    "unknown class": (cell(5, 1, "zebra"), ":5: column 'label': found 'zebra', wanted one of"),
    "mistyped class": (cell(5, 1, "baer"), ":5: .* did you mean 'bear'"),
    "class in capitals": (cell(5, 1, "BEAR"), ":5: .* did you mean 'bear'"),
    "class with blank": (cell(5, 1, " bear"), ":5: .*found ' bear', .* did you mean 'bear'"),
    "class number": (cell(5, 1, "1"), ":5: column 'label': found '1', wanted one of the 3 classes"),
    "a probability": (cell(5, 1, "0.93"), ":5: column 'label': found '0.93'"),
    "two classes": (cell(5, 1, "ape bear"), ":5: column 'label': found 'ape bear'"),
    "column renamed": (swap("label", "lable"), ":1: column 'label' is missing; rename 'lable'"),
    "column missing": (columns(lambda cells: cells[:1]), ":1: column 'label' is missing"),
    "all answers wrong": (
        lines(lambda r: [r[0], *(x.split(b",")[0] + b",x" for x in r[1:])]),
        "and 25 more like this",
    ),
}

SCORES: dict[str, tuple[Edit, str]] = {
    "empty score": (
        cell(5, 2, ""),
        ":5: column 'bear': found an empty cell, wanted a number: every row",
    ),
    "NaN": (cell(5, 2, "NaN"), ":5: column 'bear': found 'NaN', wanted a number: every row needs"),
    "NA": (cell(5, 2, "NA"), ":5: column 'bear': found 'NA', wanted a number"),
    "inf": (cell(5, 2, "inf"), ":5: column 'bear': found 'inf', wanted a number"),
    "too large a number": (cell(5, 2, "1e999"), ":5: column 'bear': found 1e999, wanted a finite"),
    "decimal comma": (
        every("0.3", '"0,3"'),
        ":2: column 'bear': .*write the decimal comma as a point",
    ),
    "percent": (cell(5, 2, "50%"), ":5: .*write percent as a share"),
    "text": (cell(5, 2, "high"), ":5: column 'bear': found 'high', wanted a number$"),
    "blank before": (cell(5, 2, " 0.5"), ":5: .*take out the blanks around it"),
    "underscore": (cell(5, 2, "0_5"), ":5: column 'bear': found '0_5', wanted a number"),
    "hexadecimal": (cell(5, 2, "0x1p-1"), ":5: column 'bear': found '0x1p-1', wanted a number"),
    "list": (cell(5, 2, "[0.5]"), r":5: column 'bear': found '\[0.5\]', wanted a number"),
    "negative": (cell(5, 2, "-0.1"), r":5: column 'bear': found -0.1, wanted a number in \[0, 1\]"),
    "above one": (cell(5, 2, "1.5"), r":5: column 'bear': found 1.5, wanted a number in \[0, 1\]"),
    "row does not sum to 1": (
        lambda data: cell(5, 1, "0")(cell(5, 2, "0.1")(cell(5, 3, "0.3")(data))),
        ":5: the row sums to 0.4, wanted 1",
    ),
    "class column missing": (columns(lambda cells: cells[:3]), ":1: column 'cow' is missing"),
    "class column renamed": (swap("cow", "cows"), ":1: column 'cow' is missing; rename 'cows'"),
    "class columns swapped": (
        columns(lambda c: [c[0], c[2], c[1], c[3]]),
        ":1: columns are in another order",
    ),
}


def matches(problems: list[str], words: str) -> bool:
    """Whether a problem says this."""
    return any(re.search(words, problem, re.DOTALL) for problem in problems)
